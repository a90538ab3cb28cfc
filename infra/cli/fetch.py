"""`everscore fetch`: scored rows of one batch or of days, as a file."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from functions.shared.domain.errors import InputError, NotFoundError
from functions.shared.domain.manifest import Manifest
from functions.shared.foundation.ahead import map_ahead
from functions.shared.foundation.counted import counted
from functions.shared.repositories.manifests import Manifests
from infra.cli.options import AsJson, Model, Overwrite, StackName, console, say, show
from infra.cli.outputs import ending_of, refuse_existing, refuse_long, refuse_unwritable
from infra.cli.screens.batches import fetched_screen
from infra.words import _

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.cli.operator import Operator
    from infra.cli.scored_rows import Days

app = typer.Typer()

_DAY = ["%Y-%m-%d"]
_LOOKS_AT_ONCE = 16


@app.command()
def fetch(
    model: Model,
    out: Annotated[Path, typer.Option("-o", "--out", help="File to write: .parquet, .csv or .xlsx.", dir_okay=False)],
    batch_id: Annotated[str | None, typer.Argument(help="Batch id, or the beginning of it.")] = None,
    last: Annotated[bool, typer.Option("--last", help="Fetch the newest batch.")] = False,
    first_day: Annotated[datetime | None, typer.Option("--from", formats=_DAY, help="First event day of the rows.")] = None,
    last_day: Annotated[datetime | None, typer.Option("--to", formats=_DAY, help="Last event day of the rows.")] = None,
    overwrite: Overwrite = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Write scored rows to a file: of one batch, or of event days.

    Days and times are those of the model's `--timezone`. For a model without a time column, days are days of arrival. Of
    a batch that was scored again, days hold the newest scores only.
    """
    from infra.cli.operator import connect
    from infra.cli.scored_rows import ALL_DAYS, Days, newest_answer, write_scored

    days = Days(*(moment.date() if moment else None for moment in (first_day, last_day)))
    if first_day and last_day and last_day < first_day:
        raise InputError(f"--from {days.first} is after --to {days.last}", remedy="swap the two days", code="usage")
    if sum((batch_id is not None, last, days != ALL_DAYS)) != 1:
        raise InputError(
            "it is not clear which rows are wanted", remedy="give a batch id, or --last, or days with --from and --to", code="usage"
        )
    ending_of(out)
    refuse_unwritable(out)
    refuse_existing(out, overwrite=overwrite)
    operator = connect(stack)
    release = operator.release_of(model)
    spec = operator.spec_of(model, release.champion.version)
    with console.status(_("looking for batches")):
        batches = [_one(model, batch_id, operator)] if days == ALL_DAYS else _of_days(model, days, operator, spec.day_zone)
    if batch_id and (newest := newest_answer(batches[0], release.seq, operator.store)) != batches[0].batch_id:
        note = _("note: this batch was scored again later; batch {batch} has the newest scores", batch=newest[:8])
        say(note)
    refuse_long(sum(days.rows(batch) for batch in batches if not batch.rows_erased), out)
    try:
        rows = write_scored(batches, out, download=operator.download, console=console, spec=spec, days=days)
    except NotFoundError as error:
        raise _expired(model, batches, operator) from error
    answer = {"model": model, "rows": rows, "batches": [batch.batch_id for batch in batches], "file": str(out), "day_zone": spec.day_zone}
    show(answer, fetched_screen, as_json=as_json)


def _expired(model: str, batches: "Sequence[Manifest]", operator: "Operator") -> InputError:
    """Return the refusal to write rows of which some have expired."""
    named = ((batch, output.key) for batch in batches for output in batch.outputs)
    looked = map_ahead(lambda pair: (pair[0], _is_there(pair[1], operator)), named, threads=_LOOKS_AT_ONCE)
    gone = {batch.batch_id: batch for batch, there in looked if not there}
    newest = max(batch.created_at for batch in gone.values())
    message = (
        f"scored rows have expired in {len(gone):,} of {counted(len(batches), 'batches')}, the newest scored at {newest:%Y-%m-%d %H:%M} UTC"
    )
    remedy = f"choose later days or another batch; `everscore rescore {model} {min(gone)[:8]}` scores one again whose upload is kept"
    return InputError(message, remedy=remedy, code="rows_expired")


def _is_there(key: str, operator: "Operator") -> bool:
    try:
        operator.store.info(key)
    except NotFoundError:
        return False
    return True


def _one(model: str, batch_id: str | None, operator: "Operator") -> Manifest:
    """Return the named batch, or the newest one, if it has rows.

    Raises:
        InputError: if there is none, or it has no scored row.
    """
    batch = operator.manifest_of(model, batch_id) if batch_id else next(Manifests(operator.store).newest(model), None)
    if batch is None:
        raise InputError(f"{model!r} has scored no batch yet", remedy=f"send one with `everscore score {model} FILE`", code="no_rows")
    if not batch.outputs:
        why = batch.error.message if batch.error else "all of its rows were quarantined" + (" or erased" if batch.rows_erased else "")
        message = f"batch {batch.batch_id[:8]} ({batch.source.key}) has no scored row: {why}"
        raise InputError(message, remedy="name another batch, or days with --from and --to", code="no_rows")
    return batch


def _of_days(model: str, days: "Days", operator: "Operator", zone: str) -> "list[Manifest]":
    """Return the batches with rows on some days of the model's zone.

    Raises:
        InputError: if none has.
    """
    from infra.cli.scored_rows import standing_batches

    standing = standing_batches(model, operator.store)
    if chosen := [batch for batch in standing if days.rows(batch)]:
        return chosen
    known = [day for batch in standing for day in batch.event_days]
    remedy = f"choose days from {min(known)} to {max(known)} ({zone})" if known else f"send rows with `everscore score {model} FILE`"
    raise InputError(f"{model!r} has no scored row on these days", remedy=remedy, code="no_rows")
