"""State folders of embedded stacks: name, recognise and remove them.

Their home may hold other files too, which are never touched.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from functions.shared.domain.document import Document
from functions.shared.domain.errors import EmbeddedAwsError, InvalidNameError, NewerSchemaError

CLAIM, STACK = ".everscore-stack.json", "stack.json"
LOCK = ".lock"
"""Lock in the home, held while folders are made or cleared."""

_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?")


class Claim(Document):
    """The mark of a folder that was made for the stack of this name.

    A copy of the folder has another name and is not ours.

    `kept` is whether a user needs what the stack holds, unlike a demo's or a test's.
    """

    name: str
    kept: bool


class _Deployed(Document):
    """The fields of `stack.json` that are older than claims."""

    name: str


def checked_stack_name(text: str) -> str:
    """Return an embedded stack's name, which names its folder and resources.

    Raises:
        InvalidNameError: if a stack cannot have this name.

    >>> checked_stack_name("churn-2")
    'churn-2'
    """
    if not _NAME.fullmatch(text):
        remedy = "use 1 to 32 lower-case letters, digits and hyphens, beginning with a letter"
        raise InvalidNameError(f"{text!r} cannot name a stack", remedy=remedy)
    return text


def stacks_home() -> Path:
    """Return the folder of all state folders.

    It is $EVERSCORE_HOME, or else `everscore` in $XDG_STATE_HOME or ~/.local/state.
    """
    if home := os.environ.get("EVERSCORE_HOME"):
        return Path(home).absolute()
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "everscore"


def make_folder(folder: Path, *, kept: bool) -> None:
    """Make a folder, and mark it as ours."""
    folder.mkdir()
    write_whole(folder / CLAIM, Claim(name=folder.name, kept=kept).to_json())


def our_folders() -> Iterator[Path]:
    """Yield the state folders of all stacks, by name."""
    home = stacks_home()
    return (folder for folder in (sorted(home.iterdir()) if home.is_dir() else ()) if is_ours(folder))


def other_names() -> list[str]:
    """Return the names of other files in the home."""
    home = stacks_home()
    return sorted(path.name for path in home.iterdir() if path.name != LOCK and not is_ours(path)) if home.is_dir() else []


def is_ours(folder: Path) -> bool:
    """Return whether Everscore made a folder: by its name and a file in it.

    The file is the claim. Folders of earlier versions have none, but `stack.json` if their stack came up.
    """
    if not _NAME.fullmatch(folder.name) or folder.is_symlink() or not folder.is_dir():
        return False
    claim = claim_of(folder) or read_state(folder / STACK, _Deployed)
    return claim is not None and claim.name == folder.name


def claim_of(folder: Path) -> Claim | None:
    """Return a folder's claim; None if it is absent or damaged."""
    return read_state(folder / CLAIM, Claim)


def read_state[D: Document](path: Path, kind: type[D]) -> D | None:
    """Read a document in a state folder.

    It is None if absent, damaged or of a later version.
    """
    try:
        return kind.from_json(path.read_bytes())
    except (OSError, ValidationError, NewerSchemaError):
        return None


def write_whole(path: Path, body: bytes) -> None:
    """Write a file that is never half written, even if the machine ends."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def remove_folder(folder: Path) -> None:
    """Remove a state folder; nothing happens if it is gone or not ours.

    Even after an interrupt, the rest is still marked as ours and as no stack: `stack.json` goes first, the claim last.

    Raises:
        EmbeddedAwsError: if something in it cannot be removed.
    """
    if not is_ours(folder):
        return
    write_whole(folder / CLAIM, Claim(name=folder.name, kept=False).to_json())
    try:
        (folder / STACK).unlink(missing_ok=True)
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != CLAIM:
                path.unlink()
        (folder / CLAIM).unlink()
        folder.rmdir()
    except OSError as error:
        message = f"{folder} could not be removed whole: {error}"
        raise EmbeddedAwsError(message) from error
