"""`everscore data`: the training sets of a model's versions."""

from pathlib import Path
from typing import Annotated, Any

import typer

from functions.shared.domain.decision import Decision, Snapshot
from functions.shared.domain.dvc import dvc_pointer
from functions.shared.domain.errors import InputError
from functions.shared.ports import ObjectStore
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.snapshots import Snapshots
from infra.cli.names import looked_up
from infra.cli.options import AsJson, Model, StackName, show
from infra.cli.outputs import refuse_unwritable, whole_file
from infra.cli.screens.data import checkout_screen, diff_screen, pointer_screen, snapshots_screen

app = typer.Typer(help="Training sets of a model's versions: DVC directories with one Parquet file per month.", no_args_is_help=True)

Version = Annotated[str, typer.Argument(help="Version of the model.")]


@app.command()
def log(model: Model, stack: StackName = None, as_json: AsJson = False) -> None:
    """List the training sets of all versions."""
    from infra.cli.operator import connect

    store = connect(stack).store
    looked_up(model, store)
    decisions = Decisions(store).all(model)
    show({"model": model, "snapshots": [_entry(decision) for decision in decisions]}, snapshots_screen, as_json=as_json)


def _entry(decision: Decision) -> dict[str, Any]:
    return {
        "version": decision.challenger_version,
        "made_at": decision.decided_at.isoformat(),
        "trigger": decision.trigger,
        "erased_rows": decision.erased_rows,
        **decision.snapshot.model_dump(mode="json"),
    }


@app.command()
def checkout(
    model: Model,
    version: Version,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Folder to create (default: MODEL-vVERSION).")] = None,
    pointer: Annotated[
        bool, typer.Option("--pointer", help="Write a DVC pointer instead, for `dvc pull` (default file: MODEL.dvc).")
    ] = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Write a version's training set to a folder, and check each file's digest."""
    from infra.cli.operator import connect

    store = connect(stack).store
    decision = _decision(model, version, store)
    if pointer:
        written = _write_pointer(out or Path(f"{model}.dvc"), decision.snapshot)
        show({"model": model, "version": version, **written}, pointer_screen, as_json=as_json)
        return
    folder = out or Path(f"{model}-v{version}")
    if folder.exists():
        raise InputError(f"{folder} exists already", remedy="name another folder with -o", code="exists")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(folder) as whole:
        whole.mkdir()
        for name, body in Snapshots(store).files(decision.snapshot.md5):
            (whole / name).write_bytes(body)
    answer = {"model": model, "version": version, "folder": str(folder), "files": decision.snapshot.files, "rows": decision.snapshot.rows}
    show(answer, checkout_screen, as_json=as_json)


def _write_pointer(file: Path, snapshot: Snapshot) -> dict[str, Any]:
    """Write DVC's pointer over the one before it.

    So git has one file, whose versions are the model's.
    """
    if file.suffix != ".dvc":
        message = f"{file} cannot be a pointer: DVC reads only files whose names end in .dvc"
        raise InputError(message, remedy=f"write it with -o {file.name}.dvc", code="unknown_ending")
    refuse_unwritable(file)
    pointer = dvc_pointer(snapshot.md5, size_bytes=snapshot.bytes, files=snapshot.files, path=file.stem)
    with whole_file(file) as whole:
        whole.write_bytes(pointer)
    return {"pointer": str(file), "folder": str(file.with_suffix("")), "files": snapshot.files, "rows": snapshot.rows}


@app.command()
def diff(
    model: Model,
    old: Annotated[str, typer.Argument(help="Version to compare with.")],
    new: Annotated[str, typer.Argument(help="Version to compare.")],
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Compare two versions' training sets: rows, labels, columns, distributions."""
    from infra.cli.operator import connect
    from infra.cli.snapshot_diff import compare_snapshots

    operator = connect(stack)
    decisions = [_decision(model, version, operator.store) for version in (old, new)]
    sets = [Snapshots(operator.store).read(decision.snapshot.md5) for decision in decisions]
    spec = operator.spec_of(model, old)
    answer = {"model": model, "old": old, "new": new, **compare_snapshots(spec, *sets)}
    show(answer, diff_screen, as_json=as_json)


def _decision(model: str, version: str, store: ObjectStore) -> Decision:
    looked_up(model, store)
    decision = Decisions(store).of(model, version)
    if decision is None:
        known = ", ".join(decision.challenger_version for decision in Decisions(store).all(model)) or "none"
        raise InputError(
            f"model {model!r} has no version {version!r}", remedy=f"choose one of its versions: {known}", code="unknown_version"
        )
    return decision
