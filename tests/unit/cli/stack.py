"""A stack as the command sees it, in memory."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from functions.shared.domain import layout
from infra.cli.operator import Operator
from tests.fakes.documents import make_release
from tests.fakes.memory_store import MemoryStore


class Stack(Operator):
    """Two buckets in memory, and functions that nobody may ask."""

    def __init__(self, *serving: str, inbox: MemoryStore | None = None, store: MemoryStore | None = None) -> None:
        session: Any = SimpleNamespace(client=lambda *_, **__: None)
        super().__init__(session, "http://127.0.0.1", {"InboxBucket": "inbox", "StoreBucket": "store"}, name="everscore")
        self.inbox, self.store = inbox or MemoryStore("inbox"), store or MemoryStore("store")
        for model in serving:
            self.store.write(layout.release_key(model), make_release(model=model).to_json())

    def download(self, key: str, file: Path) -> None:
        """Write an object of the store to a file."""
        file.write_bytes(self.store.read(key))
