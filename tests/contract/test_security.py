"""docs/security.md names tests that exist; and what it says of pickle, names and retention."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from functions.shared.domain import layout
from functions.shared.domain.errors import EverscoreError
from tests.contract.template import ROOT, resources_of

PAGE = (ROOT / "docs/security.md").read_text()
RUNS_WHAT_IT_READS = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "jsonpickle"}
SOURCES = sorted((ROOT / "functions").rglob("*.py"))


def named() -> list[tuple[str, str]]:
    """Test files in the document, with a test's name where there is one."""
    return re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", PAGE)


def rows() -> list[str]:
    return [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| what "))]


@pytest.mark.parametrize(("file", "test"), named())
def test_each_test_that_the_document_names_exists(file: str, test: str) -> None:
    tree = ast.parse((ROOT / file).read_text())
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    assert test in tests if test else tests


def test_each_line_of_the_document_names_a_test() -> None:
    assert len(rows()) > 20
    assert [row for row in rows() if "`tests/" not in row] == []


def calls(path: Path) -> Iterator[ast.Call]:
    yield from (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))


def test_no_function_imports_a_module_that_runs_what_it_reads() -> None:
    imported = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            if isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    assert {"numpy", "skops"} <= imported, "the search finds imports"
    assert imported & RUNS_WHAT_IT_READS == set()


def test_nothing_evaluates_text() -> None:
    evaluating = [
        (path, call.func.id)
        for path in SOURCES
        for call in calls(path)
        if isinstance(call.func, ast.Name) and call.func.id in {"eval", "exec"}
    ]
    assert evaluating == []


def test_arrays_are_read_without_pickle_everywhere() -> None:
    loads = [
        call for path in SOURCES for call in calls(path) if isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == "np.load"
    ]
    assert loads
    for call in loads:
        assert [ast.literal_eval(word.value) for word in call.keywords if word.arg == "allow_pickle"] == [False]


@pytest.mark.parametrize("name", ["..", ".", "a.b", "a b", "a\n", "\u202ea", "%2e%2e", "-a", "$(id)", "'; --", "ü", "a" * 65, ""])
def test_a_name_that_could_lead_elsewhere_is_no_models_name(name: str) -> None:
    with pytest.raises(EverscoreError):
        layout.model_of(f"batches/{name}/file.csv")


def test_what_need_not_be_kept_is_forgotten() -> None:
    for bucket in resources_of("AWS::S3::Bucket").values():
        written = bucket["LifecycleConfiguration"]["Rules"]
        asked_for = [rule["Fn::If"] for rule in written if "Fn::If" in rule]
        assert [(condition, otherwise) for condition, _, otherwise in asked_for] == [
            (condition, {"Ref": "AWS::NoValue"}) for condition in ("ForgetsUploads", "ForgetsUploads", "ForgetsScoredRows")
        ]
        rules = {rule["Id"]: rule for rule in (*(rule for rule in written if "Id" in rule), *(rule for _, rule, _ in asked_for))}
        assert rules["forget-old-versions"]["NoncurrentVersionExpiration"]["NoncurrentDays"] == {"Ref": "NoncurrentVersionDays"}
        assert rules["forget-old-versions"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 2
        assert (rules["forget-rejected-rows"]["Prefix"], rules["forget-rejected-rows"]["ExpirationInDays"]) == (
            "quarantine/",
            {"Ref": "QuarantineDays"},
        )
        assert rules["forget-work-on-partitions"]["Prefix"] == "partitions/"
        asked = {
            "forget-uploaded-batches": ("batches/", "UploadDays"),
            "forget-uploaded-labels": ("labels/", "UploadDays"),
            "forget-scored-rows": ("scored/", "ScoredDays"),
        }
        for name, (prefix, days) in asked.items():
            assert (rules[name]["Prefix"], rules[name]["ExpirationInDays"]) == (prefix, {"Ref": days})
            assert rules[name]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}
        assert (rules["forget-answers"]["Prefix"], rules["forget-answers"]["ExpirationInDays"]) == ("answers/", 1)
        for name in ("forget-rejected-rows", "forget-profiles", "forget-work-on-partitions", "forget-answers"):
            assert rules[name]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}, "it would be kept as an old version"
        for name, prefix in (("forget-replaced-rows-of-days", "identities/"), ("forget-replaced-totals", "totals/")):
            assert rules[name]["Prefix"] == prefix
            assert rules[name]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}, "each file replaces them"
        kept = {"Fn::If": ["ForgetsScoredRows", {"Ref": "ScoredDays"}, {"Ref": "AWS::NoValue"}]}
        assert rules["forget-replaced-rows-of-days"]["ExpirationInDays"] == kept, "ids are kept no longer than the rows"
        assert "ExpirationInDays" not in rules["forget-replaced-totals"]
        assert (rules["forget-profiles"]["Prefix"], rules["forget-profiles"]["ExpirationInDays"]) == ("emitted/", {"Ref": "ProfileDays"})
