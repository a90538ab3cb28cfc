"""An alert closes only when what it was about is seen to be over."""

from datetime import timedelta

from functions.metric_emission.upkeep import sweep
from functions.shared.domain import layout
from functions.shared.repositories.manifests import Manifests, source_of
from tests.component.metric_emission.world import World
from tests.fakes.documents import make_manifest
from tests.fakes.memory_store import EPOCH
from tests.fakes.versions import MODEL

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def swept_daily(world: World, days: int) -> None:
    for day in range(days):
        world.moment = EPOCH + 2 * HOUR + day * DAY
        sweep(world.ports())


# Uploads that nothing came of


def test_an_upload_that_was_never_scored_keeps_its_alert_open_when_it_is_too_old_to_be_looked_for() -> None:
    world = World()
    world.inbox.write(f"batches/{MODEL}/lost.csv", b"x")
    swept_daily(world, 5)
    assert (list(world.causes().open()), len(world.alerts()), world.closings()) == (["unscored"], 1, [])


def test_an_alert_on_an_unscored_upload_closes_when_that_upload_is_scored() -> None:
    world = World()
    source = source_of("inbox", world.inbox.write(f"batches/{MODEL}/lost.csv", b"x"))
    swept_daily(world, 5)
    batch = layout.batch_id("inbox", source.key, source.version_id)
    Manifests(world.store).commit(make_manifest(source=source, batch_id=batch))
    sweep(world.ports())
    assert world.causes().open() == {}
    [closing] = world.closings()
    assert closing.startswith("closed, each upload that it was about has a manifest or was removed; since ")


def test_an_alert_on_an_unscored_upload_closes_when_that_upload_is_removed() -> None:
    world = World()
    key = f"batches/{MODEL}/lost.csv"
    world.inbox.write(key, b"x")
    swept_daily(world, 4)
    world.inbox.delete([key])
    sweep(world.ports())
    assert world.causes().open() == {}
