"""`everscore init`: a project of your own, to change, build and deploy."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from functions.shared.domain.errors import InputError
from infra.cli.options import AsJson, show
from infra.places import CODE, ROOT
from infra.words import _

OF_THE_PROJECT = (
    *("template.yaml", "samconfig.toml", ".dockerignore", "events/**/*.json"),
    *("requirements/functions.txt", "requirements/catboost.txt"),
)
OF_THE_CODE = (
    "functions/Dockerfile",
    "functions/**/*.py",
    "functions/**/*.[ch]",
    "infra/existing-buckets.yaml",
    "infra/mlflow.yaml",
    "infra/state_machines/*.asl.yaml",
)

app = typer.Typer()


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the new project; created if missing.", file_okay=False)] = Path(),
    as_json: AsJson = False,
) -> None:
    """Write a project of your own to a folder, to change and deploy.

    It holds the template, settings, sample events and functions.
    """
    files = lay_down(folder)
    show({"folder": str(folder), "files": files}, _screen, as_json=as_json)


def lay_down(folder: Path) -> int:
    """Copy the project's files into a folder and return their number.

    Raises:
        InputError: if one of them is there already; nothing is written then.
    """
    files = [(root / path, folder / path) for root, path in _files()]
    if taken := [target for _, target in files if target.exists()]:
        raise InputError(f"{taken[0]} exists already", remedy="name an empty folder, as in `everscore init my-scoring`", code="exists")
    for source, target in files:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return len(files)


def _files() -> Iterator[tuple[Path, Path]]:
    for root, patterns in ((ROOT, OF_THE_PROJECT), (CODE, OF_THE_CODE)):
        for pattern in patterns:
            yield from ((root, path.relative_to(root)) for path in sorted(root.glob(pattern)))


def _screen(answer: dict[str, object]) -> str:
    lines = (
        _("{files} files in {folder}. Next, in that folder:", **answer),
        f"  everscore local up --detach                  {_('runs it on this machine')}",
        f"  everscore deploy dev                         {_('deploys it to AWS, as samconfig.toml says')}",
    )
    return "\n".join(lines)
