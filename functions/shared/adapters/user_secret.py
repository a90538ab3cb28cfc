"""Read a user and password from Secrets Manager.

They are read again and again, since they may rotate.
"""

import json
import time
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from functions.shared.domain.errors import EverscoreError

VALID_S = 300.0
"""How long what was read is used before the secret is read again."""


class UserSecret:
    """A secret with the keys `username` and `password`.

    `unreadable` is what is raised if it cannot be read or lacks one of them. Nothing of it stands in the message.
    """

    def __init__(self, name: str, unreadable: type[EverscoreError]) -> None:
        self._name = name
        self._unreadable = unreadable
        self._read: tuple[float, tuple[str, str]] | None = None

    def user_and_password(self) -> tuple[str, str]:
        """Return both, as they were at most `VALID_S` seconds ago."""
        now = time.monotonic()
        if self._read is None or now - self._read[0] >= VALID_S:
            self._read = now, self._ask()
        return self._read[1]

    def _ask(self) -> tuple[str, str]:
        try:
            found = json.loads(self._client.get_secret_value(SecretId=self._name)["SecretString"])
            return str(found["username"]), str(found["password"])
        except (BotoCoreError, ClientError, KeyError, TypeError, ValueError) as error:
            message = f"the secret {self._name} cannot be read, or lacks username or password: {type(error).__name__}"
            raise self._unreadable(message) from None

    @cached_property
    def _client(self) -> Any:
        return boto3.client("secretsmanager", config=Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2}))
