"""Do what a request asks for, and return the answer as JSON holds it."""

from typing import Any

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
from functions.retraining.importing import import_version
from functions.retraining.ports import Ports
from functions.retraining.reproduction import reproduce
from functions.retraining.service import adopt_first, retrain, train_first


def act(event: dict[str, Any], deliveries: int = 1, *, ports: Ports) -> dict[str, Any]:
    """Make, import or rebuild a version, or request a retraining of each model.

    Args:
        event: what a command, the schedule or an alert asked for.
        deliveries: how often a queue delivered it, this time included.
        ports: where versions are read and written.
    """
    result: RetrainingResult | Reproduction
    match parse_request(event):
        case TrainRequest() as request:
            result = train_first(request, ports)
        case AdoptRequest() as request:
            result = adopt_first(request, ports)
        case ImportRequest() as request:
            result = import_version(request, ports)
        case RetrainRequest() as request:
            result = retrain(request, ports, again=deliveries > 1)
        case ReproduceRequest() as request:
            result = reproduce(request, ports)
    return result.model_dump(mode="json")
