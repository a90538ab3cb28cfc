"""The ids that a file asks to be erased, and whether somebody meant it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.shared.domain.errors import InputError
from infra.cli import erasure, operator
from infra.cli.erasure import ids_in
from infra.cli.operator import FunctionFailedError
from infra.cli.options import show
from infra.cli.screens.erasure import erasure_screen
from tests.fakes.documents import serve
from tests.fakes.versions import MODEL, make_version
from tests.unit.cli.stack import Stack
from tests.unit.cli.terminal import ended

SPEC = make_version().spec


def test_ids_are_read_once_each_from_any_format_as_batches_have_them(tmp_path: Path) -> None:
    csv, parquet = tmp_path / "ids.csv", tmp_path / "ids.parquet"
    csv.write_text("name;id\nAda;7\nBob; 8\nAda;7\n")
    pq.write_table(pa.table({"id": [7, 8, 7]}), parquet)
    assert ids_in(csv, SPEC) == ["7", " 8"]
    assert ids_in(parquet, SPEC) == ["7", "8"]


@pytest.mark.parametrize(("text", "said"), [("id,name\n,Ada\n", "cannot be read"), ("name\nAda\n", "'id'"), ("", "no bytes")])
def test_a_file_without_ids_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "ids.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=said):
        ids_in(file, SPEC)


class Erasing(Stack):
    """A stack that notes what it is asked to erase."""

    def __init__(self) -> None:
        super().__init__()
        serve(self.store, make_version())
        self.asked: list[Mapping[str, Any]] = []

    def ask(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        return {
            "erasure": "e",
            "rows": {},
            "versions": {},
            "uploads": [],
            "objects": 0,
            "left": [],
            "left_until": {},
            "ended_at": "2013-04-02",
            "reached": None,
        }


@pytest.fixture
def ids(tmp_path: Path) -> Path:
    file = tmp_path / "ids.csv"
    file.write_text("id\n7\n8\n")
    return file


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Erasing:
    made = Erasing()
    monkeypatch.setattr(operator, "connect", lambda _: made)
    return made


@pytest.mark.parametrize("form", ["", " --json"])
def test_where_nobody_can_be_asked_nothing_is_erased_without_yes(
    form: str, stack: Erasing, ids: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(f"erase {MODEL} --ids {ids}{form}", monkeypatch) == 2
    assert stack.asked == []
    assert "remedy: add --yes to remove them" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "code", "asked"), [("n", 1, 0), ("", 1, 0), ("y", 0, 1)])
def test_a_person_on_a_terminal_is_asked_first(
    answer: str, code: int, asked: int, stack: Erasing, ids: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ended(f"erase {MODEL} --ids {ids}", monkeypatch, types=answer) == code
    assert len(stack.asked) == asked


def test_with_yes_nobody_is_asked(stack: Erasing, ids: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(f"erase {MODEL} --ids {ids} --yes", monkeypatch) == 0
    assert [request["ids"] for request in stack.asked] == [("7", "8")]


def test_a_dry_run_asks_nobody_and_removes_nothing(stack: Erasing, ids: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ended(f"erase {MODEL} --ids {ids} --dry-run", monkeypatch) == 0
    assert [request["dry_run"] for request in stack.asked] == [True]


def test_a_dry_run_that_takes_several_calls_goes_on_where_it_stopped_and_adds_up(
    stack: Erasing, ids: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    places = iter([{"step": "batches", "place": "a"}, {"step": "uploads", "place": "b"}, None])

    def ask(_: str, request: Mapping[str, Any]) -> dict[str, Any]:
        seen = {"rows": {"scored": 2}, "uploads": ["batches/sales/a.csv"], "reached": next(places), "ended_at": None}
        return Erasing.ask(stack, "Erasure", request) | seen

    monkeypatch.setattr(stack, "ask", ask)
    assert ended(f"erase {MODEL} --ids {ids} --dry-run", monkeypatch) == 0
    assert [tuple(request["after"].values()) for request in stack.asked] == [("", ""), ("batches", "a"), ("uploads", "b")]
    assert "scored 6" in (reported := capsys.readouterr().out)
    assert "1 upload with such rows" in reported


@pytest.mark.parametrize(("flags", "code", "asked"), [("--wait", 0, 3), ("", 1, 1), ("--wait --dry-run", 0, 1)])
def test_with_wait_what_is_in_use_is_erased_when_it_may_go(
    flags: str, code: int, asked: int, stack: Erasing, ids: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = (datetime.now(UTC) + timedelta(minutes=40)).isoformat()
    left = iter([{"labels/a.csv": later}, {"batches/b.csv": None}, {}])
    pauses: list[float] = []

    def ask(_: str, request: Mapping[str, Any]) -> dict[str, Any]:
        found = next(left)
        until = {key: moment for key, moment in found.items() if moment}
        return Erasing.ask(stack, "Erasure", request) | {"left": list(found), "left_until": until}

    monkeypatch.setattr(stack, "ask", ask)
    monkeypatch.setattr(erasure.time, "sleep", pauses.append)
    assert ended(f"erase {MODEL} --ids {ids} --yes {flags}", monkeypatch) == code
    assert len(stack.asked) == asked
    assert pauses == ([pytest.approx(40 * 60, abs=30), 2 * erasure.LEAST_PAUSE_S] if asked > 1 else [])


def leaving(stack: Erasing, monkeypatch: pytest.MonkeyPatch, *answers: Mapping[str, timedelta | None]) -> list[float]:
    """Files that each erasure leaves, by when they may go; the last answer stays. Return the pauses to come."""
    begun, left, pauses = datetime.now(UTC), list(answers), list[float]()

    def ask(_: str, request: Mapping[str, Any]) -> dict[str, Any]:
        found = left.pop(0) if len(left) > 1 else left[0]
        until = {key: (begun + later).isoformat() for key, later in found.items() if later is not None}
        return Erasing.ask(stack, "Erasure", request) | {"left": list(found), "left_until": until}

    monkeypatch.setattr(stack, "ask", ask)
    monkeypatch.setattr(erasure.time, "sleep", pauses.append)
    return pauses


def test_labels_that_may_go_soon_do_not_wait_for_a_batch_that_may_go_in_weeks(
    stack: Erasing, ids: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    weeks = {"batches/half.csv": timedelta(days=15)}
    pauses = leaving(stack, monkeypatch, {"labels/a.csv": timedelta(minutes=5), **weeks}, weeks)
    assert ended(f"erase {MODEL} --ids {ids} --yes --wait", monkeypatch) == 1
    assert pauses == [pytest.approx(5 * 60, abs=30)]
    assert "batches/half.csv" in capsys.readouterr().out


def test_a_file_that_is_never_worked_off_is_given_up_after_70_minutes_and_named(
    stack: Erasing, ids: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pauses = leaving(stack, monkeypatch, {"batches/stuck.csv": None})
    assert ended(f"erase {MODEL} --ids {ids} --yes --wait", monkeypatch) == 1
    assert 30 * 60 <= sum(pauses) <= 70 * 60
    assert len(pauses) <= 10, "each look reads everything"
    assert "batches/stuck.csv" in capsys.readouterr().out


def test_an_erasure_that_takes_several_calls_is_asked_for_until_it_ends(
    stack: Erasing, ids: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = iter([None, None, FunctionFailedError("Task timed out"), None, "2013-04-02"])

    def ask(_: str, request: Mapping[str, Any]) -> dict[str, Any]:
        answer, end = Erasing.ask(stack, "Erasure", request), next(ends)
        if isinstance(end, FunctionFailedError):
            raise end
        return answer | {"ended_at": end}

    monkeypatch.setattr(stack, "ask", ask)
    assert ended(f"erase {MODEL} --ids {ids} --yes --json", monkeypatch) == 0
    assert len(stack.asked) == 5
    assert len({request["token"] for request in stack.asked}) == 1
    assert len(json.loads(capsys.readouterr().out)["erasures"]) == 1


def test_an_erasure_that_fails_each_time_is_given_up(stack: Erasing, ids: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(_: str, request: Mapping[str, Any]) -> dict[str, Any]:
        Erasing.ask(stack, "Erasure", request)
        raise FunctionFailedError("a lock")

    monkeypatch.setattr(stack, "ask", ask)
    assert ended(f"erase {MODEL} --ids {ids} --yes", monkeypatch) == 1
    assert len(stack.asked) == erasure.TRIES


def test_each_erasure_has_a_token_of_its_own(stack: Erasing, ids: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        ended(f"erase {MODEL} --ids {ids} --yes", monkeypatch)
    assert len({request["token"] for request in stack.asked}) == 2


@pytest.mark.parametrize(("folder", "rescored"), [("batches", True), ("labels", False)])
def test_uploads_that_go_whole_are_named_with_what_that_means_for_others(
    folder: str,
    rescored: bool,  # noqa: FBT001
    capsys: pytest.CaptureFixture[str],
) -> None:
    uploads = [f"{folder}/{MODEL}/{number}.csv" for number in range(7)]
    found = {"erasure": "e", "rows": {}, "versions": {}, "uploads": uploads, "objects": 0, "left_until": {}}
    show({"model": MODEL, "people": 1, "dry_run": True, "left": [], "erasures": [found]}, erasure_screen, as_json=False)
    out = capsys.readouterr().out
    assert [key for key in uploads if key in out] == uploads[:5]
    assert "and 2 more" in out
    assert ("other people's rows" in out) is rescored


@pytest.mark.parametrize(
    ("left", "versions", "dry_run", "ends"),
    [([], {}, False, True), (["labels/a.csv"], {}, False, False), ([], {"1": 2}, False, False), ([], {}, True, False)],
)
def test_the_screen_ends_with_nothing_left_only_where_nothing_is(
    left: list[str],
    versions: dict[str, int],
    dry_run: bool,  # noqa: FBT001
    ends: bool,  # noqa: FBT001
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = {"erasure": "e", "rows": {}, "versions": versions, "uploads": [], "objects": 0, "left_until": {}}
    show({"model": MODEL, "people": 1, "dry_run": dry_run, "left": left, "erasures": [found]}, erasure_screen, as_json=False)
    last = capsys.readouterr().out.splitlines()[-1]
    assert (last.strip() == "nothing is left to erase") is ends
