import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.domain.spec import FeatureKind
from functions.shared.engines.arrays import Arrays
from functions.shared.engines.grid import PIECE_ROWS, Grid
from functions.shared.engines.slots import BooleanSlots, CategorySlots, NumberSlots, read_slots

finite = st.floats(allow_nan=False, allow_infinity=False)
edge_lists = st.one_of(
    st.lists(finite, max_size=40, unique=True),
    st.lists(st.integers(-20, 200).map(lambda tenths: tenths / 10), max_size=60, unique=True),
    st.lists(st.floats(1.0, 1.0000000001), max_size=20, unique=True),
)


@given(edge_lists, st.lists(st.floats(), max_size=30))
def test_a_number_is_in_the_interval_that_counting_the_edges_below_it_gives(edges: list[float], others: list[float]) -> None:
    ordered = np.unique(np.array(edges, dtype=np.float64))
    with np.errstate(over="ignore"):
        around = [np.nextafter(ordered, -np.inf), np.nextafter(ordered, np.inf)]
    values = np.concatenate([ordered, *around, np.array(others, dtype=np.float64)])
    counted = [len(ordered) + 1 if np.isnan(value) else int((ordered < value).sum()) for value in values]
    assert Grid(ordered).interval(values).tolist() == counted


def test_intervals_are_found_across_the_pieces_that_long_columns_are_cut_into() -> None:
    edges = np.linspace(0, 1, 50)
    values = np.random.default_rng(0).random(2 * PIECE_ROWS + 3)
    assert np.array_equal(Grid(edges).interval(values), np.searchsorted(edges, values))


@pytest.mark.parametrize("edges", [[0.0, 5e-324], [-1.7e308, 1.7e308], [0.0, 1e-300, 1e300], [1e16, 1e16 + 2]])
def test_edges_too_near_or_too_far_apart_for_a_grid_are_still_exact(edges: list[float]) -> None:
    values = np.array([*edges, -np.inf, np.inf, 0.0, -5e-324, 1.0, 1e16 + 1, np.nan])
    expected = np.searchsorted(edges, values)
    expected[-1] = len(edges) + 1
    assert np.array_equal(Grid(np.array(edges)).interval(values), expected)


def test_numbers_closed_above_and_missing_last() -> None:
    bins = NumberSlots(np.array([1.0, 2.0]))
    assert bins.size == 4
    assert bins.codes(pa.array([0.5, 1.0, 1.5, 2.0, 9.0, None, float("nan")])).tolist() == [0, 0, 1, 1, 2, 3, 3]


def test_booleans_are_false_true_missing() -> None:
    assert BooleanSlots().codes(pa.array([True, None, False])).tolist() == [1, 2, 0]


@given(st.lists(st.text(max_size=4), max_size=6, unique=True), st.lists(st.one_of(st.none(), st.text(max_size=4)), max_size=20))
def test_a_category_is_found_by_its_text_and_the_unseen_and_missing_come_after(known: list[str], values: list[str | None]) -> None:
    bins = CategorySlots(pa.array(known, pa.string()), np.arange(len(known) + 2))
    expected = [len(known) + 1 if value is None else known.index(value) if value in known else len(known) for value in values]
    column = pa.array(values, pa.string())
    assert bins.codes(column).tolist() == expected
    assert bins.codes(column.dictionary_encode()).tolist() == expected


@given(st.lists(st.text(max_size=5), max_size=6, unique=True))
def test_bins_are_read_as_they_were_stored(known: list[str]) -> None:
    categories = CategorySlots(pa.array(known, pa.string()), np.arange(len(known) + 2)[::-1].copy())
    column = pa.array([*known, "?", None])
    again = read_slots(Arrays(categories.arrays(3)), 3, FeatureKind.CATEGORY)
    assert again.codes(column).tolist() == categories.codes(column).tolist()


def test_categories_with_nul_bytes_at_their_ends_stay_apart() -> None:
    known = ["a", "a\0", "\0"]
    stored = CategorySlots(pa.array(known), np.arange(5)).arrays(0)
    assert read_slots(Arrays(stored), 0, FeatureKind.CATEGORY).codes(pa.array(known)).tolist() == [0, 1, 2]


def octets(text: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.frombuffer(text, dtype=np.uint8)


@pytest.mark.parametrize(
    ("kind", "arrays"),
    [
        (FeatureKind.NUMBER, {}),
        (FeatureKind.NUMBER, {"edges_0": np.array([2.0, 1.0])}),
        (FeatureKind.NUMBER, {"edges_0": np.array([1.0, np.inf])}),
        (FeatureKind.NUMBER, {"edges_0": np.array([1, 2])}),
        (FeatureKind.CATEGORY, {"octets_0": octets(b"ab"), "ends_0": np.array([1, 3]), "rows_0": np.array([0, 1, 2, 3])}),
        (FeatureKind.CATEGORY, {"octets_0": octets(b"ab"), "ends_0": np.array([2, 1]), "rows_0": np.array([0, 1, 2, 3])}),
        (FeatureKind.CATEGORY, {"octets_0": octets(b"ab"), "ends_0": np.array([1, 2]), "rows_0": np.array([0, 1, 2])}),
        (FeatureKind.CATEGORY, {"octets_0": octets(b"ab"), "ends_0": np.array([1, 2]), "rows_0": np.array([0, 1, 2, 4])}),
        (FeatureKind.CATEGORY, {"octets_0": octets(b"ab"), "ends_0": np.array([1, 2]), "rows_0": np.array([0, 1, 2, -1])}),
        (FeatureKind.CATEGORY, {"octets_0": octets(b"\xff"), "ends_0": np.array([1]), "rows_0": np.array([0, 1, 2])}),
    ],
)
def test_arrays_that_are_no_bins_are_refused(
    kind: FeatureKind, arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]
) -> None:
    with pytest.raises(InvalidBundleError):
        read_slots(Arrays(arrays), 0, kind)
