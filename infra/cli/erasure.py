"""`everscore erase`: people's rows out of everything stored."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import batched
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from functions.shared.domain.errors import InputError
from infra.cli.converted import converted
from infra.cli.formats import SentEncoding, Sheet
from infra.cli.options import AsJson, Model, Reason, StackName, confirmed, console, show
from infra.cli.screens.erasure import erasure_screen
from infra.words import _, plural

if TYPE_CHECKING:
    from functions.shared.domain.spec import ModelSpec
    from infra.cli.operator import Operator

app = typer.Typer()

LEAST_PAUSE_S, LONGEST_WAIT_S = 15.0, 70 * 60.0
"""`--wait` pauses at least so long before it erases again, and in all at most so long: labels may go an hour after they came."""
IDS_A_CALL = 10_000
"""A call takes 6 MB, so this many ids of up to 600 bytes."""
TRIES = 3
"""Failed calls in a row, after which no more are made."""


@app.command()
def erase(
    context: typer.Context,
    model: Model,
    ids: Annotated[
        Path, typer.Option("--ids", help="File with the model's id column: the people whose rows are removed.", exists=True, dir_okay=False)
    ],
    reason: Reason = "",
    encoding: SentEncoding = None,
    sheet: Sheet = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove without asking; required without a terminal.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed, and remove nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for files that are in use, for 70 minutes at most, and erase again.")] = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Remove people's rows for good from everything stored of a model.

    Repeat it while it names files that are kept (exit code 1); --wait does so.
    """
    from infra.cli.operator import connect

    operator = connect(stack)
    ids = context.with_resource(converted(ids, encoding=encoding or operator.encoding_for(model, ids), sheet=sheet))
    people = ids_in(ids, operator.spec_of(model, operator.release_of(model).champion.version))
    if not (yes or dry_run):
        some_ids = plural("{number:,} id", "{number:,} ids", len(people))
        question = _("Remove all rows of {ids} from everything stored of {model}? This cannot be undone", ids=some_ids, model=model)
        refusal = "there is no terminal to confirm on that these rows are to be removed for good"
        confirmed(question, InputError(refusal, remedy="add --yes to remove them, or --dry-run to see what would go", code="no_terminal"))
    request = {"action": "erase", "model": model, "reason": reason, "dry_run": dry_run, "who": operator.who, "token": token_hex()}
    erased = _asked(operator, request, people)
    left, newest, waited_s, patience_s = _left(erased), erased, 0.0, LEAST_PAUSE_S
    while wait and left and not dry_run:
        pause_s = _pause_s(newest, datetime.now(UTC), patience_s)
        waited_s, patience_s = waited_s + pause_s, 2 * patience_s
        if waited_s > LONGEST_WAIT_S:
            break
        with console.status(_("waiting for files that are in use: {number:,}", number=len(left))):
            time.sleep(pause_s)
        newest = _asked(operator, request, people)
        erased, left = [*erased, *newest], _left(newest)
    answer = {"model": model, "people": len(people), "dry_run": dry_run, "left": left, "erasures": erased}
    show(answer, erasure_screen, as_json=as_json)
    if left and not dry_run:
        raise typer.Exit(1)


def _asked(operator: "Operator", request: dict[str, Any], people: Sequence[str]) -> list[dict[str, Any]]:
    """Return the records of an erasure, one for each part of the people.

    A dry run has one for each call.
    """
    go = _rehearsed if request["dry_run"] else _until_ended
    with console.status(_("looking through everything stored")):
        parts = batched(people, IDS_A_CALL, strict=False)
        return [record for some in parts for record in go(operator, request | {"ids": some})]


def _rehearsed(operator: "Operator", request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield what each call of a dry run would remove.

    The next one begins where it stopped.
    """
    after: Mapping[str, Any] | None = {"step": "", "place": ""}
    while after:
        record = operator.ask("Erasure", {**request, "after": after})
        yield record
        after = record["reached"] and {name: record["reached"][name] for name in ("step", "place")}


def _until_ended(operator: "Operator", request: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the record of an erasure, which may take several calls.

    One that was killed goes on where it stopped.

    Raises:
        FunctionFailedError: if calls failed several times in a row.
    """
    from infra.cli.operator import FunctionFailedError

    failed = 0
    while True:
        try:
            record = operator.ask("Erasure", request)
        except FunctionFailedError:
            failed += 1
            if failed == TRIES:
                raise
            continue
        if record["ended_at"]:
            yield record
            return
        failed = 0


def _left(records: Sequence[dict[str, Any]]) -> list[str]:
    return sorted({key for record in records for key in record["left"]})


def _pause_s(records: Sequence[dict[str, Any]], now: datetime, patience_s: float) -> float:
    """Return the seconds until the first file may go.

    Nobody knows when those without a time are worked off, so they are looked at after `patience_s` seconds.
    """
    known = {key: datetime.fromisoformat(until) for record in records for key, until in record["left_until"].items()}
    pauses = [(known[key] - now).total_seconds() if key in known else patience_s for key in _left(records)]
    return max(LEAST_PAUSE_S, min(pauses))


def ids_in(file: Path, spec: "ModelSpec") -> list[str]:
    """Return the ids in a file, each once, as batches have them.

    Raises:
        InputError: if there are none, or a row has none.
    """
    from functions.shared.reading.files import read_table
    from functions.shared.reading.readable import LocalFile
    from functions.shared.reading.rules import ColumnKind

    read = read_table(LocalFile(file), key=file.name, columns={spec.id_column: ColumnKind.ID}, formats=spec.formats)
    if read.rejected:
        first = read.rejected[0]
        others = f"; and {len(read.rejected) - 1:,} more" if len(read.rejected) > 1 else ""
        message = f"{file}: row {first.row} cannot be read: {first.message}{others}"
        raise InputError(message, remedy="mend these rows, or take them out", code="unreadable_ids")
    found: dict[str, Any] = dict.fromkeys(read.table[spec.id_column].to_pylist())
    return list(found)
