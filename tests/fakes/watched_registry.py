"""A registry whose every call is announced, like `WatchedStore`'s."""

from collections.abc import Callable, Mapping

from functions.shared.ports import Registry, TrainingRun
from tests.fakes.watched_store import Moment, Watcher


class WatchedRegistry:
    """`Registry` that calls a watcher before and after each call, and each alias, that reaches the registry behind it."""

    def __init__(self, inner: Registry, watcher: Watcher) -> None:
        self._inner = inner
        self._watcher = watcher
        self._calls = 0

    def _watched[T](self, call: str, action: Callable[[], T]) -> T:
        self._calls += 1
        number = self._calls
        self._watcher(Moment("registry", number, "before", call))
        result = action()
        self._watcher(Moment("registry", number, "after", call))
        return result

    def register(self, model: str, version: str, run: TrainingRun) -> str:
        return self._watched("register", lambda: self._inner.register(model, version, run))

    def recorded_runs(self, model: str) -> frozenset[str]:
        return self._watched("recorded runs", lambda: self._inner.recorded_runs(model))

    def attach(self, run_id: str, files: Mapping[str, bytes], metrics: Mapping[str, float]) -> None:
        self._watched("attach", lambda: self._inner.attach(run_id, files, metrics))

    def aliases(self, model: str) -> Mapping[str, str]:
        return self._watched("aliases", lambda: self._inner.aliases(model))

    def set_aliases(self, model: str, wanted: Mapping[str, str | None]) -> None:
        # Each alias is a request of its own: a crash may come between any two.
        for alias, version in wanted.items():
            self._watched(f"set alias {alias}", lambda one={alias: version}: self._inner.set_aliases(model, one))  # type: ignore[misc]

    def sequence(self, model: str) -> int:
        return self._watched("sequence", lambda: self._inner.sequence(model))

    def set_sequence(self, model: str, seq: int) -> None:
        self._watched("set sequence", lambda: self._inner.set_sequence(model, seq))

    def record_refusal(self, model: str, reason: str) -> None:
        self._watched("record refusal", lambda: self._inner.record_refusal(model, reason))
