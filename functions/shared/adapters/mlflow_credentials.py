"""Show an MLflow server the user and password of a secret, which may rotate."""

import json
import os
import time
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from functions.shared.domain.errors import RegistryUnavailableError

VALID_S = 300.0
"""How long what was read is shown before the secret is read again."""


class SecretCredentials:
    """User and password for MLflow, read from Secrets Manager while the process runs."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._read_at: float | None = None

    def show(self) -> None:
        """Put them into the variables that MLflow reads at each request.

        Raises:
            RegistryUnavailableError: if the secret cannot be read or lacks one of them. Nothing of it stands in the message.
        """
        now = time.monotonic()
        if self._read_at is not None and now - self._read_at < VALID_S:
            return
        try:
            found = json.loads(self._client.get_secret_value(SecretId=self._secret)["SecretString"])
            shown = {"MLFLOW_TRACKING_USERNAME": str(found["username"]), "MLFLOW_TRACKING_PASSWORD": str(found["password"])}
        except (BotoCoreError, ClientError, KeyError, TypeError, ValueError) as error:
            message = f"the secret {self._secret} cannot be read, or lacks username or password: {type(error).__name__}"
            raise RegistryUnavailableError(message) from None
        os.environ.update(shown)
        self._read_at = now

    @cached_property
    def _client(self) -> Any:
        return boto3.client("secretsmanager", config=Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2}))
