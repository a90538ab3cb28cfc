"""Lambda entry point: erase people's rows on request, and return the record."""

import time
from functools import cache
from typing import TYPE_CHECKING, Any

from functions.erasure.event import EraseRequest
from functions.shared.runtime.refusals import answering_refusals

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.erasure.ports import Ports

RESERVE_MS = 120_000
"""With less time left no unit is begun: the next call begins with it, and has all its time for it."""
CALL_S = 240.0
"""A call begins no unit after this, so that its connection is not idle for long. The ids come with each call, since an event that Lambda
keeps and repeats, as for other long work, would store them."""


@cache
def ports() -> "Ports":
    """Return the real ports."""
    from functions.erasure.ports import Ports
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.runtime.chance import new_name, utc_now
    from functions.shared.runtime.settings import settings

    client = s3_client()
    return Ports(
        inbox=S3ObjectStore(client, settings().inbox),
        store=S3ObjectStore(client, settings().store),
        new_name=new_name,
        now=utc_now,
    )


@answering_refusals
def handler(event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
    """Erase, and return the record.

    When the time is nearly up, the record has no end yet.
    """
    from functions.erasure.service import erase

    begun = time.monotonic()

    def time_is_up() -> bool:
        return context.get_remaining_time_in_millis() < RESERVE_MS or time.monotonic() - begun > CALL_S

    return erase(EraseRequest.model_validate(event), ports(), time_is_up).summary()
