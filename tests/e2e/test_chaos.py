"""The chaos suite's short form; the long one is `make chaos`."""

from pathlib import Path

import pytest

from tests.chaos.inside import DEADLY
from tests.chaos.play import play


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore")  # skops and pandas warn of each other
def test_whatever_ends_or_comes_twice_nothing_is_lost_doubled_or_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERSCORE_HOME", str(tmp_path / "home"))
    said: list[str] = []
    played = play(tmp_path, seed=1, seconds=40, faults=150, progress=said.append)
    assert played.found.amiss == []
    assert sum(played.faults.values()) > 20, said
    assert played.found.scores > 500
    assert played.found.batches["failed: partitions_failed"] >= 1, f"the file named {DEADLY}"
