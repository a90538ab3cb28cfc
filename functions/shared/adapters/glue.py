"""AWS Glue, which knows where tables are."""

from typing import Any

from botocore.config import Config

from functions.shared.adapters.clients import client


def glue_client() -> Any:
    """Return a client that retries throttling and lost connections."""
    return client("glue", config=Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=60))
