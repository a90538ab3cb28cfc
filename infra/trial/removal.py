"""Taking a model that was only tried out of a stack again, for good."""

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from functions.cataloguing.columns import OWN
from functions.cataloguing.names import database_name, table_name
from functions.shared.domain import layout
from functions.shared.domain.dvc import parse_listing
from functions.shared.domain.errors import NotFoundError
from functions.shared.ports import ObjectInfo, VersionedStore
from functions.shared.repositories.decisions import Decisions

PASSING = ("alerts", "answers", "index", "labelled", "leases", "partitions", "quarantine", "scored", "waiting")
"""Where objects are deleted again: a bucket shows no folder whose objects are all deleted, though their versions are there."""
PAUSE_S = 3.0
_ROUNDS = 20


def forget_tables(model: str, stack: str, glue: Any) -> None:
    """Take a model's tables out of a stack's catalogue, if there are any."""
    for kind in OWN:
        with suppress(glue.exceptions.EntityNotFoundException):
            glue.delete_table(DatabaseName=database_name(stack), Name=table_name(model, kind))


def remove_model(model: str, inbox: VersionedStore, store: VersionedStore, *, pause_s: float = PAUSE_S) -> int:
    """Remove every version of a model's objects from both buckets; count them.

    It looks again until nothing comes up any more, since events that are on their way write a little later. Training sets
    are removed too. They are named by their content, so another model that was trained on the very same rows would lose
    them: call it for a model of made-up rows alone.
    """
    removed = 0
    for _ in range(_ROUNDS):
        found = _removed(model, inbox, store)
        removed += found
        if not found:
            break
        time.sleep(pause_s)
    return removed


def _removed(model: str, inbox: VersionedStore, store: VersionedStore) -> int:
    removed = 0
    for bucket, found in ((store, _snapshots(model, store)), (inbox, _of(model, inbox)), (store, _of(model, store))):
        versions = list(found)
        bucket.forget(versions)
        removed += len(versions)
    return removed


def _of(model: str, bucket: VersionedStore) -> Iterator[ObjectInfo]:
    """Yield a model's keys: those under `PREFIX/MODEL/`, and `PREFIX/MODEL.json`."""
    for top in {*bucket.folders(""), *PASSING}:
        yield from (found.info for found in bucket.versions(f"{top}/{model}/"))
        yield from (found.info for found in bucket.versions(f"{top}/{model}.json"))


def _snapshots(model: str, store: VersionedStore) -> Iterator[ObjectInfo]:
    """Yield the training sets' files, and the lists of them."""
    for md5 in {decision.snapshot.md5 for decision in Decisions(store).all(model)}:
        files: Iterable[str] = ()
        with suppress(NotFoundError):  # a copy of the model had the same, and is removed already
            files = parse_listing(store.read(layout.snapshot_key(md5))).values()
        for key in map(layout.snapshot_key, {md5, *files}):
            yield from (found.info for found in store.versions(key))
