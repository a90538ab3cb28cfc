"""How many classes a file makes a model learn."""

from pathlib import Path
from typing import Any

import pytest

from functions.shared.domain.formats import PLAIN
from infra.cli.classes import classes_to_learn


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        ([f"c{number % 60}" for number in range(300)], None, 60),
        (["c1", " c1 ", "NA", "", "c2"], None, 2),
        ([str(number) for number in range(300)], None, 0),
        (["warm", *(str(number) for number in range(300))], None, 0),
        ([str(number) for number in range(300)], "multiclass", 300),
        ([f"c{number}" for number in range(300)], "regression", 0),
    ],
)
def test_classes_are_counted_as_training_will_see_them(values: list[str], task: str | None, classes: int, tmp_path: Path) -> None:
    file = tmp_path / "june.csv"
    file.write_text("id,kind\n" + "".join(f"{row},{value}\n" for row, value in enumerate(values)))
    request: dict[str, Any] = {"task": task, "target": "kind", "formats": PLAIN.model_dump(mode="json")}
    assert classes_to_learn(file, request) == classes


def test_a_file_that_training_will_refuse_has_none(tmp_path: Path) -> None:
    file = tmp_path / "june.csv"
    file.write_text("id,sort\n1,a\n")
    assert classes_to_learn(file, {"task": None, "target": "kind", "formats": PLAIN.model_dump(mode="json")}) == 0
