"""What labels said of a model, by event day."""

from functions.shared.domain import layout
from functions.shared.domain.calendar import FIRST_DAY, LAST_DAY
from functions.shared.ports import ObjectStore


def performance_keys(model: str, store: ObjectStore) -> list[str]:
    """Keys of the days that have labels, in order, but for days that are not plausible: earlier versions stored such."""
    first, last = (layout.performance_key(model, day) for day in (FIRST_DAY, LAST_DAY))
    return [found.key for found in store.list(layout.performance_prefix(model)) if first <= found.key <= last]
