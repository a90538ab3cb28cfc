"""docs/architecture.md says what the code and the template do."""

import ast
import importlib
import inspect
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from datetime import date
from pathlib import Path

import pytest

from functions.shared.domain import layout
from tests.contract.template import ROOT, as_list, folder_of, statements

PAGE = (ROOT / "docs/architecture.md").read_text()
FUNCTIONS = {"scoring", "partitioning", "metric_emission", "retraining", "release", "notification", "cataloguing", "code_check"}
ERASURE = {"erasure"}
"""It goes after what others wrote, and has a table of its own."""
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
VERSIONS = "releases/*/versions/*"


def table(header: str) -> Iterator[list[str]]:
    """Cells of each row of the table that begins with this header."""
    lines = PAGE[PAGE.index(f"| {header} |") :].splitlines()[2:]
    for line in lines:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def pattern_of(prefix: str) -> str:
    """The template's pattern for what lies below a prefix.

    >>> pattern_of("scored/<model>/<batch>/"), pattern_of("releases/x/versions/1/")
    ('scored/*', 'releases/*/versions/*')
    """
    return VERSIONS if "/versions/" in prefix else prefix.split("/", 1)[0] + "/*"


def functions_in(cell: str) -> set[str]:
    return set(re.findall(r"\w+", cell)) & FUNCTIONS


def allowed(bucket: str, action: str, *, functions: set[str] = FUNCTIONS) -> Mapping[str, set[str]]:
    """Functions by the pattern in a bucket that the template lets them do this to."""
    found = defaultdict(set)
    for function, statement in statements():
        if folder_of(function) in functions and action in as_list(statement["Action"]):
            for resource in as_list(statement["Resource"]):
                if resource["Fn::Sub"].startswith(f"${{{bucket}.Arn}}/"):
                    found[resource["Fn::Sub"].split("/", 1)[1]].add(folder_of(function))
    return found


STORE = {pattern_of(row[0].strip("`")): row for row in table("store prefix | written by | read by | holds")}
INBOX = {pattern_of(row[0].strip("`")): row for row in table("inbox prefix | read by")}


def test_each_prefix_of_the_layout_has_its_row() -> None:
    values = {str: "x", int: 1, date | None: None, date: date(2013, 4, 1)}
    made = {
        pattern_of(function(*(values[parameter.annotation] for parameter in inspect.signature(function).parameters.values())))
        for name, function in inspect.getmembers(layout, inspect.isfunction)
        if name.endswith(("_key", "_prefix"))
    }
    assert made - set(INBOX) == set(STORE)
    assert set(INBOX) == {f"{kind}/*" for kind in (layout.BATCHES, layout.LABELS, layout.TRAINING)}


PREFIX = re.compile(rf"(?:{'|'.join(prefix.partition('/')[0] for prefix in (*INBOX, *STORE))})/[^\s<]*")
"""A key of a bucket, or its beginning; sentences have blanks."""


def spelled_prefixes(code: str) -> list[str]:
    """Keys, or beginnings of keys, that a module spells."""
    tree = ast.parse(code)
    formatted = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {part for text in formatted for part in text.values}
    texts = ["".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in text.values) for text in formatted]
    texts += [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts]
    return [text for text in texts if PREFIX.fullmatch(text)]


def test_no_prefix_is_spelled_outside_the_layout() -> None:
    code = [file for root in ("functions", "infra") for file in (ROOT / root).rglob("*.py") if file.name != "layout.py"]
    assert {str(file.relative_to(ROOT)): found for file in code if (found := spelled_prefixes(file.read_text()))} == {}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ('store.folders("releases/")', ["releases/"]),
        ('f"labels/{model}/{name}"', ["labels/{}/{}"]),
        ('"manifests/a/b.json".split()', ["manifests/a/b.json"]),
        ('layout.release_key("labels")', []),
        ('f"{root}/labels/{model}"', []),
        ('f"batches/{key} cannot be scored"', []),
        ('"put files under labels/<model>/"', []),
    ],
)
def test_prefixes_are_found_in_code(code: str, found: list[str]) -> None:
    assert spelled_prefixes(code) == found


def test_only_the_writer_of_a_prefix_may_write_there() -> None:
    written = {prefix: functions_in(row[1]) for prefix, row in STORE.items()}
    assert allowed("Store", "s3:PutObject") == {prefix: writers for prefix, writers in written.items() if writers}
    together = {"scoring", "partitioning"}
    # What the index says follows from a manifest alone, so that whoever writes it writes the same.
    several = {"manifests/*": together, "partitions/*": together, "quarantine/*": together, "index/*": together | {"metric_emission"}}
    # Each kind of alert has one writer; who must approve is called by whoever asks.
    several["alerts/*"] = {"metric_emission", "release"}
    assert {prefix: writers for prefix, writers in written.items() if len(writers) > 1} == several
    assert [row[1] for prefix, row in STORE.items() if prefix == "erasures/*"] == ["erasure"]
    assert allowed("Inbox", "s3:PutObject") == {}


def test_only_the_readers_of_a_prefix_may_read_there() -> None:
    # Whoever may read releases may read the versions below them.
    assert functions_in(STORE[VERSIONS][2]) == functions_in(STORE["releases/*"][2])
    read = {prefix: functions_in(row[2]) for prefix, row in STORE.items() if prefix != VERSIONS}
    assert allowed("Store", "s3:GetObject") == {prefix: readers for prefix, readers in read.items() if readers}
    assert allowed("Inbox", "s3:GetObject") == {prefix: functions_in(row[1]) for prefix, row in INBOX.items()}


def test_only_attempts_leases_and_what_counts_no_more_may_be_deleted() -> None:
    attempts = {"scoring", "partitioning", "metric_emission"}
    assert allowed("Store", "s3:DeleteObject") == {
        "scored/*": attempts,
        "quarantine/*": attempts,
        "leases/*": {"retraining"},
        "waiting/*": {"metric_emission"},
        "index/*/held/*": {"metric_emission"},
        "tables/*": {"cataloguing"},
    }
    assert allowed("Inbox", "s3:DeleteObject") == {}


def test_erasure_may_do_what_its_table_says_and_others_may_remove_only_tables_for_good() -> None:
    actions = {
        "read": "s3:GetObjectVersion",
        "write": "s3:PutObject",
        "delete": "s3:DeleteObject",
        "remove for good": "s3:DeleteObjectVersion",
    }
    rows = {row[0]: row[1:] for row in table("erasure may | in the store | in the inbox")}
    assert rows.keys() == actions.keys()
    for what, cells in rows.items():
        for bucket, cell in zip(("Store", "Inbox"), cells, strict=True):
            assert {f"{prefix}*" for prefix in re.findall(r"`([^`]+)`", cell)} == set(allowed(bucket, actions[what], functions=ERASURE))
    assert allowed("Store", "s3:DeleteObjectVersion") == {"tables/*": {"cataloguing"}}
    assert allowed("Inbox", "s3:DeleteObjectVersion") == {}


def test_the_tree_names_each_folder_that_there_is() -> None:
    below = [folder for top in ("functions", "infra") for folder in (ROOT / top).iterdir() if folder.is_dir()]
    folders = {f"{folder.relative_to(ROOT)}/" for folder in below if folder.name != "__pycache__"}
    assert {row[0].strip("`") for row in table("folder | holds")} == folders | {"events/", "tests/"}


def test_the_arrows_are_those_that_are_checked() -> None:
    arrows = PAGE[PAGE.index("## The arrows") :]
    assert re.findall(r"^- (.*)$", arrows, re.MULTILINE) == [contract["name"] for contract in CONTRACTS]


def test_a_contract_that_names_functions_names_each_of_them() -> None:
    functions = {f"functions.{handler.parent.name}" for handler in (ROOT / "functions").glob("*/handler.py")}
    named = [functions & {*contract.get("modules", ()), *contract.get("source_modules", ())} for contract in CONTRACTS]
    assert [found for found in named if found] == [functions] * 3


def code_of(tests: Path, level: str) -> list[Path]:
    """Folders of code that a folder of tests of a level is called for."""
    return [folder for code in ("functions", "infra") if (folder := ROOT / code / tests.relative_to(ROOT / "tests" / level)).is_dir()]


def is_called_for_code(test: Path) -> bool:
    """Whether a unit test is called `test_Y.py` or `test_Y_topic.py` for a module or package Y, or for the package that it is in."""
    about = test.stem.removeprefix("test_")
    return any(
        about == name or about.startswith(f"{name}_")
        for folder in code_of(test.parent, "unit")
        for name in (folder.name, *(path.stem for path in folder.iterdir() if not path.stem.startswith("_")))
    )


def test_each_unit_test_is_called_for_the_code_that_it_tests() -> None:
    about_the_level = {"test_no_network.py"}
    unit = ROOT / "tests/unit"
    assert [str(test.relative_to(unit)) for test in unit.rglob("test_*.py") if not is_called_for_code(test)] == sorted(about_the_level)


def test_each_folder_of_components_is_called_for_the_code_that_it_plays() -> None:
    component = ROOT / "tests/component"
    assert [folder for folder in {test.parent for test in component.rglob("test_*.py")} if not code_of(folder, "component")] == []


def test_no_unit_test_builds_a_world() -> None:
    assert [test for test in (ROOT / "tests/unit").rglob("*.py") if test.stem == "world" or "tests.component" in test.read_text()] == []


OF_EACH_FUNCTION = {"Ports", "ScheduledRequest"}
"""Classes that each function has of its own, in one shape."""


def test_no_two_public_classes_share_a_name() -> None:
    """One word has one meaning."""
    places = defaultdict(list)
    for top in ("functions", "infra"):
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(str(path.relative_to(ROOT)))
    assert {name: found for name, found in places.items() if len(found) > 1 and name not in OF_EACH_FUNCTION} == {}


@pytest.mark.parametrize("function", sorted({*FUNCTIONS, *ERASURE}))
def test_each_function_takes_its_ports_in_one_shape(function: str) -> None:
    ports = importlib.import_module(f"functions.{function}.ports").Ports
    handler = ROOT / f"functions/{function}/handler.py"
    assert is_dataclass(ports)
    assert ports.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert "ports" in {node.name for node in ast.parse(handler.read_text()).body if isinstance(node, ast.FunctionDef)}
    assert len(handler.read_text().splitlines()) <= 70
