"""A store's objects as the files of tables' metadata."""

import io
from collections.abc import Callable
from typing import Any

from pyiceberg.io import FileIO, InputFile, OutputFile
from pyiceberg.typedef import EMPTY_DICT

from functions.shared.domain.errors import NotFoundError
from functions.shared.ports import ObjectStore

STORE, ROOT = "everscore.store", "everscore.root"
"""Properties of a catalogue: its store, and where its keys begin, such as `s3://bucket/`."""


def through_store(store: ObjectStore, root: str) -> dict[str, Any]:
    """Return properties of a catalogue whose files lie in a store."""
    return {"py-io-impl": f"{StoreIO.__module__}.{StoreIO.__name__}", STORE: store, ROOT: root}


class StoreIO(FileIO):
    """Read and write files below a root, through the store.

    The store retries, and needs no other permissions than its own.
    """

    def __init__(self, properties: dict[str, Any] = EMPTY_DICT) -> None:
        super().__init__(properties)
        self._store: ObjectStore = properties[STORE]
        self._root: str = properties[ROOT]

    def new_input(self, location: str) -> InputFile:
        """Return a file to read."""
        return _In(location, self._store, self._key(location))

    def new_output(self, location: str) -> OutputFile:
        """Return a file to write."""
        return _Out(location, self._store, self._key(location))

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Delete a file; one that is absent is no error."""
        self._store.delete([self._key(location if isinstance(location, str) else location.location)])

    def _key(self, location: str) -> str:
        """Return a file's key in the store.

        Raises:
            FileNotFoundError: if the location is in another store, where nothing may be asked for.
        """
        if not location.startswith(self._root):
            raise FileNotFoundError(location)
        return location.removeprefix(self._root)


class _Stored:
    """What a file to read and a file to write have in common."""

    def __init__(self, location: str, store: ObjectStore, key: str) -> None:
        super().__init__(location)  # type: ignore[call-arg]
        self._store, self._key = store, key

    def __len__(self) -> int:
        return self._store.info(self._key).bytes

    def exists(self) -> bool:
        return _exists(self._store, self._key)


class _In(_Stored, InputFile):
    def open(self, seekable: bool = True) -> io.BytesIO:  # noqa: ARG002, FBT001, FBT002 - pyiceberg's signature
        try:
            return io.BytesIO(self._store.read(self._key))
        except NotFoundError as error:
            raise FileNotFoundError(self.location) from error


class _Out(_Stored, OutputFile):
    def to_input_file(self) -> InputFile:
        return _In(self.location, self._store, self._key)

    def create(self, overwrite: bool = False) -> io.BytesIO:  # noqa: ARG002, FBT001, FBT002 - names are never used twice
        return _Written(lambda body: self._store.write(self._key, body))


class _Written(io.BytesIO):
    """What was written when it is closed."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        super().__init__()
        self._write = write

    def close(self) -> None:
        if not self.closed:
            body = self.getvalue()
            super().close()
            self._write(body)


def _exists(store: ObjectStore, key: str) -> bool:
    try:
        store.info(key)
    except NotFoundError:
        return False
    return True
