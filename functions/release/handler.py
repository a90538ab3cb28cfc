"""Lambda entry point: decisions, ticks and a person's hand, to what is served."""

from functools import cache
from typing import TYPE_CHECKING, Any

from functions.release.event import parse_request
from functions.shared.runtime.observability import logger
from functions.shared.runtime.refusals import answering_refusals

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.release.ports import Ports

_UNWANTED = frozenset({"refused", "registry_unavailable"})
"""Codes of reasons that a person may want to do something about."""


@cache
def ports() -> "Ports":
    """Return the real ports."""
    from functions.release.ports import Ports
    from functions.shared.adapters.mlflow_registry import registry_at
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.runtime.chance import new_name, utc_now
    from functions.shared.runtime.settings import registry_settings

    settings = registry_settings()
    return Ports(
        store=S3ObjectStore(s3_client(), settings.store),
        registry=registry_at(settings.mlflow_tracking_uri, settings.stack, settings.mlflow_secret),
        new_name=new_name,
        now=utc_now,
    )


@answering_refusals
def handler(event: dict[str, Any], _context: "LambdaContext") -> dict[str, Any]:
    """Take one step for a model (for all of them on a schedule's tick) and say which."""
    request = parse_request(event)
    if request.model is None:
        return _tick_all()
    if request.action == "tick":
        return _tick(request.model)
    from functions.release.hand import act

    return act(request, request.model, ports()).summary()


def _tick(model: str) -> dict[str, Any]:
    from functions.release.service import tick

    step = tick(model, ports())
    reasons = [reason.model_dump() for reason in step.reasons]
    taken = {"model": model, "action": step.action.value, "share": step.share, "reasons": reasons}
    (logger().warning if _UNWANTED.intersection(reason.code for reason in step.reasons) else logger().info)("step", extra=taken)
    return taken


def _tick_all() -> dict[str, Any]:
    from functions.shared.foundation.fan_out import AT_ONCE, for_each
    from functions.shared.repositories.releases import Releases

    return {"steps": for_each(Releases(ports().store).models(), _tick, at_once=AT_ONCE)}
