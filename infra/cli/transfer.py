"""Commands that bring a version from one stack to another."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from functions.shared.domain.errors import ConflictError, InputError
from infra.cli.options import AsJson, Model, Overwrite, StackName, console, say, show
from infra.cli.outputs import refuse_existing, refuse_unwritable, whole_file
from infra.cli.screens.transfer import exported_screen, imported_screen
from infra.words import _

if TYPE_CHECKING:
    from functions.shared.ports import ObjectInfo
    from infra.cli.operator import Operator

app = typer.Typer()

Version = Annotated[str, typer.Argument(help="Version of the model.")]
WithData = Annotated[bool, typer.Option("--data", help="Take the training set along, so that the version can be retrained and reproduced.")]


@app.command(name="export")
def export_(
    model: Model,
    version: Version,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="File to write (default: MODEL-VERSION.everscore).", dir_okay=False)
    ] = None,
    data: WithData = False,
    sign_with: Annotated[str | None, typer.Option("--sign-with", help="Key of AWS KMS that signs the file: id, ARN or alias.")] = None,
    overwrite: Overwrite = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Write a version to one sealed file, for `everscore import` into another stack.

    The file holds up to 2,000 training rows, without ids and labels, on which the other stack proves the version.
    """
    from infra.cli.operator import connect

    file = out or Path(f"{model}-{version}.everscore")
    refuse_unwritable(file)
    refuse_existing(file, overwrite=overwrite)
    answer = _export(connect(stack), model, version, file, data=data, key=sign_with)
    show(answer, exported_screen, as_json=as_json)


@app.command(name="import")
def import_(
    file: Annotated[Path, typer.Argument(help="File from `everscore export`.", exists=True, dir_okay=False)],
    model: Annotated[str | None, typer.Option("--model", help="Name that the model gets in this stack (default: the one it had).")] = None,
    signed_by: Annotated[str | None, typer.Option("--signed-by", help="Key of AWS KMS that must have signed the file.")] = None,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Prove a version of another stack in this one's image, and release it.

    It becomes the first version, or begins a canary.
    """
    from infra.cli.operator import connect

    show(_import(connect(stack), file, model, key=signed_by), imported_screen, as_json=as_json)


@app.command()
def copy(
    model: Model,
    version: Version,
    source: Annotated[str, typer.Option("--from", help="Stack that has the version.")],
    target: Annotated[str, typer.Option("--to", help="Stack that shall have it.")],
    name: Annotated[str | None, typer.Option("--model", help="Name that the model gets in the stack --to (default: the same).")] = None,
    data: WithData = False,
    as_json: AsJson = False,
) -> None:
    """Export a version from one stack and import it into another."""
    from infra.cli.operator import connect

    there, here = connect(source), connect(target)
    with tempfile.TemporaryDirectory(prefix="everscore-") as folder:
        file = Path(folder, f"{model}-{version}.everscore")
        _export(there, model, version, file, data=data, key=None)
        show(_import(here, file, name, key=None), imported_screen, as_json=as_json)


def _export(operator: "Operator", model: str, version: str, file: Path, *, data: bool, key: str | None) -> dict[str, Any]:
    """Write a sealed file, in place of an earlier one only when it is whole."""
    from infra.cli.exporting import exportable, write_version
    from infra.cli.sealing import signed_by

    decision = exportable(model, version, operator.store)
    sign = None if key is None else partial(signed_by, key, kms=operator.client("kms"))
    with whole_file(file) as whole, console.status(_("packing version {version}", version=version)), whole.open("wb") as out:
        write_version(decision, out, operator.store, stack=operator.name, account=operator.account, data=data, sign=sign)
    with file.open("rb") as body:
        digest = hashlib.file_digest(body, "sha256").hexdigest()
    return {"file": str(file), "sha256": digest, "model": model, "version": version}


def _import(operator: "Operator", file: Path, name: str | None, *, key: str | None) -> dict[str, Any]:
    """Check a sealed file, upload it, have it imported, and remove the upload."""
    from functions.shared.domain import layout
    from functions.shared.domain.spec import checked_model_name
    from functions.shared.engines.sealed_version import open_sealed
    from functions.shared.repositories.releases import Releases
    from infra.cli.operator import wait_for
    from infra.cli.sealing import check_signature

    with file.open("rb") as body:
        opened = open_sealed(body)
        opened.check()
        if key is not None:
            check_signature(opened, key, operator.client("kms"))
    model = checked_model_name(name or opened.sealed.origin.model)
    with _uploaded(operator, layout.import_key(model, file.name), file) as uploaded:
        request = {"action": "import", "model": model, "key": uploaded.key, "version_id": uploaded.version_id}
        with console.status(_("proving the version in the stack's image")):
            made = operator.have_done("Retraining", request)
    with console.status(_("waiting for the release")):
        wait_for(lambda: Releases(operator.store).current(model), 60, f"release of {model}")
    decision: dict[str, Any] = made["decision"]
    return decision | {"signed_by": opened.signature.key if opened.signature else None, "signature_checked": key is not None}


@contextmanager
def _uploaded(operator: "Operator", key: str, file: Path) -> Iterator["ObjectInfo"]:
    """Upload a file for an import, and remove it after the function's answer.

    It may hold people's rows. Without an answer the import may still begin, so it stays.
    """
    from infra.cli.operator import FunctionFailedError

    uploaded = operator.upload_file(key, file, console)
    try:
        yield uploaded
    except (ConflictError, FunctionFailedError, InputError):
        operator.inbox.forget([uploaded])
        raise
    except BaseException:  # no answer, or Ctrl-C
        note = _(
            "the import may still begin, so its file stays at s3://{bucket}/{key}: delete it there, in all versions, after the import",
            bucket=operator.inbox.bucket,
            key=key,
        )
        say(note)
        raise
    operator.inbox.forget([uploaded])
