"""What wakes metric_emission beside manifests and labels: the scheduler's hourly tick and daily sweep."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class ScheduledRequest(BaseModel):
    """`tick` tells the state of every model; `sweep` clears what crashed attempts left and looks for unscored uploads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["tick", "sweep"]
