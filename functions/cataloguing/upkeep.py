"""What the clock asks for: tables compared with manifests, and files deleted that no table names any more."""

from collections.abc import Collection
from datetime import date, datetime, timedelta

from functions.cataloguing.batch_rows import rows_in
from functions.cataloguing.ports import Ports
from functions.cataloguing.service import BATCHES, SCORED, catalogue
from functions.shared.domain import layout
from functions.shared.domain.errors import TablesDifferError
from functions.shared.foundation.counted import counted
from functions.shared.foundation.fan_out import for_each
from functions.shared.repositories.manifests import Manifests

_DAY = timedelta(days=1)
_RECENT_DAYS = 3
_TRIES = 3
_IN_WORK = _DAY
"""A younger file may be of a commit that is not made yet."""


def compare(ports: Ports, now: datetime) -> dict[str, int]:
    """Bring all models' tables to the manifests of the last days, and count what is in them.

    Returns:
        How many models have tables, and how many files their tables lacked or had too many.

    Raises:
        ExceptionGroup: at the end, of what was raised for some models: TablesDifferError, if counts differ even so.
    """
    days = {now.date() - number * _DAY for number in range(_RECENT_DAYS)}
    changed = for_each(_models(ports), lambda model: bring_and_count(model, days, ports))
    return {"models": len(changed), "files": sum(changed)}


def sweep(ports: Ports, now: datetime) -> dict[str, int]:
    """Do so for all days, and delete metadata that no table names any more.

    Returns:
        How many models have tables, and how many files were deleted.

    Raises:
        ExceptionGroup: as `compare`.
    """

    def sweep_model(model: str) -> int:
        bring_and_count(model, Manifests(ports.store).days(model), ports, _there(model, ports))
        return _clear(model, now - _IN_WORK, ports)

    deleted = for_each(_models(ports), sweep_model)
    return {"models": len(deleted), "deleted": sum(deleted)}


def bring_and_count(model: str, days: Collection[date], ports: Ports, there: Collection[str] | None = None) -> int:
    """Bring a model's tables to its manifests of some days, and return how many files had to come or go.

    Rows of batches that have expired leave the tables where `there` names the files that are left; where counts differ these are
    looked up.

    Raises:
        TablesDifferError: if a batch or a row is missing or too many even so.
    """
    changed = 0
    for _ in range(_TRIES):  # a batch may be committed while its day is counted
        told = {batch for day in days for batch, _ in Manifests(ports.store).on(model, day)}
        if not told:
            return 0
        outcome = catalogue(model, days, ports, there)
        changed += outcome.added + outcome.removed
        shown = ports.tables.open(model, SCORED).files(days)
        rows = [row for file in ports.tables.open(model, BATCHES).files(days) for row in rows_in(ports.store.read(file.key))]
        lacking, has = len(told - {row["batch_id"] for row in rows}), sum(file.rows for file in shown)
        left = None if there is None else {key.split("/")[2] for key in there}
        needs = sum(row["rows_scored"] for row in rows if row["standing"] and (left is None or row["batch_id"] in left))
        if not lacking and has == needs:
            return changed
        there = _there(model, ports)
    message = f"the tables of {model!r} lack {counted(lacking, 'batches')} and have {has} scored rows, where its manifests have {needs}"
    raise TablesDifferError(message, remedy=f"`everscore table rebuild {model}` makes them again")


def _there(model: str, ports: Ports) -> set[str]:
    """Return the keys of a model's scored files that are left."""
    return {found.key for found in ports.store.list(layout.batches_prefixes(model)[0])}


def _clear(model: str, before: datetime, ports: Ports) -> int:
    """Delete files of a model's tables that were written before a moment and that no table names."""
    written = [info.key for info in ports.store.list(layout.tables_prefix(model)) if info.last_modified < before]
    named = {key for kind in (SCORED, BATCHES) for key in ports.tables.open(model, kind).named()} if written else set()
    left = [key for key in written if key not in named]
    ports.store.delete(left)
    return len(left)


def _models(ports: Ports) -> list[str]:
    return [model for model in ports.store.folders(layout.MANIFESTS) if model != layout.UNNAMED_MODEL]
