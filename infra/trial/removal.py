"""Taking a model that was only tried out of a stack again, for good."""

import time
from collections.abc import Callable, Iterable, Iterator
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
AFTER_A_BREAK = 10
"""Rounds in a row that must find nothing where a trial was broken off: what it asked for may only be beginning."""
_ROUNDS = 20


def forget_tables(model: str, stack: str, client: Callable[[str], Any]) -> None:
    """Take a model's tables out of a stack's catalogue, if there are any.

    A stack without tables may be in an account that forbids to ask AWS Glue.

    Args:
        model: whose tables they are.
        stack: the stack's name.
        client: returns boto3's client of a service, where the stack is.
    """
    [described] = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    parameters = {given["ParameterKey"]: given["ParameterValue"] for given in described.get("Parameters", [])}
    if parameters.get("Tables") == "off":
        return
    glue = client("glue")
    for kind in OWN:
        with suppress(glue.exceptions.EntityNotFoundException):
            glue.delete_table(DatabaseName=database_name(stack), Name=table_name(model, kind))


def remove_model(model: str, inbox: VersionedStore, store: VersionedStore, *, pause_s: float = PAUSE_S, quiet_rounds: int = 1) -> int:
    """Remove every version of a model's objects from both buckets; count them.

    It looks again until nothing comes up in `quiet_rounds` rounds, since what is on its way writes a little later. Training sets
    are removed too, last. They are named by their content, so another model that was trained on the very same rows would
    lose them: call it for a model of made-up rows alone.
    """
    removed = quiet = 0
    trained_on: set[str] = set()
    for _ in range(_ROUNDS + quiet_rounds):
        trained_on |= {decision.snapshot.md5 for decision in Decisions(store).all(model)}
        found = sum(_removed(bucket, _of(model, bucket)) for bucket in (inbox, store))
        removed += found
        quiet = 0 if found else quiet + 1
        if quiet == quiet_rounds:
            break
        time.sleep(pause_s)
    return removed + _removed(store, _snapshots(trained_on, store))


def _removed(bucket: VersionedStore, found: Iterable[ObjectInfo]) -> int:
    versions = list(found)
    bucket.forget(versions)
    return len(versions)


def _of(model: str, bucket: VersionedStore) -> Iterator[ObjectInfo]:
    """Yield a model's keys: those under `PREFIX/MODEL/`, and `PREFIX/MODEL.json`."""
    for top in {*bucket.folders(""), *PASSING}:
        yield from (found.info for found in bucket.versions(f"{top}/{model}/"))
        yield from (found.info for found in bucket.versions(f"{top}/{model}.json"))


def _snapshots(trained_on: Iterable[str], store: VersionedStore) -> Iterator[ObjectInfo]:
    """Yield the training sets' files, and the lists of them."""
    for md5 in trained_on:
        files: Iterable[str] = ()
        with suppress(NotFoundError):  # a copy of the model had the same, and is removed already
            files = parse_listing(store.read(layout.snapshot_key(md5))).values()
        for key in map(layout.snapshot_key, {md5, *files}):
            yield from (found.info for found in store.versions(key))
