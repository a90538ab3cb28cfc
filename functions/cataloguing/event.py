"""What wakes cataloguing besides manifests: the scheduler, every hour and every night."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class ScheduledRequest(BaseModel):
    """`compare` looks at the last days of every model; `sweep` looks at all days, and clears what no table names any more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["compare", "sweep"]
