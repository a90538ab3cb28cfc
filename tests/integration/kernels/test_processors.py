"""The same sums on processors that are not here: arm64, and x86-64-v2, which lacks AVX2; and a library for each of them."""

import ctypes
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from functions.shared.engines.forest import NEVER, pack
from functions.shared.kernels.exponential import COEFFICIENTS, HIGH, LOW, PARTS_PER_UNIT, POWERS, exponential_in_numpy
from functions.shared.kernels.library import open_library
from functions.shared.kernels.trees import BitvectorKernel, ForestKernel, Numbers, Sets
from tests.integration.kernels.building import HERE, build

ARM, ELDER = ("aarch64-linux-gnu-gcc", ["qemu-aarch64"]), ("x86_64-linux-gnu-gcc", ["qemu-x86_64", "-cpu", "Nehalem"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("processors")


@pytest.fixture(scope="module", params=[ARM, ELDER], ids=["arm64", "x86-64-v2"])
def elsewhere(request: pytest.FixtureRequest, folder: Path) -> Callable[..., Any]:
    """Calls a kernel on another processor: bytes in, sums out."""
    compiler, emulator = request.param
    program = build(compiler, "-static", source=HERE / "one_call.c", out=folder / f"one_call-{compiler}")

    def call(raw: Any, *arguments: Any) -> Any:
        sent = b"".join(np.asarray(argument).tobytes() for argument in (*arguments, raw))
        ran = subprocess.run([*emulator, program], input=sent, capture_output=True, check=True)
        return np.frombuffer(ran.stdout, raw.dtype).reshape(raw.shape)

    return call


@pytest.fixture(scope="module")
def here(folder: Path) -> ctypes.CDLL | None:
    return open_library(build("gcc", "-shared", "-fPIC", out=folder / "libkernels.so"))


@pytest.mark.parametrize("word", [np.uint32, np.uint64])
@pytest.mark.parametrize("real", [np.float64, np.float32])
def test_masks_leave_the_same_leaves_on_every_processor(
    elsewhere: Callable[..., Any], here: ctypes.CDLL, real: type[Any], word: type[Any]
) -> None:
    rng = np.random.default_rng(5)
    rows, trees, outputs, bits = 401, 37, 2, 8 * np.dtype(word).itemsize
    # Two bits of three, so that the five tables of a row leave some.
    sizes = [3, 300, 2, 20, 7]
    masks = [(rng.integers(0, 2**63, (2, size, trees), np.uint64) * 2 + 1).astype(word) for size in sizes]
    masks = [first | second for first, second in masks]
    edges = [np.unique(rng.normal(size=size - 2)) for size in sizes]
    numbers = [np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)) for _ in sizes]
    valid = [rng.integers(0, 256, rows).astype(np.uint8) for _ in sizes]
    columns = [Numbers(*parts, valid_from=k) for k, parts in enumerate(zip(numbers, edges, valid, strict=True))]
    leaves = [rng.normal(size=(trees, bits)).astype(real) for _ in range(outputs)]
    raw = rng.normal(size=(rows, outputs)).astype(real)
    tables = [
        part
        for mask, column in zip(masks, columns, strict=True)
        for part in (len(mask), mask, column.values, column.edges, column.valid, column.valid_from)
    ]
    there = elsewhere(raw, bits, int(real is np.float32), rows, len(masks), trees, outputs, *tables, *leaves)
    BitvectorKernel(here, masks, [(output, 0, values) for output, values in enumerate(leaves)], outputs).add_leaves(columns, raw)
    assert there.tobytes() == raw.tobytes()


def test_rows_end_in_the_same_leaves_on_every_processor(elsewhere: Callable[..., Any], here: ctypes.CDLL) -> None:
    rng = np.random.default_rng(6)
    rows, columns, width, depth = 403, 9, 3, 7
    # Three full trees: level by level, node k of a tree has the children 2k + 1 and 2k + 2.
    inner, size = 2**depth - 1, 2 ** (depth + 1) - 1
    roots, first_sums = np.arange(3) * size, np.array([0, 1, 0])
    places = np.arange(3 * size)
    is_leaf = places % size >= inner
    left = np.where(is_leaf, places, places // size * size + 2 * (places % size) + 1)
    # The last two columns are bins of categories, 128 at most, and of each there are five sets.
    numbers, sets = columns - 2, rng.integers(0, 2**63, 2 * 5 * 2, np.uint64)
    code = rng.integers(0, columns, 3 * size)
    rank = np.where(code < numbers, rng.integers(0, NEVER, 3 * size), rng.integers(0, 5, 3 * size))
    nodes = pack(code, np.where(is_leaf, NEVER, rank), left)
    values, raw = rng.normal(size=(3 * size, width)), rng.normal(size=(rows, width + 1))
    codes = rng.integers(0, NEVER + 1, (rows, columns)).astype(np.uint16)
    codes[:, numbers:] %= 128
    there = elsewhere(raw, 0, rows, columns, 3, width, width + 1, len(nodes), nodes, roots, first_sums, values, numbers, 2, 5, sets, codes)
    sent = Sets(numbers, np.array([0, 10]), np.array([2, 2]), sets)
    ForestKernel(here, nodes, roots, first_sums, values, sent).add_leaves(codes, raw)
    assert there.tobytes() == raw.tobytes()


def test_exponentials_are_the_same_on_every_processor(elsewhere: Callable[..., Any]) -> None:
    values = np.random.default_rng(8).uniform(-110, 95, 20_000).astype(np.float32)
    there = elsewhere(values, -1, len(values), PARTS_PER_UNIT, COEFFICIENTS, LOW, HIGH, POWERS)
    assert there.tobytes() == exponential_in_numpy(values).tobytes()


@pytest.mark.parametrize(("compiler", "emulator"), [ARM, ELDER], ids=["arm64", "x86-64-v2"])
@pytest.mark.parametrize("quote", ["", '"'], ids=["unquoted", "quoted"])
def test_fields_say_the_same_on_every_processor(folder: Path, compiler: str, emulator: list[str], quote: str) -> None:
    rng = np.random.default_rng(7)
    numbers = [*(repr(float(value)) for value in rng.normal(scale=1e3, size=300)), "", "-0", "9007199254740993", "1234567890123456789e-38"]
    rows = [
        (number, f"2013-{rng.integers(1, 13):02}-{rng.integers(1, 29):02} 05:{rng.integers(60):02}", "é" * (k % 7))
        for k, number in enumerate(numbers)
    ]
    text = "".join(";".join(f"{quote}{field}{quote}" for field in row) + "\r\n" for row in rows).encode()
    sent = np.array([ord(";"), 3, len(rows) + 1, len(text)], np.int64).tobytes() + text
    here, there = (
        build(by, "-static", source=HERE / "one_text.c", out=folder / f"one_text-{by}{quote and '-q'}") for by in ("gcc", compiler)
    )
    reported = [
        subprocess.run([*by, program], input=sent, capture_output=True, check=True).stdout
        for by, program in (([], here), (emulator, there))
    ]
    assert reported[0] == reported[1]
    records, values = (
        int(np.frombuffer(reported[0], np.int64, 1)[0]),
        np.frombuffer(reported[0], np.float64, len(rows), 8 + 8 * len(rows) + 24),
    )
    assert records == len(rows)
    assert values.tolist() == [float(number or 0) for number in numbers]


@pytest.mark.parametrize(("compiler", "machine"), [("x86_64-linux-gnu-gcc", 62), ("aarch64-linux-gnu-gcc", 183)], ids=["x86-64", "arm64"])
def test_the_library_is_built_for_both_of_lambdas_architectures(folder: Path, compiler: str, machine: int) -> None:
    library = build(compiler, "-shared", "-fPIC", out=folder / f"libkernels-{machine}.so").read_bytes()
    # ELF's header: at byte 18 the machine (62 is x86-64, 183 AArch64), as the ELF specification numbers them.
    assert (library[:4], int.from_bytes(library[18:20], "little")) == (b"\x7fELF", machine)
    assert all(name in library for name in (b"everscore_interface", b"everscore_bitvector", b"everscore_forest", b"everscore_split"))
