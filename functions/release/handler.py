"""Lambda entry point: decisions, ticks and a person's hand, to what is served."""

import uuid
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from functions.release.event import ReleaseRequest, parse_request
from functions.shared.runtime.observability import logger
from functions.shared.runtime.refusals import answering_refusals

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.release.desk import Desk

_UNWANTED = frozenset({"refused", "registry_unavailable"})
"""Codes of reasons that a person may want to do something about."""


@cache
def desk() -> "Desk":
    """The real ports."""
    from functions.release.desk import Desk
    from functions.shared.adapters.mlflow_registry import registry_at
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.runtime.settings import registry_settings

    settings = registry_settings()
    return Desk(
        store=S3ObjectStore(s3_client(), settings.store),
        registry=registry_at(settings.mlflow_tracking_uri, settings.stack),
        new_name=lambda: uuid.uuid4().hex,
        now=lambda: datetime.now(UTC),
    )


@answering_refusals
def handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    """Take one step for a model (for all of them on a schedule's tick) and say which."""
    from functions.release.service import promote, restore, retire, rollback, try_out
    from functions.shared.domain.errors import ReleaseRefusedError

    request = parse_request(event)
    if request.model is None:
        return _tick_all()
    reason = request.reason or f"{request.action} by hand"
    match request.action:
        case "promote":
            if request.version is None:
                message = "name the version to promote"
                raise ReleaseRefusedError(message)
            if request.force and not request.reason:
                message = f"the gate kept version {request.version} out: who forces it says why"
                raise ReleaseRefusedError(message)
            serve = try_out if request.canary else promote
            return serve(request.model, request.version, reason=reason, who=request.who, force=request.force, desk=desk()).summary()
        case "retire":
            return retire(request.model, reason=reason, who=request.who, desk=desk()).summary()
        case "rollback" if request.version is not None:
            return restore(request.model, request.version, reason=reason, who=request.who, desk=desk()).summary()
        case "rollback":
            return rollback(request.model, reason=reason, who=request.who, desk=desk()).summary()
        case "tick":
            return _tick(request)


def _tick(request: ReleaseRequest) -> dict[str, Any]:
    from functions.release.service import tick

    step = tick(str(request.model), desk())
    reasons = [reason.model_dump() for reason in step.reasons]
    told = {"model": request.model, "action": step.action.value, "share": step.share, "reasons": reasons}
    (logger().warning if _UNWANTED.intersection(reason.code for reason in step.reasons) else logger().info)("step", extra=told)
    return told


def _tick_all() -> dict[str, Any]:
    from functions.shared.foundation.fan_out import for_each
    from functions.shared.repositories.releases import Releases

    return {"steps": for_each(Releases(desk().store).models(), lambda model: _tick(ReleaseRequest(model=model)))}
