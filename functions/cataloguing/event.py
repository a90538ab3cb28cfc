"""What calls cataloguing apart from manifests: a schedule, hourly and nightly."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class ScheduledRequest(BaseModel):
    """A comparison of tables with manifests, or a sweep.

    `compare` looks at the last days of every model. `sweep` looks at all days, and deletes files that no table names any more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Literal["compare", "sweep"]
