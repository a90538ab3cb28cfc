"""Lambda entry point: erase people's rows on request, and return the record."""

import uuid
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from functions.erasure.event import EraseRequest
from functions.shared.runtime.refusals import answering_refusals

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.erasure.ports import Ports


@cache
def ports() -> "Ports":
    """Return the real ports."""
    from functions.erasure.ports import Ports
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.runtime.settings import settings

    client = s3_client()
    return Ports(
        inbox=S3ObjectStore(client, settings().inbox),
        store=S3ObjectStore(client, settings().store),
        new_name=lambda: uuid.uuid4().hex,
        now=lambda: datetime.now(UTC),
    )


@answering_refusals
def handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    """Erase, and return the record."""
    from functions.erasure.service import erase

    return erase(EraseRequest.model_validate(event), ports()).summary()
