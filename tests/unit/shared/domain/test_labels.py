"""Class labels as numbers."""

import pyarrow as pa

from functions.shared.domain.labels import class_codes


def test_labels_become_numbers_of_classes_and_unknown_ones_minus_one() -> None:
    labels = pa.chunked_array([["b", "a"], [None, "z"]])
    assert class_codes(labels, ("a", "b")).tolist() == [1, 0, -1, -1]
