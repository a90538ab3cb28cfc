import ctypes
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from functions.shared.engines.forest import NEVER, pack
from functions.shared.kernels import library, trees
from functions.shared.kernels.library import SETTING, kernel_library
from functions.shared.kernels.trees import CHUNK_ROWS, BitvectorKernel, ForestKernel, Numbers, Sets, bins_of

built = pytest.mark.skipif(kernel_library() is None, reason="no kernels here, or none wanted; tests/integration/kernels builds its own")


@pytest.fixture(autouse=True)
def _as_found() -> Any:
    yield
    kernel_library.cache_clear()


@built
@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("cached_bytes", [100, trees.CACHED_BYTES], ids=["trees in blocks", "all trees at once"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.sampled_from([np.uint32, np.uint64]), st.integers(1, 9), st.integers(1, 70), st.integers(0, 11))
def test_the_lowest_bit_that_all_of_a_rows_masks_leave_is_its_leaf(
    monkeypatch: pytest.MonkeyPatch,
    real: type[np.floating[Any]],
    cached_bytes: int,
    data: st.DataObject,
    word: type[np.unsignedinteger[Any]],
    tables: int,
    count: int,
    rows: int,
) -> None:
    monkeypatch.setattr(trees, "CACHED_BYTES", cached_bytes)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    bits = 8 * np.dtype(word).itemsize
    sizes = rng.integers(1, 6, tables)
    # Where two dense masks meet few bits are left, where eight do mostly none: then the highest leaf is taken.
    masks = [rng.integers(0, 2**bits, (size, count), np.uint64).astype(word) for size in sizes]
    codes = [rng.integers(0, size, rows) for size in sizes]
    outputs = data.draw(st.integers(1, 3))
    firsts = [data.draw(st.integers(0, count - 1)) for _ in range(outputs)]
    sums = [
        (output, first, rng.normal(size=(rng.integers(1, count - first + 1), bits)).astype(real)) for output, first in enumerate(firsts)
    ]
    raw = rng.normal(size=(rows, outputs)).astype(real)
    expected = raw.copy()
    for row in range(rows):
        for output, first, leaves in sums:
            for tree, values in enumerate(leaves, first):
                left = [int(table[code[row], tree]) for table, code in zip(masks, codes, strict=True)]
                allowed = [bit for bit in range(bits) if all(mask >> bit & 1 for mask in left)]
                expected[row, output] += values[allowed[0] if allowed else bits - 1]
    BitvectorKernel(kernel_library(), masks, sums, outputs).add_leaves(codes, raw)
    assert np.array_equal(raw, expected)


def bins_that_the_kernel_finds(numbers: Numbers, bins: int) -> list[int]:
    """By three trees whose leaves are the hexadecimal digits of a bin's number."""
    every = np.arange(bins, dtype=np.uint32)
    masks = np.uint32(1) << np.stack([every % 16, every // 16 % 16, every // 256], axis=1)
    leaves = np.zeros((3, 32))
    leaves[:, :16] = np.arange(16) * np.array([[1], [16], [256]])
    raw = np.zeros((len(numbers.values), 1))
    BitvectorKernel(kernel_library(), [masks], [(0, 0, leaves)], 1).add_leaves([numbers], raw)
    return [int(found) for found in raw[:, 0]]


@built
@settings(max_examples=2 * settings().max_examples)
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=40) | st.integers(0, 300).map(lambda count: np.arange(count) / 7),
    st.lists(st.floats(), max_size=2 * CHUNK_ROWS + 9),
    st.integers(0, 17),
    st.integers(0, 2**32 - 1),
)
def test_a_numbers_bin_is_how_many_edges_are_below_it_and_the_last_where_it_is_missing(
    edges: Sequence[float], others: list[float], valid_from: int, seed: int
) -> None:
    ordered = np.unique(np.array(edges, np.float64))
    with np.errstate(over="ignore"):
        values = np.concatenate([ordered, np.nextafter(ordered, -np.inf), np.nextafter(ordered, np.inf), np.array(others)])
    known = np.random.default_rng(seed).random(len(values)) < 0.8
    expected = [
        len(ordered) + 1 if np.isnan(value) or not is_known else bisect_left(ordered, value)
        for value, is_known in zip(values, known, strict=True)
    ]
    bits = np.packbits(np.append(np.ones(valid_from, np.bool_), known), bitorder="little")
    assert bins_that_the_kernel_finds(Numbers(values, ordered, bits, valid_from), len(ordered) + 2) == expected


@built
def test_numbers_without_nulls_need_no_bits() -> None:
    assert bins_that_the_kernel_finds(Numbers(np.array([0.5, 1.0, np.nan, 2.5]), np.array([0.5, 2.0])), 4) == [0, 1, 3, 2]


def nested_tree(nodes: list[Any], place: int) -> Any:
    if nodes[place] is None:
        return place
    code, rank, left = nodes[place]
    return code, rank, nested_tree(nodes, left), nested_tree(nodes, left + 1)


@st.composite
def random_trees(draw: st.DrawFn) -> tuple[Any, Any, list[Any]]:
    """Trees as packed nodes and their roots, and the same trees as nested tuples `(code, rank, left, right)` or a leaf's place."""
    columns = draw(st.integers(1, 5))
    nodes: list[Any] = []
    nested, roots = [], []
    for _ in range(draw(st.integers(1, 4))):
        splits = draw(st.integers(0, 12))
        roots.append(len(nodes))
        nodes.append(None)
        open_leaves = [roots[-1]]
        for _ in range(splits):
            place = open_leaves.pop(draw(st.integers(0, len(open_leaves) - 1)))
            nodes[place] = (draw(st.integers(0, columns - 1)), draw(st.sampled_from([0, 1, 7, NEVER - 1])), len(nodes))
            open_leaves += [len(nodes), len(nodes) + 1]
            nodes += [None, None]
        nested.append(nested_tree(nodes, roots[-1]))
    packed = [pack(*(np.array(part) for part in node or (0, NEVER, place))) for place, node in enumerate(nodes)]
    return columns, (np.array(packed), np.array(roots)), nested


def leaf_of(tree: Any, codes: Any) -> int:
    if isinstance(tree, int):
        return tree
    code, rank, left, right = tree
    return leaf_of(right if codes[code] > rank else left, codes)


@built
@pytest.mark.parametrize("real", [np.float64, np.float32])
@settings(max_examples=2 * settings().max_examples)
@given(st.data(), random_trees(), st.integers(0, 19), st.integers(1, 3))
def test_a_row_walks_right_wherever_its_code_is_above_the_rank(
    real: type[np.floating[Any]], data: st.DataObject, forest: Any, rows: int, width: int
) -> None:
    columns, (nodes, roots), nested = forest
    codes = data.draw(hnp.arrays(np.uint16, (rows, columns), elements=st.sampled_from([0, 1, 2, 7, 8, NEVER - 1, NEVER])))
    values = np.random.default_rng(0).normal(size=(len(nodes), width)).astype(real)
    first_sums = np.arange(len(roots)) % 2
    raw = np.ones((rows, width + 1), real)
    expected = raw.copy()
    for row in range(rows):
        for tree, first in zip(nested, first_sums, strict=True):
            expected[row, first : first + width] += values[leaf_of(tree, codes[row])]
    ForestKernel(kernel_library(), nodes, roots, first_sums, values).add_leaves(codes, raw)
    assert np.array_equal(raw, expected)


@built
def test_a_row_walks_right_wherever_its_bin_is_in_the_set_that_the_node_asks_for() -> None:
    # Code 0 is a number, codes 1 and 2 are bins of categories: of code 1 there are 2 sets of 1 word, of code 2 one set of 2 words.
    sets = Sets(1, np.array([0, 2]), np.array([1, 2]), np.array([1 << 5, 1 << 6 | 1 << 63, 1 << 3, 1 << 1], np.uint64))
    asked = [(1, 0), (1, 1), (2, 0), (0, 4)]
    nodes = np.concatenate(
        [
            [pack(*map(np.array, (code, rank, 3 * t + 1))), *(pack(np.array(0), np.array(NEVER), np.array(3 * t + k)) for k in (1, 2))]
            for t, (code, rank) in enumerate(asked)
        ]
    )
    values = np.array([[0.0], [0.0], [1.0]] * 4) * 10.0 ** np.repeat(np.arange(4), 3)[:, np.newaxis]
    codes = np.array([[0, 5, 3], [4, 6, 65], [5, 63, 64], [9, 0, 0]], np.uint16)
    raw = np.zeros((4, 1))
    ForestKernel(kernel_library(), nodes, np.arange(4) * 3, np.zeros(4, np.int64), values, sets).add_leaves(codes, raw)
    assert raw[:, 0].tolist() == [101.0, 110.0, 1010.0, 1000.0]


@built
def test_arrays_of_another_type_or_order_never_reach_a_kernel() -> None:
    nodes, roots, first_sums = (np.array(values) for values in ([NEVER << 16], [0], [0]))
    kernel = ForestKernel(kernel_library(), nodes, roots, first_sums, np.ones((1, 1)))
    codes, raw = np.zeros((4, 2), np.uint16), np.zeros((4, 1))
    read_only = raw.copy()
    read_only.flags.writeable = False
    for wrong_codes, wrong_raw in (
        (codes.astype(np.int32), raw),
        (np.asfortranarray(codes), raw),
        (codes, raw.astype(np.float32)),
        (codes, np.zeros((4, 2))[:, :1]),
        (codes, read_only),
        (codes[:3], raw),
    ):
        with pytest.raises(TypeError):
            kernel.add_leaves(wrong_codes, wrong_raw)
    kernel.add_leaves(codes, raw)
    assert raw.tolist() == [[1.0]] * 4


@built
@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=30, unique=True),
    st.lists(st.floats() | st.none(), max_size=40),
    st.integers(0, 9),
)
def test_a_numbers_bin_is_how_many_edges_lie_below_it_and_the_last_where_it_is_missing(
    edges: list[float], values: list[float | None], valid_from: int
) -> None:
    ordered = sorted(edges)
    between = [*values, *edges]
    bits = np.packbits(np.array([*([False] * valid_from), *(value is not None for value in between)], np.bool_), bitorder="little")
    numbers = Numbers(np.array([value or 0.0 for value in between]), np.array(ordered), bits, valid_from)
    expected = [len(edges) + 1 if value is None or value != value else bisect_left(ordered, value) for value in between]  # noqa: PLR0124
    assert bins_of(kernel_library(), numbers).tolist() == expected


@built
def test_numbers_of_another_type_or_length_never_reach_a_kernel() -> None:
    kernel = BitvectorKernel(kernel_library(), [np.ones((3, 1), np.uint32)], [(0, 0, np.ones((1, 32)))], 1)
    values, edges, bits, raw = np.zeros(9), np.zeros(1), np.zeros(2, np.uint8), np.zeros((9, 1))
    for wrong in (
        Numbers(values[:8], edges),
        Numbers(values.astype(np.float32), edges),
        Numbers(values, edges.astype(np.float32)),
        Numbers(np.zeros(18)[::2], edges),
        Numbers(values, edges, bits.astype(np.int64)),
        Numbers(values, edges, bits, valid_from=8),
        Numbers(values, edges, bits, valid_from=-1),
    ):
        with pytest.raises(TypeError):
            kernel.add_leaves([wrong], raw)
    with pytest.raises(TypeError):
        kernel.add_leaves([], raw)
    kernel.add_leaves([Numbers(values, edges, bits, valid_from=7)], raw)
    assert raw.tolist() == [[1.0]] * 9


@pytest.mark.parametrize("setting", ["off", "/nowhere/libkernels.so"])
def test_kernels_may_be_switched_off_or_missing(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv(SETTING, setting)
    kernel_library.cache_clear()
    assert kernel_library() is None


def test_a_build_for_another_machine_is_not_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "libkernels.so").write_bytes(b"\x7fELF of another machine")
    monkeypatch.setenv(SETTING, str(tmp_path / "libkernels.so"))
    kernel_library.cache_clear()
    assert kernel_library() is None


@built
def test_a_build_of_another_source_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "INTERFACE", -1)
    kernel_library.cache_clear()
    assert kernel_library() is None


@built
def test_a_kernel_lets_go_of_the_interpreter_so_that_threads_score_at_once() -> None:
    # ctypes does so around each call of a CDLL, and not of its subclass PyDLL.
    assert type(kernel_library()) is ctypes.CDLL
