"""Each of the command's screens on a terminal of 80 columns, in both languages."""

import importlib
import io
import pkgutil
import re
from collections.abc import Callable
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType

from functions.shared.domain.policy import Policy
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.releases import Releases
from infra.cli import screens
from infra.cli.releases import _entry
from infra.cli.state import fleet_status
from infra.words import CHINESE, ENGLISH, speaking
from tests.contract.test_runbook import refuse_unknown
from tests.contract.test_translations import failed, labels, whole_status
from tests.fakes.versions import MODEL
from tests.unit.report.story import batch, whole_story

WIDTH = 80
LONG = "customers of the northern region in the second quarter"
PATH = "/home/somebody/work/" + "quarter/" * 10 + "scored.parquet"
ID = "0123456789abcdef0123456789abcdef"


def decided() -> dict[str, Any]:
    return Decisions(whole_story()).all(MODEL)[-1].summary()


def trained() -> dict[str, Any]:
    columns = [{"name": "a_column_with_a_long_name_" * 2, "kind": "category", "missing": 3, "distinct": 1234, "example": LONG}]
    classes = {f"{LONG} {number}": 1000 for number in range(25)}
    meaning = {"target": "left", "task": "binary", "positive": "yes"}
    return decided() | meaning | {"classes": classes, "columns": columns}


def erased() -> dict[str, Any]:
    uploads = [f"batches/{MODEL}/{LONG} {number}.csv" for number in range(7)]
    erasure = {
        "rows": {"scored": 3, "waiting": 2, "identities": 4},
        "versions": {"1": 2},
        "uploads": uploads,
        "objects": 9,
        "left_until": {"labels/a.csv": "2024-06-01T05:15:00Z"},
        "erasure": ID,
    }
    return {"model": MODEL, "people": 2, "dry_run": False, "left": ["labels/a.csv", "labels/b.csv"], "erasures": [erasure]}


def alerts() -> dict[str, Any]:
    said = {"who": "ann", "reason": LONG}
    times = {"since": "2024-06-01T05:15:00Z", "seen_at": "2024-06-02T05:15:00Z"}
    alert = {"name": "drift-v1", "state": "open", **times, "seen": 3, "message": LONG, "closed_by": "", "acknowledged": said}
    return {"model": MODEL, "alerts": [alert], "silences": [{"name": "drift", "until": "2024-06-09T05:15:00Z", **said}]}


SNAPSHOT = {"version": "1", "made_at": "2024-06-01T05:15", "trigger": "person", "rows": 1_000_000, "erased_rows": 3, "md5": ID}
REBUILT = {"model": MODEL, "version": "1", "rows": 4000, "identical": False, "difference": LONG, "largest_score_difference": 0.1}
REFUSED = {"batch_id": ID, "error": LONG, "code": "not_found", "remedy": ""}
ANSWERS: dict[str, list[Callable[[], dict[str, Any]]]] = {
    "alerts_screen": [alerts, lambda: {"model": MODEL, "alerts": [], "silences": []}],
    "answer_screen": [lambda: {"columns": ["n", "why", "where"], "rows": [(number, LONG, LONG) for number in range(300)]}],
    "brought_screen": [
        lambda: {"model": MODEL, "added": 1, "removed": 0, "left_out": {"note": ["string", "long"]}, "renamed": {"A b": "a_b"}}
    ],
    "checkout_screen": [lambda: {"folder": PATH, "rows": 4000, "files": 2, "model": MODEL, "version": "1"}],
    "decision_screen": [decided],
    "diff_screen": [
        lambda: {
            "model": MODEL,
            "old": "1",
            "new": "2",
            "rows": (4000, 7300),
            **dict.fromkeys(("added", "removed", "relabelled", "changed"), 1_000_000),
            "columns_added": [LONG] * 3,
            "columns_removed": [],
            "features": [{"feature": LONG * 2, "psi": 0.1}],
        }
    ],
    "erasure_screen": [erased, lambda: erased() | {"dry_run": True}],
    "exported_screen": [lambda: {"file": PATH, "version": "1", "model": MODEL, "sha256": ID * 2}],
    "fetched_screen": [lambda: {"file": PATH, "rows": 1, "batches": [ID], "model": MODEL, "day_zone": "Asia/Shanghai"}],
    "first_version_screen": [trained],
    "fleet_screen": [lambda: fleet_status(whole_story()), lambda: {"models": []}],
    "history_screen": [lambda: {"model": MODEL, "releases": [_entry(release) for release in Releases(whole_story()).history(MODEL)]}],
    "imported_screen": [lambda: decided() | {"signed_by": f"arn:aws:kms:eu-central-1:0123456789:key/{ID}", "signature_checked": False}],
    "labels_screen": [labels],
    "manifest_screen": [lambda: batch(1).model_dump(mode="json"), failed],
    "messages_screen": [lambda: {"messages": [{"text": LONG * 4, "begun_at": "2024-06-01T05:15:00Z"}]}, lambda: {"messages": []}],
    "pointer_screen": [lambda: {"pointer": PATH, "folder": PATH, "rows": 4000, "files": 2, "model": MODEL, "version": "1"}],
    "policy_screen": [lambda: {**Policy().summary(), "model": MODEL, "unreadable": [{"number": 3, "problem": LONG}]}],
    "quarantine_screen": [lambda: {"file": PATH, "rows": 2, "model": MODEL, "batch_id": ID}],
    "release_screen": [lambda: _entry(Releases(whole_story()).history(MODEL)[-1]) | {"model": MODEL}],
    "reproduction_screen": [lambda: REBUILT | {"libraries": {"scikit-learn": ("1.9.1", "1.8.0")}}, lambda: REBUILT | {"identical": True}],
    "requested_screen": [lambda: {"model": MODEL}],
    "rescored_screen": [
        lambda: {"model": MODEL, "rescored": [batch(1).model_dump(mode="json")], "refused": []},
        lambda: {"model": MODEL, "rescored": [], "refused": []},
        lambda: {"model": MODEL, "rescored": [], "refused": [REFUSED, REFUSED | {"remedy": LONG}]},
    ],
    "snapshots_screen": [lambda: {"model": MODEL, "snapshots": [SNAPSHOT | {"first_day": "2024-01-01", "last_day": "2024-05-31"}]}],
    "status_screen": [whole_status],
    "step_screen": [
        lambda: {"model": MODEL, "action": "expand", "share": 0.25, "reasons": [{"message": LONG}] * 3},
        lambda: {"model": MODEL, "action": "none", "share": 0.0, "reasons": [{"message": "no challenger is on its way"}]},
    ],
    "uploaded_screen": [lambda: {"key": f"batches/{MODEL}/{LONG}.csv"}],
    "verification_screen": [lambda: {"batch_id": ID, "model": MODEL, "identical": False, "different": [f"scored/{MODEL}/{ID}/{ID}"]}],
    "written_screen": [lambda: {"rows": 4000, "file": PATH}],
}


def all_screens() -> dict[str, Callable[[dict[str, Any]], RenderableType]]:
    modules = [importlib.import_module(f"{screens.__name__}.{found.name}") for found in pkgutil.iter_modules(screens.__path__)]
    return {name: screen for module in modules for name, screen in vars(module).items() if name.endswith("_screen")}


def test_every_screen_is_tried() -> None:
    assert set(all_screens()) == set(ANSWERS)


@pytest.mark.parametrize("language", [ENGLISH, CHINESE])
@pytest.mark.parametrize("name", ANSWERS)
def test_no_line_is_wider_than_the_terminal_unless_it_is_one_word_or_command(name: str, language: str) -> None:
    for answer in ANSWERS[name]:
        printed = io.StringIO()
        with speaking(language):
            Console(width=WIDTH, file=printed, markup=False).print(Group(all_screens()[name](answer())), crop=False)
        lines = printed.getvalue().splitlines()
        assert lines
        assert [line for line in lines if cell_len(line) > WIDTH and " " in re.sub(r"`[^`]+`", "", line).strip()] == []
        assert "\N{HORIZONTAL ELLIPSIS}" not in printed.getvalue().replace("FILE \N{HORIZONTAL ELLIPSIS}", ""), "nothing is cut"


@pytest.mark.parametrize("name", ANSWERS)
def test_each_command_that_a_screen_gives_exists_with_these_options(name: str) -> None:
    for answer in ANSWERS[name]:
        said = shown_by(all_screens()[name](answer()))
        for command in re.findall(r"`(everscore [^`]+)`|: (everscore [^`\n]+)$", said, re.MULTILINE):
            refuse_unknown("".join(command))


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("uploaded_screen", f"`everscore status {MODEL}`"),
        ("labels_screen", "`everscore status m`"),
        ("requested_screen", f"`everscore retrain {MODEL} --wait`"),
        ("first_version_screen", f"everscore score {MODEL} FILE"),
        ("fleet_screen", "everscore adopt MODEL SOURCE FILE"),
        ("alerts_screen", f"`everscore ack {MODEL} ALERT"),
    ],
)
def test_a_screen_after_which_something_is_to_be_done_says_what(name: str, given: str) -> None:
    assert any(given in shown_by(all_screens()[name](answer())) for answer in ANSWERS[name])


def shown_by(screen: RenderableType) -> str:
    """Return what is printed where lines have room."""
    console = Console(width=1000, file=io.StringIO(), markup=False)
    console.print(Group(screen), crop=False)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().splitlines())
