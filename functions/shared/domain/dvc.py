"""DVC's directory format: a JSON list of files by their content.

The list is itself stored by content; a person commits a pointer to it.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DvcFile:
    """One file of a DVC directory.

    It has its relative path, the md5 of its bytes in hex, and its size in bytes.
    """

    path: str
    md5: str
    bytes: int


@dataclass(frozen=True, slots=True)
class DvcDirectory:
    """A directory as DVC stores it.

    `md5` ends in `.dir`; `listing` is the object it names.
    """

    md5: str
    listing: bytes
    files: tuple[DvcFile, ...]

    @property
    def bytes(self) -> int:
        """Sum of the files' sizes."""
        return sum(file.bytes for file in self.files)


def dvc_file(path: str, body: bytes) -> DvcFile:
    """Describe a file by its content."""
    return DvcFile(path, hashlib.md5(body, usedforsecurity=False).hexdigest(), len(body))


def dvc_directory(files: Iterable[DvcFile]) -> DvcDirectory:
    """Describe a directory by its files, in order of path, as `dvc add DIR` would."""
    ordered = tuple(sorted(files, key=lambda file: file.path))
    listing = json.dumps([{"md5": file.md5, "relpath": file.path} for file in ordered]).encode()
    return DvcDirectory(f"{hashlib.md5(listing, usedforsecurity=False).hexdigest()}.dir", listing, ordered)


def parse_listing(listing: bytes) -> dict[str, str]:
    """md5 by path of a stored directory listing."""
    return {entry["relpath"]: entry["md5"] for entry in json.loads(listing)}


def dvc_pointer(md5: str, *, size_bytes: int, files: int, path: str) -> bytes:
    """Return the `.dvc` file by which `dvc pull` restores a directory at `path`."""
    lines = (
        "outs:",
        f"- md5: {md5}",
        f"  size: {size_bytes}",
        f"  nfiles: {files}",
        "  hash: md5",
        f"  path: {path}",
    )
    return "\n".join(lines).encode() + b"\n"
