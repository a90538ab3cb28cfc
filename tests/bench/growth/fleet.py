"""Many models that serve, and the ticks over all of them."""

from collections.abc import Callable, Iterator

from functions.metric_emission.upkeep import tick
from functions.release import service as release
from functions.release.ports import Ports as ReleasePorts
from functions.shared.domain import layout
from functions.shared.foundation.fan_out import AT_ONCE, for_each
from functions.shared.ports import TrainingRun
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.releases import Releases
from tests.fakes.counting_store import CountingStore
from tests.fakes.documents import NOW, make_decision, make_manifest, make_release
from tests.fakes.measuring import make_ports
from tests.fakes.memory_registry import MemoryRegistry

type Act = tuple[str, Callable[[], object]]


class Fleet:
    """Models without a challenger, of one batch each, whose aliases say what is served."""

    def __init__(self, models: int) -> None:
        self._store, self._registry = CountingStore(), MemoryRegistry()
        for number in range(models):
            self._add(f"model-{number}")
        tick(make_ports(self._store))

    def _add(self, model: str) -> None:
        served = make_release().champion.model_copy(update={"prefix": layout.version_prefix(model, "1")})
        Releases(self._store).publish(make_release(model=model, champion=served), over=None)
        Decisions(self._store).write(make_decision("1", model=model, champion_version=None))
        Manifests(self._store).commit(make_manifest().model_copy(update={"model": model}))
        self._registry.register(model, "1", TrainingRun(None, {}, {}, {}, {}))
        self._registry.set_aliases(model, {"champion": "1"})
        self._registry.set_sequence(model, 1)

    def requests(self) -> int:
        """To the store so far."""
        return self._store.requests

    def acts(self) -> Iterator[Act]:
        """What is measured."""
        yield "hourly tick", lambda: tick(make_ports(self._store))
        desk = ReleasePorts(self._store, self._registry, lambda: "name", lambda: NOW)
        yield "release tick", lambda: for_each(Releases(self._store).models(), lambda model: release.tick(model, desk), at_once=AT_ONCE)
