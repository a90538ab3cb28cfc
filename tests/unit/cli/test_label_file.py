"""What is said of a file of labels before it is uploaded."""

from pathlib import Path
from typing import Any

import pytest

from functions.shared.domain.errors import InputError
from functions.shared.domain.formats import Formats
from functions.shared.domain.spec import Task
from infra.cli.label_file import look_at_labels
from tests.fakes.versions import make_version

CHURN = make_version().spec
"""Its classes are no and yes."""
SPEND = make_version(task=Task.REGRESSION).spec


def look(folder: Path, labels: list[str], spec: Any = CHURN) -> dict[str, Any]:
    file = folder / "labels.csv"
    file.write_text("id;bought\n" + "".join(f"r{number};{label}\n" for number, label in enumerate(labels)))
    return look_at_labels(file, spec)


def test_labels_are_counted_by_what_they_say(tmp_path: Path) -> None:
    found = look(tmp_path, ["yes", "no", "", "NA", "maybe", "maybe", "YES"])
    assert (found["labels"], found["unlabelled"], found["refused"]) == (5, 2, 0)
    assert found["unknown"] == {"maybe": 2, "YES": 1}


def test_numbers_are_counted_by_what_they_say(tmp_path: Path) -> None:
    found = look(tmp_path, ["1.5", "-2e3", "", "NA", "many"], SPEND)
    assert (found["labels"], found["unlabelled"], found["refused"], found["unknown"]) == (2, 2, 1, {})


@pytest.mark.parametrize(
    ("labels", "spec", "reported"),
    [
        (["", "NA"], CHURN, "holds no label of 'sales': it needs the columns 'id' and 'bought'"),
        (["YES", "NO", "YES"], CHURN, "no label can be used: 'bought' must be one of 'no', 'yes', and the file holds 'YES', 'NO'"),
        (["many", "few"], SPEND, "no label can be used: 'bought' must be a number, and the file holds 'few', 'many'"),
        (["248,04", "195,84"], SPEND, r": numbers with a decimal comma, not as in the training file"),
    ],
)
def test_labels_of_which_none_measures_anything_are_refused(tmp_path: Path, labels: list[str], spec: Any, reported: str) -> None:
    with pytest.raises(InputError, match=reported):
        look(tmp_path, labels, spec)


def test_labels_are_read_as_the_training_file_was(tmp_path: Path) -> None:
    commas = SPEND.model_copy(update={"formats": Formats(decimal=",")})
    assert look(tmp_path, ["248,04", "195,84"], commas)["labels"] == 2
