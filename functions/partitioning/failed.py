"""Find out which partitions failed and why.

The state that ran them reports only that some failed, and puts details into the store.
"""

import json
from collections.abc import Iterator

from pydantic import Field, TypeAdapter

from functions.partitioning.event import Failure
from functions.shared.domain import layout
from functions.shared.ports import ObjectStore

NAMED = 3
"""Partitions that a message names; the others usually failed for the same reason or were stopped."""


class _FailedItem(Failure):
    """An item of a Distributed Map as its ResultWriter stores it, with its input."""

    given: str = Field(alias="Input", default="{}")

    def __str__(self) -> str:
        number = json.loads(self.given).get("partition", {}).get("number", "?")
        return f"partition {number}: {super().__str__()}"


_ITEMS = TypeAdapter(list[_FailedItem])


def explained(failure: Failure, folder: str, store: ObjectStore) -> str:
    """Explain why a batch failed: the first partitions that failed in the last run.

    Args:
        failure: the error of the state.
        folder: the prefix of the batch's partition files.
        store: the store of those files.
    """
    items = list(_last_run(folder, store)) if failure.of_partitions else []
    if not items:
        return str(failure)
    more = f"; and {len(items) - NAMED} more" if len(items) > NAMED else ""
    return "; ".join(str(item) for item in items[:NAMED]) + more


def _last_run(folder: str, store: ObjectStore) -> Iterator[_FailedItem]:
    files = [found for found in store.list(folder) if layout.is_of_failed_partitions(found.key)]
    newest = max(files, key=lambda found: found.last_modified, default=None)
    run = newest.key.rsplit("/", 1)[0] if newest else None
    for found in files:
        if found.key.rsplit("/", 1)[0] == run:
            yield from _ITEMS.validate_json(store.read(found.key))
