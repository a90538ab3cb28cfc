import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from functions.shared.domain import layout
from functions.shared.domain.errors import InputError
from infra.cli import operator
from infra.cli.report import app
from tests.fakes.documents import make_release
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL
from tests.unit.report.story import batch, write_batch


@pytest.fixture(autouse=True)
def stack(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    store.write(layout.release_key(MODEL), make_release().to_json())
    write_batch(store, batch(0, release=None, served={}, quarantined_by_reason={}))
    monkeypatch.setattr(operator, "connect", lambda _name: SimpleNamespace(store=store))


def test_the_page_is_written_and_its_path_shown(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    result = CliRunner().invoke(app, [MODEL, "-o", str(file), "--json"], catch_exceptions=False)
    assert json.loads(result.stdout) == {"model": MODEL, "report": str(file)}
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_folder_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: its folder does not exist"):
        CliRunner().invoke(app, [MODEL, "-o", str(tmp_path / "nowhere" / "page.html")], catch_exceptions=False)
