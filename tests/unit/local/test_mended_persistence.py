"""What ministack keeps on disk: each service's file is written by one thread at a time, and a failure is tried again."""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from infra.local import mended_persistence
from infra.local.mended_persistence import save_all, save_changed, write_one_at_a_time


class Persistence(ModuleType):
    """ministack's module, whose `save_state` writes `sqs.json.tmp` and then puts it in place; what fails is only logged."""

    def __init__(self, folder: Path) -> None:
        super().__init__("ministack.core.persistence")
        self.STATE_DIR, self.full = str(folder), False
        self.meanwhile = time.time
        self._json_default = str

    def save_state(self, name: str, state: Any) -> None:
        path = Path(self.STATE_DIR, f"{name}.json")
        beginning, end = (text := json.dumps(state))[:5], text[5:]
        try:
            with (path.with_suffix(".json.tmp")).open("w") as file:
                file.write(beginning)
                file.flush()
                self.meanwhile()
                file.write(end)
            self._full_disk()
            os.replace(path.with_suffix(".json.tmp"), path)  # noqa: PTH105 - as ministack does
        except OSError:
            path.with_suffix(".json.tmp").unlink(missing_ok=True)

    def _full_disk(self) -> None:
        if self.full:
            raise OSError(28, "No space left on device")

    def kept(self) -> Any:
        return json.loads(Path(self.STATE_DIR, "sqs.json").read_text())


@pytest.fixture
def queues() -> SimpleNamespace:
    """The service's state."""
    return SimpleNamespace(state={"messages": ["first"]})


@pytest.fixture
def persistence(tmp_path: Path, queues: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Persistence:
    made = Persistence(tmp_path)
    service, application = ModuleType("ministack.services.sqs"), ModuleType("ministack.app")
    service.get_state = lambda: dict(queues.state)  # type: ignore[attr-defined]
    application._build_persistence_save_dict = lambda: {"sqs": service.get_state}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ministack.core.persistence", made)
    monkeypatch.setitem(sys.modules, "ministack.services.sqs", service)
    monkeypatch.setitem(sys.modules, "ministack.app", application)
    monkeypatch.setattr(mended_persistence, "_LOCKS", {})
    return made


def test_two_threads_that_save_at_once_leave_a_whole_file_with_the_newer_state(persistence: Persistence, queues: SimpleNamespace) -> None:
    write_one_at_a_time()
    begun, go_on = Event(), Event()

    def slowly() -> float:
        begun.set()
        go_on.wait(timeout=0.2)  # nobody sets it; another that may write does so meanwhile
        return 0.0

    persistence.meanwhile = slowly
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(save_all)
        begun.wait(timeout=10)
        queues.state = {"messages": ["first", "second"]}
        second = threads.submit(save_changed, ["sqs"], {})
        first.result()
        assert second.result()
    assert persistence.kept() == {"messages": ["first", "second"]}
    assert not list(Path(persistence.STATE_DIR).glob("*.tmp"))


def test_a_state_that_could_not_be_written_is_not_taken_for_saved(persistence: Persistence, queues: SimpleNamespace) -> None:
    saved: dict[str, str] = {}
    assert save_changed(["sqs"], saved)
    persistence.full, queues.state = True, {"messages": ["first", "second"]}
    assert not save_changed(["sqs"], saved)
    persistence.full = False
    assert save_changed(["sqs"], saved), "the same state is written once there is room again"
    assert persistence.kept() == {"messages": ["first", "second"]}


def test_what_has_not_changed_is_not_written_again(persistence: Persistence) -> None:
    saved: dict[str, str] = {}
    save_changed(["sqs"], saved)
    persistence.full = True
    assert save_changed(["sqs"], saved), "nothing was to be written"
