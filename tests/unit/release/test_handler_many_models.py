"""A schedule's tick over many models: each has its turn, whatever becomes of the others."""

from threading import Event
from typing import Any

import pytest

from functions.release import handler
from functions.release.ports import Ports
from functions.shared.domain import layout
from functions.shared.foundation.fan_out import AT_ONCE
from functions.shared.ports import TrainingRun
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.releases import Releases
from tests.fakes.documents import NOW, make_decision, make_release
from tests.fakes.memory_registry import MemoryRegistry
from tests.fakes.memory_store import MemoryStore

MODELS = 100
SLOW, BROKEN = "model-003", "model-050"


class TroubledStore(MemoryStore):
    """A store that answers about one model when all others had their turn, and of another holds no release that can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_at: set[str] = set()
        self.others_done = Event()
        self.is_ticked = False

    def read_tagged(self, key: str) -> tuple[bytes, str]:
        if self.is_ticked and key == layout.release_key(SLOW):
            assert self.others_done.wait(timeout=20), "the slow model holds up others"
        return super().read_tagged(key)

    def list(self, prefix: str, *, after: str = "", most: int | None = None) -> Any:
        if self.is_ticked and prefix.startswith("policies/"):
            self.looked_at.add(prefix.split("/")[1])
            if len(self.looked_at) == MODELS - 2:
                self.others_done.set()
        return super().list(prefix, after=after, most=most)


def serving(store: MemoryStore, registry: MemoryRegistry, model: str) -> None:
    served = make_release().champion.model_copy(update={"prefix": layout.version_prefix(model, "1")})
    Releases(store).publish(make_release(model=model, champion=served), over=None)
    Decisions(store).write(make_decision("1", model=model, champion_version=None))
    registry.register(model, "1", TrainingRun(None, {}, {}, {}, {}))
    registry.set_aliases(model, {"champion": "1"})
    registry.set_sequence(model, 1)


def test_a_model_that_is_slow_and_one_that_is_broken_hold_up_none_of_a_hundred(monkeypatch: pytest.MonkeyPatch) -> None:
    store, registry = TroubledStore(), MemoryRegistry()
    names = [f"model-{number:03}" for number in range(MODELS)]
    for name in names:
        serving(store, registry, name)
    store.write(layout.release_key(BROKEN), b"not JSON")
    store.is_ticked = True
    monkeypatch.setattr(handler, "ports", lambda: Ports(store, registry, lambda: "name", lambda: NOW))
    with pytest.raises(ExceptionGroup, match=f"1 of {MODELS} models failed") as failed:
        handler.handler({"action": "tick"}, None)  # type: ignore[arg-type]
    assert [failure.__notes__ for failure in failed.value.exceptions] == [[f"model {BROKEN!r}"]]
    assert store.looked_at == {*names} - {BROKEN}
    assert MODELS > 2 * AT_ONCE
