"""Cataloguing in forks that may be killed at any call to S3 or AWS Glue: `forked` describes orders and answers."""

from functions.cataloguing import delivery, handler
from tests.integration.forked import Calls, serve_orders


def main() -> None:
    """Work off orders until there are no more."""
    calls = Calls()
    calls.watch("s3", "glue")
    assert delivery, "loaded once, not by each fork"
    # Each fork inherits clients that have not connected yet.
    handler.ports()
    serve_orders(handler.handler, calls)


if __name__ == "__main__":
    main()
