"""Lambda entry point: first trainings, retrainings, and the schedule for all."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from functions.retraining.event import (
    AdoptRequest,
    ImportRequest,
    ReproduceRequest,
    Reproduction,
    RetrainingResult,
    RetrainRequest,
    TrainRequest,
    parse_request,
)
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
    return process_request(event, _act) if "Records" in event else _act(event)


def _act(event: dict[str, Any]) -> dict[str, Any]:
    from functions.retraining.importing import import_version
    from functions.retraining.reproduction import reproduce
    from functions.retraining.service import adopt_first, retrain, train_first

    result: RetrainingResult | Reproduction
    match parse_request(event):
        case TrainRequest() as request:
            result = train_first(request, ports())
        case AdoptRequest() as request:
            result = adopt_first(request, ports())
        case ImportRequest() as request:
            result = import_version(request, ports())
        case RetrainRequest() as request:
            result = retrain(request, ports())
        case ReproduceRequest() as request:
            result = reproduce(request, ports())
    return result.model_dump(mode="json")
