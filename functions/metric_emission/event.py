"""What wakes metric_emission, apart from manifests and labels.

That is the scheduler: an hourly tick and a daily sweep.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class ScheduledRequest(BaseModel):
    """A request of the scheduler.

    `tick` reports the state of every model; `sweep` clears what crashes left and finds unscored uploads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["tick", "sweep"]
