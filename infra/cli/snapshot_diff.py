"""What differs between two training sets of a model."""

import functools
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from functions.shared.domain.drift.baseline import build_column_baseline
from functions.shared.domain.drift.binning import bin_codes, bin_counts
from functions.shared.domain.drift.divergence import psi
from functions.shared.domain.ids import id_texts
from functions.shared.domain.spec import Feature, ModelSpec


def compare_snapshots(spec: ModelSpec, old: pa.Table, new: pa.Table) -> dict[str, Any]:
    """Return rows added, removed, relabelled or changed, by identity.

    Columns that came or went and PSI by feature belong to it.

    Args:
        spec: of the older version: names the identity, the target and the features that are compared.
        old: its training set.
        new: the later one.
    """
    features = [feature for feature in spec.features if feature.name in new.column_names]
    return {
        **_row_changes(spec, old, new, features),
        "rows": [old.num_rows, new.num_rows],
        "columns_added": sorted(set(new.column_names) - set(old.column_names)),
        "columns_removed": sorted(set(old.column_names) - set(new.column_names)),
        "features": [{"feature": feature.name, "psi": _distance(feature, old, new)} for feature in features],
    }


def _row_changes(spec: ModelSpec, old: pa.Table, new: pa.Table, features: list[Feature]) -> dict[str, int]:
    identity = [name for name in (spec.id_column, spec.time_column) if name]
    compared = [spec.target, *(feature.name for feature in features)]
    left, right = _side(old, identity, compared, "old"), _side(new, identity, compared, "new")
    both = left.join(right, _numbered("key", identity), join_type="full outer")
    kept = pc.and_(both["old"].is_valid(), both["new"].is_valid())
    differs = [pc.and_(kept, _different(both[f"old{column}"], both[f"new{column}"])) for column in range(len(compared))]
    changed = functools.reduce(pc.or_, differs[1:], pc.xor(kept, kept))
    return {
        "added": both["old"].null_count,
        "removed": both["new"].null_count,
        "relabelled": pc.sum(differs[0]).as_py() or 0,
        "changed": pc.sum(changed).as_py() or 0,
    }


def _side(table: pa.Table, identity: list[str], compared: list[str], side: str) -> pa.Table:
    """Return the compared columns by position, and a mark that the row is there.

    A column may have any name.
    """
    table = table.set_column(table.column_names.index(identity[0]), identity[0], id_texts(table[identity[0]]))
    named = table.select([*identity, *compared]).rename_columns([*_numbered("key", identity), *_numbered(side, compared)])
    return named.append_column(side, pa.array([True] * table.num_rows, pa.bool_()))


def _numbered(name: str, columns: list[str]) -> list[str]:
    return [f"{name}{position}" for position in range(len(columns))]


def _different(old: pa.ChunkedArray, new: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return where two values differ; two missing ones do not."""
    unlike = pc.fill_null(pc.not_equal(old, new), fill_value=False)
    return pc.or_(unlike, pc.xor(old.is_null(), new.is_null()))


def _distance(feature: Feature, old: pa.Table, new: pa.Table) -> float:
    """PSI of the new rows in bins fitted on the old ones."""
    baseline = build_column_baseline(feature.name, feature.kind, old[feature.name])
    counts = bin_counts(baseline.bins, bin_codes(baseline.bins, new[feature.name]))
    return float(psi(np.array(baseline.counts), counts))
