"""The engine of tree ensembles with up to 64 leaves per tree.

It uses `trees.c` if built, otherwise NumPy, with the same bits as a result.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from functions.shared.domain.spec import Feature
from functions.shared.engines.arrays import Arrays
from functions.shared.engines.bitvector_model import TreeModel, read_tree_model
from functions.shared.engines.bitvector_numpy import MasksInNumpy
from functions.shared.engines.engine import Backend, Floats, Reals
from functions.shared.engines.links import scores
from functions.shared.engines.slots import Codes, NumberSlots, Slots
from functions.shared.kernels.library import kernel_library
from functions.shared.kernels.trees import BitvectorKernel, Numbers


class BitvectorEngine:
    """Scores with a `TreeModel`."""

    def __init__(self, arrays: Arrays, features: Sequence[Feature], outputs: int) -> None:
        """Read the model; raise `InvalidBundleError` if the arrays do not fit it."""
        names = [feature.name for feature in features]
        self._model = read_tree_model(arrays, features, outputs)
        kernel = _kernel(self._model)
        self.backend = Backend.NUMPY if kernel is None else Backend.KERNEL
        self._masks = MasksInNumpy(self._model, names) if kernel is None else _MasksInKernel(kernel, self._model, names)

    def score(self, batch: pa.RecordBatch) -> Floats:
        """See `Engine.score`."""
        model = self._model
        raw = np.empty((batch.num_rows, len(model.base)), model.base.dtype)
        raw[:] = model.base
        self._masks.add_leaves(batch, raw)
        return scores(raw, model.link, divisor=model.divisor, scale=model.scale)


class _MasksInKernel:
    def __init__(self, kernel: BitvectorKernel, model: TreeModel, names: Sequence[str]) -> None:
        self._kernel, self._model, self._names = kernel, model, names

    def add_leaves(self, batch: pa.RecordBatch, raw: Reals) -> None:
        columns = [_for_kernel(table.bins, batch.column(self._names[table.feature])) for table in self._model.tables]
        self._kernel.add_leaves(columns, raw)


def _for_kernel(bins: Slots, column: pa.Array) -> Codes | Numbers:
    """Return the kernel's input: raw numbers, which it bins itself, or finished bins."""
    return bins.numbers(column) if isinstance(bins, NumberSlots) else bins.codes(column)


def _kernel(model: TreeModel) -> BitvectorKernel | None:
    library = kernel_library()
    if library is None:
        return None
    sums = [(leaf_sum.output, leaf_sum.first, leaf_sum.values) for leaf_sum in model.leaf_sums]
    return BitvectorKernel(library, [table.masks for table in model.tables], sums, len(model.base))
