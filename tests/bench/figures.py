"""Measured figures for those who reckon with them: `everscore cost`."""

from infra.cost.speed import FIGURES, ColdStarts, Stages, TableSeconds, measured


def record(*, stages: Stages | None = None, cold_starts: ColdStarts | None = None, tables: TableSeconds | None = None) -> None:
    """Put what was measured in the place of what was measured before."""
    given = {"stages": stages, "cold_starts": cold_starts, "tables": tables}
    changed = {name: value for name, value in given.items() if value is not None}
    FIGURES.write_bytes(measured().model_copy(update=changed).to_json())
