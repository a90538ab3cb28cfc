"""Commands that upload files: batches to score, and labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from functions.shared.domain import layout
from functions.shared.domain.errors import InputError, NotFoundError, code_of
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.domain.rejections import FileCode
from functions.shared.domain.release import Role
from functions.shared.domain.spec import checked_model_name
from infra.cli.converted import converted
from infra.cli.formats import SentEncoding, Sheet
from infra.cli.names import looked_up
from infra.cli.options import AsJson, File, Model, New, Overwrite, StackName, console, say, show
from infra.cli.outputs import ending_of, refuse_existing, refuse_unwritable, whole_file
from infra.cli.screens.batches import (
    labels_screen,
    manifest_screen,
    quarantine_screen,
    rescored_screen,
    uploaded_screen,
    verification_screen,
)
from infra.words import _, counted

if TYPE_CHECKING:
    from functions.shared.ports import ObjectInfo, ObjectStore
    from infra.cli.operator import Operator

app = typer.Typer()

_SUSPECT = 3
"""Exit code of a command whose result a person should check before it is used."""


@app.command()
def score(
    context: typer.Context,
    model: Model,
    file: File,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Wait, and write the scored rows to this file: .parquet, .csv or .xlsx.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the batch is scored and show the result.")] = False,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline", help="Score on this machine with the same code; only OUT is written, and OUT.quarantine.jsonl for rows set aside."
        ),
    ] = False,
    partition_bytes: Annotated[
        int | None, typer.Option(min=1, max=10**15 - 1, help="Score the file in partitions of about this many bytes, even if it is small.")
    ] = None,
    new: New = False,
    encoding: SentEncoding = None,
    sheet: Sheet = None,
    overwrite: Overwrite = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Upload a file of rows to score."""
    from infra.cli.operator import connect

    if offline and partition_bytes:
        message = "--partition-bytes works on a stack only, not with --offline"
        raise InputError(message, remedy="leave one of the two options out", code="usage")
    if out is not None:
        _refuse_out(out, file, overwrite=overwrite)
    operator = connect(stack)
    if new:
        checked_model_name(model)
    else:
        _refuse_unserved(model, operator.store)
    file = context.with_resource(converted(file, encoding=encoding or operator.encoding_for(model, file), sheet=sheet))
    if offline:
        _show(_scored_here(model, file, out, operator), as_json=as_json, out=out, offline=True)
        return
    plain = layout.in_inbox(layout.BATCHES, model, file.name)
    key = layout.partitioned_key(model, partition_bytes, file.name) if partition_bytes else plain
    uploaded = operator.upload_file(key, file, console)
    if out is None and not wait:
        answer = {"key": uploaded.key, "version_id": uploaded.version_id}
        show(answer, uploaded_screen, as_json=as_json)
        return
    manifest = _awaited(uploaded, model, operator)
    _write_out(manifest, out, operator)
    _show(manifest, as_json=as_json, out=out)


def _scored_here(model: str, file: Path, out: Path | None, operator: "Operator") -> Manifest:
    """Score a file on this machine into `out`."""
    from infra.cli.offline import score_offline

    if out is None:
        raise InputError("--offline needs a file to write the scored rows to", remedy="add -o OUT.parquet", code="usage")
    with console.status(_("scoring")):
        return score_offline(model, file, out, releases=operator.store, console=console)


def _awaited(uploaded: "ObjectInfo", model: str, operator: "Operator") -> Manifest:
    """Wait until an upload is scored."""
    try:
        with console.status(_("scoring")):
            return operator.await_manifest(uploaded, timeout_s=300 + uploaded.bytes / 2**20)
    except KeyboardInterrupt:
        stands = _("{key} is uploaded and will be scored all the same; `everscore status {model}` shows it", key=uploaded.key, model=model)
        say(stands)
        raise


def _write_out(manifest: Manifest, out: Path | None, operator: "Operator") -> None:
    """Write a batch's scored rows to `out`, where one was named and there are any.

    Raises:
        InputError: if the file cannot hold them; the batch is scored all the same.
    """
    from infra.cli.scored_rows import write_scored

    if out is None or not manifest.release or not manifest.outputs:
        return
    spec = operator.spec_of(manifest.model, manifest.release.champion)
    try:
        write_scored([manifest], out, download=operator.download, console=console, spec=spec)
    except InputError as error:
        model, batch, other = manifest.model, manifest.batch_id[:8], out.with_suffix(".parquet")
        remedy = f"the batch is scored: `everscore fetch {model} {batch} -o {other}` writes its rows"
        raise InputError(error.message, remedy=remedy, code=error.code) from error


def _refuse_unserved(model: str, store: "ObjectStore") -> None:
    """Check that a batch of this model can be scored."""
    release = looked_up(model, store, otherwise="--new uploads the file for a model that is trained later")
    if release.retired:
        message = f"model {model!r} was retired: {release.reason}"
        remedy = f"`everscore promote {model} {release.champion.version}` brings it back"
        raise InputError(message, remedy=remedy, code=FileCode.RETIRED)


def _refuse_out(out: Path, file: Path, *, overwrite: bool) -> None:
    """Check that the scored rows of `file` can be written to `out`."""
    ending_of(out)
    if out.exists() and out.samefile(file):
        raise InputError(f"{out} holds the rows to score and would be lost", remedy="name another file with -o", code="exists")
    refuse_unwritable(out)
    refuse_existing(out, overwrite=overwrite)


def _show(manifest: Manifest, *, as_json: bool, out: Path | None = None, **besides: object) -> None:
    """Show a manifest; exit with 2 if the batch failed, with 3 if it is suspect.

    The user can fix what exits with 2.
    """
    shown: dict[str, Any] = manifest.model_dump(mode="json", exclude={"profiles", "agreement"}) | besides
    show(shown, manifest_screen, as_json=as_json)
    if out is not None and manifest.outputs:
        say(_("scored rows: {file}", file=out))
    if manifest.status is Status.FAILED:
        raise typer.Exit(2)
    if manifest.status is Status.SUSPECT or not manifest.rows_scored:
        doubt = _(
            "warning: quarantined {quarantined:,} of {rows}: check them before you use the scores",
            quarantined=manifest.rows_quarantined,
            rows=counted(manifest.rows_in, "rows"),
        )
        say(doubt, "yellow")
        raise typer.Exit(_SUSPECT)


@app.command()
def replay(
    context: typer.Context,
    model: Model,
    batch_id: Annotated[str, typer.Argument(help="Batch id, or the beginning of it.")],
    file: Annotated[Path | None, typer.Argument(help="File of mended rows to score.", exists=True, dir_okay=False)] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File for the rows to mend or, with FILE, for the scored rows.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Score the file even if it was replayed before.")] = False,
    encoding: SentEncoding = None,
    sheet: Sheet = None,
    overwrite: Overwrite = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Write a batch's quarantined rows to a file, to mend.

    With FILE, score the mended rows as a replay of the batch.

    The rows are written exactly as they came. Mend them in a text editor: a spreadsheet runs what looks like a formula,
    and changes ids and times when it saves. A file that was replayed before is not scored twice.
    """
    from infra.cli.operator import connect
    from infra.cli.replay import quarantined_file, refuse_other_format, replayed

    if out is not None:
        refuse_unwritable(out) if file is None else _refuse_out(out, file, overwrite=overwrite)
    operator = connect(stack)
    release = operator.release_of(model)
    manifest = operator.manifest_of(model, batch_id)
    if file is not None:
        sent = context.with_resource(converted(file, encoding=encoding, sheet=sheet))
        usual = operator.spec_of(model, release.champion.version).formats.encoding
        with console.status(_("scoring")):
            ended, known = replayed(manifest, sent, inbox=operator.inbox, manifest_of=operator.await_manifest, encoding=usual, again=again)
        if known:
            note = _("{file} was replayed before, with this result; --again scores it once more", file=file)
            say(note)
        _write_out(ended, out, operator)
        _show(ended, as_json=as_json, out=out, replayed_before=known)
        return
    ending, body = quarantined_file(manifest, inbox=operator.inbox, store=operator.store)
    out = out or Path(f"{manifest.batch_id[:8]}-quarantined{ending}")
    refuse_other_format(out, ending)
    if out.exists() and not overwrite:
        remedy = f"send it with `everscore replay {model} {batch_id} {out}`, or name another file with -o"
        raise InputError(f"{out} exists already", remedy=remedy, code="exists")
    with whole_file(out) as whole:
        whole.write_bytes(body)
    answer = {"model": model, "batch_id": manifest.batch_id, "file": str(out), "rows": manifest.rows_quarantined}
    show(answer, quarantine_screen, as_json=as_json)


@app.command()
def rescore(
    model: Model,
    batch_id: Annotated[str | None, typer.Argument(help="Batch id, or the beginning of it.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only check: score with the original release, compare byte by byte, store nothing.")
    ] = False,
    withdrawn: Annotated[
        bool, typer.Option("--withdrawn", help="Score all batches again in which the last withdrawn challenger answered rows.")
    ] = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Score a batch again with the version that serves now.

    The new result replaces the old one.
    """
    from infra.cli.operator import connect

    if (batch_id is None) != withdrawn or (withdrawn and verify):
        message = "a batch id or --withdrawn is needed" if batch_id is None else "a batch id and --withdrawn exclude each other"
        if withdrawn and verify:
            message = "--verify works on one batch, not with --withdrawn"
        raise InputError(message, remedy="give a batch id, or --withdrawn alone", code="usage")
    operator = connect(stack)
    operator.release_of(model)
    if batch_id is None:
        answer = _rescored_withdrawn(operator, model)
        show(answer, rescored_screen, as_json=as_json)
        if answer["refused"]:
            raise typer.Exit(2)
        return
    batch = operator.manifest_of(model, batch_id).batch_id
    if not verify:
        show(_rescored(operator, model, batch), manifest_screen, as_json=as_json)
        return
    with console.status(_("scoring again")):
        found = operator.ask("Scoring", {"action": "verify", "model": model, "batch_id": batch})
    show(found, verification_screen, as_json=as_json)
    if not found["identical"]:
        raise typer.Exit(1)


def _rescored(operator: "Operator", model: str, batch: str) -> dict[str, Any]:
    with console.status(_("scoring {batch} again", batch=batch[:8])):
        return operator.ask("Scoring", {"action": "rescore", "model": model, "batch_id": batch})


def _rescored_withdrawn(operator: "Operator", model: str) -> dict[str, Any]:
    """Score the withdrawn challenger's batches again; list those that cannot be.

    Such batches were scored in partitions, or their uploads have expired.
    """
    from infra.cli.operator import FunctionFailedError

    rescored, refused = [], []
    for batch in answered_by_withdrawn(model, operator.store):
        try:
            rescored.append(_rescored(operator, model, batch))
        except (InputError, FunctionFailedError) as error:
            if isinstance(error, FunctionFailedError) and error.code != code_of(NotFoundError.__name__):
                raise
            refused.append({"batch_id": batch, "error": error.message, "code": error.code, "remedy": error.remedy})
    return {"model": model, "rescored": rescored, "refused": refused}


def answered_by_withdrawn(model: str, store: "ObjectStore") -> list[str]:
    """Return the batches that the last withdrawn challenger answered.

    Batches whose uploads were erased are left out.

    Manifests decide, not the release's list: batches that were under way when it was made have ended since.

    Raises:
        InputError: if no challenger was ever withdrawn.
    """
    from functions.shared.repositories.manifests import Manifests
    from functions.shared.repositories.releases import Releases

    releases = Releases(store)
    ends = [release.seq for release in releases.history(model) if release.withdrawn]
    if not ends:
        message = f"no challenger of {model!r} was ever withdrawn"
        raise InputError(message, remedy=f"name the batch: `everscore rescore {model} BATCH_ID`", code="nothing_withdrawn")
    rollout = [release.seq for release in releases.rollout(releases.at(model, ends[-1] - 1))]
    began = store.info(layout.release_history_key(model, rollout[0])).last_modified
    return [
        manifest.batch_id
        for manifest in Manifests(store).written_since(model, began)
        if manifest.release and manifest.release.seq in rollout and manifest.served.get(Role.CHALLENGER) and not manifest.rows_erased
    ]


@app.command()
def labels(
    context: typer.Context,
    model: Model,
    file: File,
    encoding: SentEncoding = None,
    sheet: Sheet = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Upload labels: a file with the id and target columns.

    A time column makes the match exact where ids come up again.
    """
    from infra.cli.label_file import look_at_labels
    from infra.cli.operator import connect

    operator = connect(stack)
    spec = operator.spec_of(model, operator.release_of(model).champion.version)
    file = context.with_resource(converted(file, encoding=encoding or operator.encoding_for(model, file), sheet=sheet))
    found = look_at_labels(file, spec)
    uploaded = operator.upload_file(layout.in_inbox(layout.LABELS, model, file.name), file, console)
    show({"key": uploaded.key, "version_id": uploaded.version_id, **found}, labels_screen, as_json=as_json)
