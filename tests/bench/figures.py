"""Measured figures for those who reckon with them: `everscore cost`."""

from infra.cost.speed import FIGURES, ColdStarts, Stages, measured


def record(*, stages: Stages | None = None, cold_starts: ColdStarts | None = None) -> None:
    """Put what was measured in the place of what was measured before."""
    changed = {name: value for name, value in {"stages": stages, "cold_starts": cold_starts}.items() if value is not None}
    FIGURES.write_bytes(measured().model_copy(update=changed).to_json())
