"""What the schedule asks for: tables compared, and unused files deleted."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime, timedelta
from itertools import islice

from functions.cataloguing.batch_rows import Row, rows_in
from functions.cataloguing.columns import OWN
from functions.cataloguing.compaction import compact, days_of_small_files, in_large_files
from functions.cataloguing.labels import catalogue_labels, readmit_ids, served_spec
from functions.cataloguing.ports import Ports
from functions.cataloguing.service import BATCHES, SCORED, catalogue, files_left
from functions.shared.domain import layout
from functions.shared.domain.errors import TablesDifferError
from functions.shared.foundation.counted import counted
from functions.shared.foundation.fan_out import for_each
from functions.shared.repositories.manifests import Manifests

_DAY = timedelta(days=1)
_RECENT_DAYS = 3
_TRIES = 3
_DAYS_A_NIGHT = 31
"""Days that one sweep tries to compact per model, so that a long past comes in steps."""
_IN_WORK = _DAY
"""A younger file may be of a commit that is not made yet."""


def compare(ports: Ports, now: datetime) -> dict[str, int]:
    """Make all tables show the last days' manifests and all labels, and count.

    Returns:
        How many models have tables, and how many files their tables lacked or had too many.

    Raises:
        ExceptionGroup: at the end, of what was raised for some models: TablesDifferError, if counts differ even so.
    """
    days = {now.date() - number * _DAY for number in range(_RECENT_DAYS)}
    changed = for_each(_models(ports, now), lambda model: bring_and_count(model, days, ports) + catalogue_labels(model, ports))
    return {"models": len(changed), "files": sum(changed)}


def sweep(ports: Ports, now: datetime, time_is_up: Callable[[], bool] = lambda: False) -> dict[str, int]:
    """Do so for all days, and put small files of closed days together.

    Files that no table names any more are deleted. All models come so far before small files, which do no harm if they wait.

    Args:
        ports: of the store and the tables.
        now: decides which days are closed.
        time_is_up: whether too little time is left for another day's files.

    Returns:
        How many models have tables, and how many files were deleted.

    Raises:
        ExceptionGroup: as `compare`.
    """

    def settle(model: str) -> int:
        bring_and_count(model, Manifests(ports.store).days(model), ports, look=True)
        catalogue_labels(model, ports)
        readmit_ids(model, ports)
        return _clear(model, now - _IN_WORK, ports)

    models = _models(ports, now)
    try:
        deleted = for_each(models, settle)
    finally:
        for_each(models, lambda model: _compact_closed(model, now.date() - _RECENT_DAYS * _DAY, ports, time_is_up))
    return {"models": len(deleted), "deleted": sum(deleted)}


def _compact_closed(model: str, until: date, ports: Ports, time_is_up: Callable[[], bool]) -> None:
    """Compact some closed days, the newest first."""
    if time_is_up() or (spec := served_spec(model, ports.store)) is None:
        return
    closed = [day for day in Manifests(ports.store).days(model) if day <= until]
    for day in islice(days_of_small_files(model, closed, ports), _DAYS_A_NIGHT):
        if time_is_up():
            return
        compact(model, day, spec, ports)


def bring_and_count(model: str, days: Collection[date], ports: Ports, *, look: bool = False) -> int:
    """Bring a model's tables to some days' manifests; return how many files changed.

    With `look`, rows that have expired leave the tables; where counts differ, the files that are left are looked up in any case.

    Raises:
        TablesDifferError: if a batch or a row is missing or too many even so.
    """
    changed = 0
    for _ in range(_TRIES):  # a batch may be committed while its day is counted
        manifests = {batch: info.key for day in days for batch, info in Manifests(ports.store).on(model, day)}
        if not manifests:
            return 0
        outcome = catalogue(model, days, ports, look=look)
        changed += outcome.added + outcome.removed
        # Rows of batches first: a file that comes between the two looks belongs to a batch that is not counted.
        rows = [row for file in ports.tables.open(model, BATCHES).files(days) for row in rows_in(ports.store.read(file.key)) or ()]
        lacking = manifests.keys() - {row["batch_id"] for row in rows}
        differ = _differing(model, days, rows, manifests, ports)
        if not lacking and not differ:
            return changed
        look = True
    message = f"the tables of {model!r} lack {counted(len(lacking), 'batches')}, and have other rows of {counted(len(differ), 'batches')}"
    raise TablesDifferError(message, remedy=f"`everscore table rebuild {model}` makes them again")


def _differing(model: str, days: Collection[date], rows: Collection[Row], manifests: Mapping[str, str], ports: Ports) -> list[str]:
    """Return the batches whose rows in the table are more or fewer than in files."""
    has, large = Counter[str](), Counter[date]()
    for file in ports.tables.open(model, SCORED).files(days):
        has[file.batch] += file.rows
        large[file.day] += 0 if file.batch else file.rows
    for day, many in (+large).items():
        small = in_large_files(row for row in rows if row["arrived_at"].date() == day)
        if many == sum(small.values()):
            has.update(small)
    known = [row for row in rows if row["batch_id"] in manifests]
    odd = [row for row in known if has[row["batch_id"]] != (row["rows_scored"] if row["standing"] else 0)]
    there = files_left(model, ports.store) if odd else frozenset[str]()
    left = {layout.batch_of(key) for key in there}

    def should_have(row: Row) -> int:
        if not row["standing"] or row["batch_id"] not in left:
            return 0
        manifest = Manifests(ports.store).read(manifests[row["batch_id"]])
        return sum(file.rows for file in manifest.outputs if file.key in there)

    return [row["batch_id"] for row in odd if has[row["batch_id"]] != should_have(row)]


def _clear(model: str, before: datetime, ports: Ports) -> int:
    """Remove old versions of files below a model's tables that no table names.

    A table that does not exist names nothing, so its files stay. A rebuild may write a file again under the same name meanwhile: that is
    another version, which stays too.
    """
    written = [version.info for version in ports.store.versions(layout.tables_prefix(model)) if version.info.last_modified < before]
    kinds = [kind for kind in OWN if written and ports.tables.exists(model, kind)]
    named = {key for kind in kinds for key in ports.tables.open(model, kind).named()}
    below = tuple(layout.table_prefix(model, kind) for kind in kinds)
    left = [info for info in written if info.key.startswith(below) and info.key not in named]
    ports.store.forget(left)
    return len(left)


def _models(ports: Ports, now: datetime) -> list[str]:
    """Return all models, at each moment in another order.

    So a look that ends with the function's time does not leave out the same ones again.
    """
    models = (model for model in ports.store.folders(layout.MANIFESTS) if model != layout.UNNAMED_MODEL)
    return sorted(models, key=lambda model: hashlib.sha256(f"{now.isoformat()} {model}".encode()).digest())
