"""AWS Glue, which knows where tables are."""

from typing import Any


def glue_client() -> Any:
    """Return a client that retries throttling and lost connections."""
    import boto3
    from botocore.config import Config

    return boto3.client("glue", config=Config(retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=60))
