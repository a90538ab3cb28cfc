"""A model registry in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from functions.shared.domain.errors import AdoptionRefusedError
from functions.shared.ports import ForeignModel, TrainingRun

_NUMBERS = count(1)
"""Of runs, which no two registries call the same."""


@dataclass
class RecordedRun:
    """What a registry keeps of a run."""

    training: TrainingRun
    files: dict[str, bytes] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass
class _Model:
    versions: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    sequence: int = 0
    refusal: str = ""


class MemoryRegistry:
    """`Registry` in memory; `runs` holds what was recorded, by run id, and `logged` what others logged, by URI."""

    def __init__(self) -> None:
        self.runs: dict[str, RecordedRun] = {}
        self.logged: dict[str, ForeignModel] = {}
        self._models: dict[str, _Model] = {}

    def register(self, model: str, version: str, run: TrainingRun) -> str:
        run_id = f"run-{next(_NUMBERS)}"
        self.runs[run_id] = RecordedRun(run, metrics=dict(run.metrics))
        self._models.setdefault(model, _Model()).versions[version] = run_id
        return run_id

    def recorded_runs(self, model: str) -> frozenset[str]:
        return frozenset(self._models[model].versions.values()) if model in self._models else frozenset()

    def attach(self, run_id: str, files: Mapping[str, bytes], metrics: Mapping[str, float]) -> None:
        self.runs[run_id].files.update(files)
        self.runs[run_id].metrics.update(metrics)

    def logged_model(self, uri: str) -> ForeignModel:
        if uri not in self.logged:
            raise AdoptionRefusedError(uri)
        return self.logged[uri]

    def aliases(self, model: str) -> Mapping[str, str]:
        return dict(self._models[model].aliases) if model in self._models else {}

    def set_aliases(self, model: str, wanted: Mapping[str, str | None]) -> None:
        aliases = self._models[model].aliases
        for alias, version in wanted.items():
            if version is None or not self._has(model, version):
                aliases.pop(alias, None)
            else:
                aliases[alias] = version

    def _has(self, model: str, version: str) -> bool:
        found = self._models[model]
        return version in found.versions and version not in found.deleted

    def delete(self, model: str, version: str) -> None:
        """A person deletes a version; its aliases go with it."""
        found = self._models[model]
        found.deleted.add(version)
        found.aliases = {alias: other for alias, other in found.aliases.items() if other != version}

    def sequence(self, model: str) -> int:
        return self._models[model].sequence if model in self._models else 0

    def set_sequence(self, model: str, seq: int) -> None:
        self._models[model].sequence = seq

    def record_refusal(self, model: str, reason: str) -> None:
        self._models[model].refusal = reason

    def refusal(self, model: str) -> str:
        """What a person reads there."""
        return self._models[model].refusal
