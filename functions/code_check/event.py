"""The event that CodeDeploy sends before it shifts traffic to a new version."""

from pydantic import BaseModel, ConfigDict, Field


class PreTrafficEvent(BaseModel):
    """A deployment that waits for a result."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    deployment_id: str = Field(alias="DeploymentId", min_length=1)
    execution_id: str = Field(alias="LifecycleEventHookExecutionId", min_length=1)
