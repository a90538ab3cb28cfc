"""The environment, read once and checked: a missing setting fails at start, by name."""

import os
from collections.abc import Mapping
from functools import cache

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator


class MissingSettingError(Exception):
    """An environment variable that this function needs is absent or empty. A retry cannot help."""


class Settings(BaseModel):
    """What every function is told about its stack."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stack: str = Field(alias="EVERSCORE_STACK", min_length=1)
    inbox: str = Field(alias="EVERSCORE_INBOX", min_length=1)
    store: str = Field(alias="EVERSCORE_STORE", min_length=1)


class RegistrySettings(Settings):
    """… and where the model registry is, if there is one."""

    mlflow_tracking_uri: str = Field(alias="MLFLOW_TRACKING_URI", default="")


class MeasuringSettings(Settings):
    """… and how much memory (MB) scoring has, the URLs of all queues by name, and where a Prometheus takes samples, if anywhere."""

    scoring_memory_mb: int = Field(alias="EVERSCORE_SCORING_MEMORY_MB", gt=0)
    queues: dict[str, str] = Field(alias="EVERSCORE_QUEUES")
    remote_write_url: str = Field(alias="EVERSCORE_REMOTE_WRITE_URL", default="")

    @field_validator("queues", mode="before")
    @classmethod
    def _by_name(cls, pairs: str) -> dict[str, str]:
        """Read `name=url name=url …`."""
        return dict(pair.split("=", 1) for pair in pairs.split())


class ScoringSettings(Settings):
    """… above which size an upload is scored in partitions, and by which state machine."""

    partition_above_mb: int = Field(alias="EVERSCORE_PARTITION_ABOVE_MB", gt=0)
    state_machine: str = Field(alias="EVERSCORE_STATE_MACHINE", min_length=1)


class PartitioningSettings(Settings):
    """… the size of a partition, how many are scored at once, and up to which size an upload that cannot be cut is one.

    A megabyte is 2^20 bytes.
    """

    partition_mb: int = Field(alias="EVERSCORE_PARTITION_MB", gt=0)
    partition_concurrency: int = Field(alias="EVERSCORE_PARTITION_CONCURRENCY", gt=0)
    partition_above_mb: int = Field(alias="EVERSCORE_PARTITION_ABOVE_MB", gt=0)


class NotifyingSettings(Settings):
    """… the ARN of the topic that people subscribe to, and the name of a secret with further targets.

    `endpoint` is an embedded AWS's.
    """

    topic: str = Field(alias="EVERSCORE_TOPIC", min_length=1)
    secret: str = Field(alias="EVERSCORE_NOTIFICATION_SECRET", default="")
    endpoint: str = Field(alias="AWS_ENDPOINT_URL", default="")


class CodeCheckSettings(Settings):
    """… the ARNs of scoring's version that waits for traffic and of what serves, and whether the one is held to the other's bytes."""

    new_version: str = Field(alias="EVERSCORE_NEW_VERSION", min_length=1)
    serving: str = Field(alias="EVERSCORE_SERVING", min_length=1)
    code_check: bool = Field(alias="EVERSCORE_CODE_CHECK")


def read_settings[S: Settings](kind: type[S], environment: Mapping[str, str]) -> S:
    """Read `kind` from environment variables, or raise MissingSettingError that names each one."""
    try:
        return kind.model_validate(dict(environment))
    except ValidationError as error:
        names = ", ".join(str(problem["loc"][0]) for problem in error.errors())
        message = f"set {names} (the template does; for a shell: `everscore local env`)"
        raise MissingSettingError(message) from error


@cache
def settings() -> Settings:
    """Settings of the running process."""
    return read_settings(Settings, os.environ)


@cache
def registry_settings() -> RegistrySettings:
    """Settings of the running process, with the registry's."""
    return read_settings(RegistrySettings, os.environ)


@cache
def measuring_settings() -> MeasuringSettings:
    """Settings of the running process, with the measured function's."""
    return read_settings(MeasuringSettings, os.environ)


@cache
def scoring_settings() -> ScoringSettings:
    """Settings of the running process, with those of handing large uploads over."""
    return read_settings(ScoringSettings, os.environ)


@cache
def notifying_settings() -> NotifyingSettings:
    """Settings of the running process, with the topic."""
    return read_settings(NotifyingSettings, os.environ)


@cache
def code_check_settings() -> CodeCheckSettings:
    """Settings of the running process, with the version to check."""
    return read_settings(CodeCheckSettings, os.environ)


@cache
def partitioning_settings() -> PartitioningSettings:
    """Settings of the running process, with the sizes of partitions."""
    return read_settings(PartitioningSettings, os.environ)
