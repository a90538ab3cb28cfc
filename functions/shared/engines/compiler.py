"""Compile a fitted pipeline into an engine's arrays, or say why not.

Imports scikit-learn: for retraining, not for scoring.
"""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from functions.shared.domain.errors import NotCompilableError
from functions.shared.domain.spec import Feature, ModelSpec, Task
from functions.shared.engines.bitvector_model import LeafSum, MaskTable, TreeModel
from functions.shared.engines.compiled import Compiled
from functions.shared.engines.engine import EngineKind
from functions.shared.engines.families.table import family_of
from functions.shared.engines.forest_compiler import forest_model, steps_by_feature
from functions.shared.engines.linear import BinTerm, LinearModel, NumberTerm
from functions.shared.engines.linear_forms import LinearForm
from functions.shared.engines.origins import ColumnOrigin, trace
from functions.shared.engines.probe import Probe, last_passing, source_origins
from functions.shared.engines.slots import CategorySlots, Slots
from functions.shared.engines.steps import decider_of, steps_of
from functions.shared.engines.tree_forms import Tree, TreeForm

MAX_LEAVES = np.iinfo(np.uint64).bits
MAX_TABLE_BYTES = 64 * 2**20
"""Size of tables beyond which no cache holds them, and walking down the trees is faster."""

# Raised by scikit-learn and NumPy if parts of a pipeline are not as expected here.
_UNEXPECTED = (ArithmeticError, AttributeError, IndexError, KeyError, NotImplementedError, TypeError, ValueError)


def compile_pipeline(pipeline: Any, spec: ModelSpec) -> Compiled:
    """Compile a fitted pipeline, or say why it stays native.

    The result still has to be proved: see `proof.prove`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _compile(pipeline, spec)
    except NotCompilableError as error:
        return Compiled(EngineKind.NATIVE, str(error))
    except _UNEXPECTED as error:
        return Compiled(EngineKind.NATIVE, f"compiling failed: {type(error).__name__}: {error}")


def _compile(pipeline: Any, spec: ModelSpec) -> Compiled:
    steps = steps_of(pipeline)
    model = steps[-1]
    if is_classifier(model) == (spec.task is Task.REGRESSION):
        message = f"{type(model).__name__} does not fit the task {spec.task}"
        raise NotCompilableError(message)
    family = family_of(model)
    linear = family.linear_form(model)
    if linear is not None:
        probe = _probe(spec.features, steps[:-1])
        compiled = _linear_model(linear, probe)
        _check_outputs(len(compiled.intercept), spec)
        return Compiled(EngineKind.LINEAR, f"{type(model).__name__} in {len(linear.coefficients[0])} columns", compiled.arrays())
    trees = family.tree_form(model)
    if trees is not None:
        _check_outputs(len(trees.base), spec)
        inside = [] if trees.preprocessor is None else [trees.preprocessor]
        probe = _probe(spec.features, [*steps[:-1], *inside])
        leaves = max(int(tree.is_leaf.sum()) for tree in trees.trees)
        reason = f"{type(model).__name__} of {len(trees.trees)} trees with up to {leaves} leaves"
        tables = _tree_model(trees, probe) if leaves <= MAX_LEAVES else None
        if tables is None:
            may_be_equal = decider_of(pipeline) is model and not trees.is_exact
            return Compiled(EngineKind.FOREST, reason, forest_model(trees, probe, votes=may_be_equal).arrays(), exact=trees.is_exact)
        return Compiled(EngineKind.BITVECTOR, reason, tables.arrays(), exact=trees.is_exact)
    message = f"{type(model).__name__} is not an estimator we compile"
    raise NotCompilableError(message)


def _check_outputs(sums: int, spec: ModelSpec) -> None:
    if sums != len(spec.score_columns):
        message = f"the estimator gives {sums} outputs, the spec names {len(spec.score_columns)}"
        raise NotCompilableError(message)


def _probe(features: Sequence[Feature], steps: Sequence[Any]) -> Probe:
    origins = _in_fitted_order(source_origins(features), steps)
    for step in steps:
        origins = trace(step, origins)
    return Probe(features, origins, partial(_transformed, steps))


def _in_fitted_order(sources: list[ColumnOrigin], steps: Sequence[Any]) -> list[ColumnOrigin]:
    """Sort origins by the columns of the frame on which a preprocessor was fitted."""
    names = getattr(steps[0], "feature_names_in_", None) if steps else None
    if names is None:
        return sources
    by_name = {origin.feature: origin for origin in sources}
    return [by_name[name] for name in names]


def _transformed(steps: Sequence[Any], frame: Any) -> Any:
    for step in steps:
        if step not in ("passthrough", None):
            frame = step.transform(frame)
    return frame


def _linear_model(form: LinearForm, probe: Probe) -> LinearModel:
    if form.coefficients.shape[1] != len(probe.columns):
        message = f"the model has {form.coefficients.shape[1]} columns, its preprocessor {len(probe.columns)}"
        raise NotCompilableError(message)
    missing = probe.values({feature.name: np.array([np.nan]) for feature in probe.features})[0]
    if not np.isfinite(missing).all():
        message = f"missing values of {probe.columns[int(np.argmin(np.isfinite(missing)))].feature} reach the model"
        raise NotCompilableError(message)
    stepped = {feature.name: [k for k in probe.columns_of(feature) if probe.columns[k].line is None] for feature in probe.features}
    bins = {feature.name: probe.bins(feature) for feature in probe.features if stepped[feature.name]}
    values = probe.values({name: inside for name, (_, inside) in bins.items()})
    intercept = form.intercept.copy()
    numbers: list[NumberTerm] = []
    terms: list[BinTerm] = []
    for k, feature in enumerate(probe.features):
        on_line = []
        for column in probe.columns_of(feature):
            line, weights = probe.columns[column].line, form.coefficients[:, column]
            if line is not None:
                on_line.append(NumberTerm(k, line.center, weights * line.scale, weights * missing[column]))
        if feature.name in bins:
            feature_bins, columns = bins[feature.name][0], stepped[feature.name]
            table = values[: feature_bins.size, columns] @ form.coefficients[:, columns].T
            if on_line and feature_bins.size == 2:
                intercept += table[0]
                on_line[0] = replace(on_line[0], missing=on_line[0].missing + table[1] - table[0])
            else:
                terms.append(BinTerm(k, *_sharing_equal_rows(feature_bins, table)))
        numbers += on_line
    return LinearModel(form.link, intercept, tuple(numbers), tuple(terms))


def _tree_model(form: TreeForm, probe: Probe) -> TreeModel | None:
    """Return the ensemble as masks; None if their tables would exceed the caches."""
    leaves = max(int(tree.is_leaf.sum()) for tree in form.trees)
    splits = _splits_by_column(form.trees)
    used = [feature for feature in probe.features if any(column in splits for column in probe.columns_of(feature))]
    edges = last_passing(probe, steps_by_feature(form, probe), form.compares_in)
    leaf_bits = [_leaf_bits(tree) for tree in form.trees]
    word = np.dtype(np.uint32 if leaves <= np.iinfo(np.uint32).bits else np.uint64)
    roots = np.array([bits[0] for bits in leaf_bits], dtype=word)
    # A model without any split still needs one table.
    bins = {feature.name: probe.bins(feature, edges.get(feature.name)) for feature in used or probe.features[:1]}
    if sum(feature_bins.size for feature_bins, _ in bins.values()) * roots.nbytes > MAX_TABLE_BYTES:
        return None
    with np.errstate(over="ignore"):
        values = probe.values({name: inside for name, (_, inside) in bins.items()}).astype(form.compares_in)
    tables = []
    for k, feature in enumerate(probe.features):
        if feature.name not in bins:
            continue
        feature_bins = bins[feature.name][0]
        masks = np.tile(roots, (feature_bins.size, 1))
        for column in probe.columns_of(feature):
            for number, node in splits.get(column, ()):
                tree, below = form.trees[number], leaf_bits[number]
                left = form.goes_left(tree, node, values[: feature_bins.size, column])
                masks[:, number] &= ~np.where(left, word.type(below[tree.right[node]]), word.type(below[tree.left[node]]))
        tables.append(MaskTable(k, *_sharing_equal_rows(feature_bins, masks)))
    return TreeModel(form.link, form.base, form.divisor, form.scale, tuple(tables), _leaf_sums(form, 8 * roots.itemsize))


def _splits_by_column(trees: Sequence[Tree]) -> dict[int, list[tuple[int, int]]]:
    """Return the splits on each column as (tree, node)."""
    splits: dict[int, list[tuple[int, int]]] = {}
    for number, tree in enumerate(trees):
        for node in np.flatnonzero(~tree.is_leaf).tolist():
            splits.setdefault(int(tree.column[node]), []).append((number, node))
    return splits


def _leaf_bits(tree: Tree) -> list[int]:
    """Return for each node the leaves below it as bits; the k-th leaf has bit k."""
    bits = [0] * len(tree.is_leaf)
    for bit, leaf in enumerate(np.flatnonzero(tree.is_leaf).tolist()):
        bits[leaf] = 1 << bit
    for node in np.flatnonzero(~tree.is_leaf)[::-1].tolist():
        bits[node] = bits[tree.left[node]] | bits[tree.right[node]]
    return bits


def _leaf_sums(form: TreeForm, width: int) -> tuple[LeafSum, ...]:
    """Return one sum for each run of trees that add to the same output."""
    sums = []
    for output in range(len(form.base)):
        members = [number for number, outputs in enumerate(form.outputs) if output in outputs]
        values = np.zeros((len(members), width), form.base.dtype)
        for row, number in enumerate(members):
            tree = form.trees[number]
            column = form.outputs[number].index(output)
            values[row, : tree.is_leaf.sum()] = tree.values[tree.is_leaf, column]
        sums.append(LeafSum(output, members[0], values))
    return tuple(sums)


def _sharing_equal_rows[Cell: np.generic](bins: Slots, table: NDArray[Cell]) -> tuple[Slots, NDArray[Cell]]:
    """Merge bins of equal table rows, so that rare categories cost no memory."""
    if not isinstance(bins, CategorySlots):
        return bins, table
    distinct, place = np.unique(table, axis=0, return_inverse=True)
    return CategorySlots(bins.texts, place[bins.rows].astype(np.int64)), distinct
