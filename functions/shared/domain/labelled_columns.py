"""Names of columns in files of labelled rows."""

from collections.abc import Collection

from functions.shared.domain.scored_columns import stored_name
from functions.shared.domain.spec import ModelSpec

LABEL = "everscore_label"
ARRIVED = "everscore_label_arrived"
CHAMPION = "everscore_champion"
CHALLENGER = "everscore_challenger"
BATCH = "everscore_batch"
"""Columns that labelled rows add to scored ones: the label, when its file arrived, the versions and the batch."""
ID, TIME = "id", "time"
"""A row's identity."""


def stored_identity(columns: Collection[str], spec: ModelSpec) -> dict[str, str]:
    """Return the names of `ID` and any `TIME` among the columns of scored rows."""
    names = {ID: spec.id_column, TIME: spec.time_column}
    return {name: stored_name(column, columns, spec) for name, column in names.items() if column}
