"""The same for every model, so that the trouble of one is no other's."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

AT_ONCE = 16
"""Models that are looked at side by side: what they wait for, S3 and the registry, answers many."""


def for_each[Result](models: Iterable[str], act: Callable[[str], Result], *, at_once: int = 1) -> list[Result]:
    """Act for each model, whatever becomes of the others. One that is slow holds up none of them, where several are looked at at once.

    Args:
        models: their names.
        act: what is done for one.
        at_once: for how many at a time.

    Returns:
        The results, in the models' order.

    Raises:
        ExceptionGroup: at the end, of what was raised for some of them.

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
        message = f"{len(failures)} of {len(failures) + len(results)} models failed"
        raise ExceptionGroup(message, failures)
    return results
