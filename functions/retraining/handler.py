"""Lambda entry point: first trainings, retrainings, and the schedule for all."""

from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from functions.shared.runtime.answers import keeping_answers
from functions.shared.runtime.queue import process_request
from functions.shared.runtime.refusals import answering_refusals

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from functions.retraining.ports import Ports


@cache
def ports() -> "Ports":
    """Return the real ports."""
    from functions.retraining.ports import Ports
    from functions.shared.adapters.events import EventBridge
    from functions.shared.adapters.mlflow_registry import registry_at
    from functions.shared.adapters.s3 import S3ObjectStore, s3_client
    from functions.shared.repositories.bundles import Bundles
    from functions.shared.runtime.chance import new_name, utc_now
    from functions.shared.runtime.settings import registry_settings

    settings, client = registry_settings(), s3_client()
    store = S3ObjectStore(client, settings.store)
    return Ports(
        inbox=S3ObjectStore(client, settings.inbox),
        store=store,
        registry=registry_at(settings.mlflow_tracking_uri, settings.stack, settings.mlflow_secret),
        bundles=Bundles(store),
        events=EventBridge(settings.stack),
        new_holder=new_name,
        now=utc_now,
    )


@keeping_answers(lambda: ports().store)
@answering_refusals
def handler(event: dict[str, Any], _context: "LambdaContext") -> Mapping[str, Any]:
    """Make a version, rebuild one, or request one per model, and return the result.

    What the schedule and alerts ask for comes through a queue, which lets a few models be retrained at once.
    """
    from functions.retraining.requests import act

    acting = partial(act, ports=ports())
    return process_request(event, acting) if "Records" in event else acting(event)
