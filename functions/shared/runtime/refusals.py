"""What a function answers to who asked for what cannot be done: a refusal is an answer, and no failure of the function."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from functions.shared.domain.errors import REFUSED, ConflictError, InputError, NotFoundError, RetrainingBusyError
from functions.shared.runtime.observability import logger

_REFUSALS = (ConflictError, InputError, NotFoundError, RetrainingBusyError)

type Handler[T] = Callable[[dict[str, Any], Any], T]


def answering_refusals[T](handler: Handler[T]) -> Handler[T | Mapping[str, Any]]:
    """Have a call that names a model be answered with the refusal where it is refused.

    Lambda would count an error, which alarms watch and deployments go back for. Events still fail: nobody reads their answer.
    """

    @wraps(handler)
    def answering(event: dict[str, Any], context: object) -> T | Mapping[str, Any]:
        try:
            return handler(event, context)
        except _REFUSALS as refused:
            if "model" not in event:
                raise
            told = {"error": type(refused).__name__, "message": refused.message, "remedy": refused.remedy, "code": refused.code}
            logger().warning("refused", extra={"refusal": told})
            return {REFUSED: told}

    return answering
