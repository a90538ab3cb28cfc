"""What computed the scores: recorded by the scorer, shown by `everscore status`."""

from collections.abc import Iterator

import pytest

from functions.shared.engines.engine import EngineKind
from functions.shared.kernels.library import SETTING, kernel_library
from infra.cli.options import show
from infra.cli.screens.status import status_screen
from infra.cli.state import model_status
from tests.component.scoring.world import World, as_csv, good_rows
from tests.fakes.documents import make_decision, serve
from tests.fakes.versions import MODEL, make_version


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(SETTING, "off")
    kernel_library.cache_clear()
    yield
    kernel_library.cache_clear()


def rollout() -> World:
    world = World()
    serve(world.store, make_version("1", EngineKind.NATIVE), make_version("2", EngineKind.BITVECTOR), share=0.5)
    return world


def means(world: World) -> dict[str, str]:
    release = world.score(world.upload(as_csv(good_rows()))).release
    assert release is not None
    return {role.value: means for role, means in release.means.items()}


def test_the_manifest_says_by_role_what_computed_the_scores() -> None:
    assert means(rollout()) == {"champion": "scikit-learn", "challenger": "kernel" if kernel_library() else "numpy"}


def test_without_kernels_it_was_numpy(without_kernels: None) -> None:
    assert means(rollout()) == {"champion": "scikit-learn", "challenger": "numpy"}


def test_status_shows_it_for_each_version_that_has_scored(without_kernels: None, capsys: pytest.CaptureFixture[str]) -> None:
    world = World()
    release = serve(world.store, make_version("1", EngineKind.BITVECTOR))
    for number in ("1", "2"):
        decision = make_decision(number, engine="bitvector")
        world.store.write(f"decisions/{MODEL}/{number}.json", decision.to_json())
    means(world)
    state = model_status(release, world.store)
    assert {version["version"]: version["engine_means"] for version in state["versions"]} == {"1": "numpy", "2": None}
    show(state, status_screen, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert any("bitvector (numpy)" in line for line in lines)
    assert any("bitvector" in line and "(numpy)" not in line for line in lines)
