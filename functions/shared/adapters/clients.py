"""Make clients of AWS by botocore.

boto3 makes the same ones, but it also imports transfers and resources, which nothing here uses.
"""

from functools import cache
from threading import Lock
from typing import Any

from botocore.session import Session, get_session

_ONE_AT_A_TIME = Lock()
"""A session may not make two clients at the same time."""


def client(service: str, **settings: Any) -> Any:
    """Return a client of a service, set up by the environment."""
    with _ONE_AT_A_TIME:
        return session().create_client(service, **settings)


@cache
def session() -> Session:
    """Return the session that makes all clients."""
    return get_session()
