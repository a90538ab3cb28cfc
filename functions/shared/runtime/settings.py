"""Read and check the environment once; a missing setting fails at start, by name."""

import os
from collections.abc import Mapping
from functools import cache

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator


class MissingSettingError(Exception):
    """A required environment variable is absent or empty. A retry cannot help."""


class Settings(BaseModel):
    """Settings of every function."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore")

    stack: str = Field(alias="EVERSCORE_STACK", min_length=1)
    inbox: str = Field(alias="EVERSCORE_INBOX", min_length=1)
    store: str = Field(alias="EVERSCORE_STORE", min_length=1)


class RegistrySettings(Settings):
    """Settings with the model registry's address and its secret's name, if any."""

    mlflow_tracking_uri: str = Field(alias="MLFLOW_TRACKING_URI", default="")
    mlflow_secret: str = Field(alias="EVERSCORE_MLFLOW_SECRET", default="")


class MeasuringSettings(Settings):
    """Settings with scoring's memory (MB), queue URLs by name, and Prometheus.

    Prometheus has a URL, and the name of the secret that it asks for.
    """

    scoring_memory_mb: int = Field(alias="EVERSCORE_SCORING_MEMORY_MB", gt=0)
    queues: dict[str, str] = Field(alias="EVERSCORE_QUEUES")
    remote_write_url: str = Field(alias="EVERSCORE_REMOTE_WRITE_URL", default="")
    prometheus_secret: str = Field(alias="EVERSCORE_PROMETHEUS_SECRET", default="")

    @field_validator("queues", mode="before")
    @classmethod
    def _by_name(cls, pairs: str) -> dict[str, str]:
        """Parse `name=url name=url …`."""
        return dict(pair.split("=", 1) for pair in pairs.split())


class ScoringSettings(Settings):
    """Settings with the size above which uploads are partitioned, and by what."""

    partition_above_mb: int = Field(alias="EVERSCORE_PARTITION_ABOVE_MB", gt=0)
    state_machine: str = Field(alias="EVERSCORE_STATE_MACHINE", min_length=1)


class PartitioningSettings(Settings):
    """Settings with sizes for partitioning, in megabytes of 2^20 bytes.

    They are the size of a partition, how many are scored at once, and the largest upload that may be scored uncut.
    """

    partition_mb: int = Field(alias="EVERSCORE_PARTITION_MB", gt=0)
    partition_concurrency: int = Field(alias="EVERSCORE_PARTITION_CONCURRENCY", gt=0)
    partition_above_mb: int = Field(alias="EVERSCORE_PARTITION_ABOVE_MB", gt=0)


class NotifyingSettings(Settings):
    """Settings with the topic's ARN, and the name of a secret with more targets.

    `endpoint` is an embedded AWS's.
    """

    topic: str = Field(alias="EVERSCORE_TOPIC", min_length=1)
    secret: str = Field(alias="EVERSCORE_NOTIFICATION_SECRET", default="")
    endpoint: str = Field(alias="AWS_ENDPOINT_URL", default="")


class CodeCheckSettings(Settings):
    """Settings with the ARNs of the waiting and the serving version of scoring.

    They also say whether both must produce the same bytes.
    """

    new_version: str = Field(alias="EVERSCORE_NEW_VERSION", min_length=1)
    serving: str = Field(alias="EVERSCORE_SERVING", min_length=1)
    code_check: bool = Field(alias="EVERSCORE_CODE_CHECK")


def read_settings[S: Settings](kind: type[S], environment: Mapping[str, str]) -> S:
    """Read `kind` from the environment; MissingSettingError names all absent ones."""
    try:
        return kind.model_validate(dict(environment))
    except ValidationError as error:
        names = ", ".join(str(problem["loc"][0]) for problem in error.errors())
        message = f"set {names} (the template does; for a shell: `everscore local env`)"
        raise MissingSettingError(message) from error


@cache
def settings() -> Settings:
    """Return the settings of the running process."""
    return read_settings(Settings, os.environ)


@cache
def registry_settings() -> RegistrySettings:
    """Return the settings of the running process, with the registry's."""
    return read_settings(RegistrySettings, os.environ)


@cache
def measuring_settings() -> MeasuringSettings:
    """Return the settings of the running process, with those for measuring."""
    return read_settings(MeasuringSettings, os.environ)


@cache
def scoring_settings() -> ScoringSettings:
    """Return the settings of the running process, with those for large uploads."""
    return read_settings(ScoringSettings, os.environ)


@cache
def notifying_settings() -> NotifyingSettings:
    """Settings of the running process, with the topic."""
    return read_settings(NotifyingSettings, os.environ)


@cache
def code_check_settings() -> CodeCheckSettings:
    """Return the settings of the running process, with the version to check."""
    return read_settings(CodeCheckSettings, os.environ)


@cache
def partitioning_settings() -> PartitioningSettings:
    """Return the settings of the running process, with the sizes of partitions."""
    return read_settings(PartitioningSettings, os.environ)
