"""Return refusals as responses: a refused request is no failure of the function."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from functions.shared.domain.errors import REFUSED, ConflictError, InputError, NotFoundError, RetrainingBusyError
from functions.shared.runtime.observability import logger

_REFUSALS = (ConflictError, InputError, NotFoundError, RetrainingBusyError)

type Handler[T] = Callable[[dict[str, Any], Any], T]


def answering_refusals[T](handler: Handler[T]) -> Handler[T | Mapping[str, Any]]:
    """Return a refusal as the response of a call that names a model.

    If it were raised, Lambda would count an error, which triggers alarms and rolls back deployments. Events still raise, since
    nobody reads their response.
    """

    @wraps(handler)
    def answering(event: dict[str, Any], context: object) -> T | Mapping[str, Any]:
        try:
            return handler(event, context)
        except _REFUSALS as refused:
            if "model" not in event:
                raise
            refusal = {"error": type(refused).__name__, "message": refused.message, "remedy": refused.remedy, "code": refused.code}
            logger().warning("refused", extra={"refusal": refusal})
            return {REFUSED: refusal}

    return answering
