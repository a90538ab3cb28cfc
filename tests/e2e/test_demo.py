"""The whole loop, as `make demo` shows it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

EVERSCORE = Path(sys.executable).with_name("everscore")


@pytest.fixture(scope="module")
def totals() -> dict:
    done = subprocess.run([EVERSCORE, "demo", "--fast", "--json"], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_row_is_lost(totals: dict) -> None:
    assert totals["rows_in"] == totals["rows_scored"] + totals["rows_quarantined"]
    assert totals["rows_quarantined"] > 0


def test_the_retrained_version_wins_and_the_ignorant_one_does_not(totals: dict) -> None:
    assert [decision["decision"] for decision in totals["decisions"]] == ["promote", "promote", "keep"]


def test_a_version_made_bad_after_its_gate_is_rolled_back_by_itself_within_its_first_share(totals: dict) -> None:
    withdrawn = totals["withdrawn"]
    assert (withdrawn["version"], withdrawn["share"], len(withdrawn["answered"])) == ("2", 0.05, 1)
    assert 0 < withdrawn["answered"][0]["rows"] < 0.1 * totals["final"]["batches"][0]["rows_scored"]
    assert "rank correlation" in totals["final"]["reason"]
    assert (totals["final"]["champion"]["version"], totals["final"]["challenger"]) == ("1", None)
    assert totals["final"]["batches"][0]["challenger"] is None, "the champion scored its rows again"


def test_a_rollback_returns_to_the_first_version(totals: dict) -> None:
    assert totals["final"]["champion"]["version"] == "1"
    assert totals["final"]["previous"]["version"] == "2"
