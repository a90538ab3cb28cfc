"""What wakes metric_emission besides manifests and labels: the scheduler's hourly tick and daily sweep."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class ScheduledRequest(BaseModel):
    """`tick` reports the state of every model; `sweep` clears what crashes left and finds unscored uploads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["tick", "sweep"]
