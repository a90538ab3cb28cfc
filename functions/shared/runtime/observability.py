"""Structured logs."""

from functools import cache

from aws_lambda_powertools import Logger


@cache
def logger() -> Logger:
    """Return a logger of JSON lines with the service's name and the request's id."""
    return Logger()
