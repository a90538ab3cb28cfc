"""A tree ensemble as bit masks: the leaves that each feature's bin still allows.

Source: QuickScorer (Lucchese et al., SIGIR 2015). Its scan over thresholds is replaced by a table: `mask[feature][bin][tree]` has
a bit for each leaf that the bin does not exclude. The AND over a row's features leaves one bit per tree: the row's leaf.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.domain.spec import Feature
from functions.shared.engines.arrays import Arrays
from functions.shared.engines.engine import Reals
from functions.shared.engines.links import INVERSE_LINKS
from functions.shared.engines.slots import Slots, read_slots

type Masks = NDArray[np.uint32] | NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class MaskTable:
    """A feature's bins, and the leaves that each allows in each tree: (bins, trees)."""

    feature: int
    bins: Slots
    masks: Masks


@dataclass(frozen=True, slots=True)
class LeafSum:
    """Adds leaf values of the trees from `first` to one raw sum: (trees, leaves)."""

    output: int
    first: int
    values: Reals


@dataclass(frozen=True, slots=True)
class TreeModel:
    """An ensemble over raw features: `link(scale * (base + leaf values) / divisor)`.

    `link` names one of `INVERSE_LINKS`. `base` has shape (sums,). Sums are made in its precision, which leaf values have too.
    """

    link: str
    base: Reals
    divisor: float
    scale: float
    tables: tuple[MaskTable, ...]
    leaf_sums: tuple[LeafSum, ...]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that `read_tree_model` reads."""
        stored: dict[str, NDArray[Any]] = {
            "link": np.array(self.link),
            "base": self.base,
            "divisor": np.array([self.divisor]),
            **({} if self.scale == 1.0 else {"scale": np.array([self.scale])}),
            "features": np.array([table.feature for table in self.tables], dtype=np.int64),
            "sum_outputs": np.array([leaf_sum.output for leaf_sum in self.leaf_sums], dtype=np.int64),
            "sum_first_trees": np.array([leaf_sum.first for leaf_sum in self.leaf_sums], dtype=np.int64),
        }
        for table in self.tables:
            stored |= {f"masks_{table.feature}": table.masks, **table.bins.arrays(table.feature)}
        for k, leaf_sum in enumerate(self.leaf_sums):
            stored[f"leaves_{k}"] = leaf_sum.values
        return stored


def read_tree_model(arrays: Arrays, features: Sequence[Feature], outputs: int) -> TreeModel:
    """Read the model that `TreeModel.arrays` stored.

    Raises:
        InvalidBundleError: if the arrays do not describe a model with these features and outputs.
    """
    link = arrays.text("link")
    if link not in INVERSE_LINKS:
        message = f"there is no link {link!r}"
        raise InvalidBundleError(message)
    tables: list[MaskTable] = []
    for feature in arrays.integers("features", below=len(features)).tolist():
        bins = read_slots(arrays, feature, features[feature].kind)
        masks = arrays.words(f"masks_{feature}", bins.size, like=tables[0].masks if tables else None)
        tables.append(MaskTable(feature, bins, masks))
    if not tables or not tables[0].masks.shape[1]:
        message = "a tree ensemble needs a feature and a tree"
        raise InvalidBundleError(message)
    trees, leaves = tables[0].masks.shape[1], 8 * tables[0].masks.itemsize
    sum_outputs = arrays.integers("sum_outputs", below=outputs)
    first_trees = arrays.integers("sum_first_trees", below=trees)
    if len(sum_outputs) != len(first_trees) or not len(sum_outputs):
        message = "the outputs and first trees of the leaf sums do not go together"
        raise InvalidBundleError(message)
    base = arrays.reals("base", outputs)
    leaf_sums = []
    for k, (output, first) in enumerate(zip(sum_outputs.tolist(), first_trees.tolist(), strict=True)):
        values = arrays.reals(f"leaves_{k}", None, leaves, like=base)
        if first + len(values) > trees:
            message = f"leaf sum {k} reaches beyond the last tree"
            raise InvalidBundleError(message)
        leaf_sums.append(LeafSum(output, first, values))
    return TreeModel(link, base, arrays.divisor(), arrays.scale(), tuple(tables), tuple(leaf_sums))
