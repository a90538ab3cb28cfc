"""Do the same for every model; one model's failure does not affect others."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from functions.shared.foundation.counted import counted

AT_ONCE = 16
"""Models in work at a time: they mostly wait for S3 and the registry, which serve many requests at once."""


def for_each[Result](models: Iterable[str], act: Callable[[str], Result], *, at_once: int = 1) -> list[Result]:
    """Act for each model, even if others fail.

    One that is slow holds up none of them, where several are looked at at once.

    Args:
        models: the names of the models.
        act: the action for one model.
        at_once: how many models are in work at a time.

    Returns:
        The results, in the models' order.

    Raises:
        ExceptionGroup: at the end, with the errors of the models that failed.

    >>> for_each(["sales", "stock"], str.upper)
    ['SALES', 'STOCK']
    """
    results: list[Result] = []
    failures: list[Exception] = []

    def attempt(model: str) -> Callable[[], None]:
        try:
            result = act(model)
        except Exception as failure:  # noqa: BLE001 - none is hidden: all are raised when the last model had its turn
            failure.add_note(f"model {model!r}")
            return partial(failures.append, failure)
        return partial(results.append, result)

    if at_once == 1:
        for model in models:
            attempt(model)()
    else:
        with ThreadPoolExecutor(at_once) as threads:
            for keep in threads.map(attempt, models):
                keep()
    if failures:
        message = f"{len(failures)} of {counted(len(failures) + len(results), 'models')} failed"
        raise ExceptionGroup(message, failures)
    return results
