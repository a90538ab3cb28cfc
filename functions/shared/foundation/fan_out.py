"""The same for every model, so that the trouble of one is no other's."""

from collections.abc import Callable, Iterable


def for_each[Result](models: Iterable[str], act: Callable[[str], Result]) -> list[Result]:
    """Act for one model after the other, whatever becomes of the ones before.

    Returns:
        The results, in the models' order.

    Raises:
        ExceptionGroup: at the end, of what was raised for some of them.

    >>> for_each(["sales", "stock"], str.upper)
    ['SALES', 'STOCK']
    """
    results, failures = [], []
    for model in models:
        try:
            results.append(act(model))
        except Exception as failure:  # noqa: BLE001 - none is hidden: all are raised when the last model had its turn
            failure.add_note(f"model {model!r}")
            failures.append(failure)
    if failures:
        message = f"{len(failures)} of {len(failures) + len(results)} models failed"
        raise ExceptionGroup(message, failures)
    return results
