"""A model's life with the real functions; after each step DuckDB reads the tables, and pyarrow the files that stand."""

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from functions.cataloguing.service import rebuild
from functions.cataloguing.upkeep import compare, sweep
from functions.erasure.event import EraseRequest
from functions.erasure.ports import Ports as ErasurePorts
from functions.erasure.service import erase
from functions.release import service as release
from functions.retraining.event import RetrainRequest, TrainRequest
from functions.retraining.service import retrain, train_first
from functions.shared.domain.manifest import Manifest
from functions.shared.domain.policy import Policy
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.performances import labelled_days, performances
from functions.shared.repositories.policies import Policies
from tests.contract.audited_story import BATCH, LABELS, MODEL, POLICY, TRAINING, Story, table
from tests.fakes.memory_store import MemoryStore
from tests.integration.cataloguing.world import World

SCORED, LABELLED, PERFORMANCE = (f"{MODEL}_{kind}" for kind in ("scored", "labelled", "performance"))


class TableStory(Story):
    """The functions over a store whose files DuckDB reads."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self._inbox, self._seconds = world, MemoryStore("Inbox"), count()

    def store(self, who: str, bucket: str) -> Any:
        return self._inbox if bucket == "Inbox" else self.world.store

    def now(self) -> datetime:
        return datetime(2013, 4, 1, 12, tzinfo=UTC) + self.later + timedelta(seconds=next(self._seconds))

    def batch(self, name: str, text: str) -> Manifest:
        """A batch that is scored and measured."""
        manifest = self.score(self.upload(f"batches/{MODEL}/{name}", text))
        self.record(manifest)
        return manifest

    def standing(self) -> list[Manifest]:
        """The newest scoring of each upload."""
        newest: dict[str, Manifest] = {}
        for manifest in sorted(Manifests(self.world.store).newest(MODEL), key=lambda manifest: manifest.created_at):
            newest[manifest.source.key] = manifest
        return [*newest.values()]

    def check(self, rows: int) -> None:
        """The tables show these many rows: those of the files that stand, each once."""
        compare(self.world.ports, self.now())
        stands = Counter[tuple[Any, ...]]()
        for manifest in self.standing():
            for output in manifest.outputs:
                columns = pq.read_table(io.BytesIO(self.world.store.read(output.key))).select(["id", "price", "score", "model_version"])
                stands.update((manifest.batch_id, *row.values()) for row in columns.to_pylist())
        assert stands.total() == rows
        assert Counter(self.world.query(f"SELECT batch_id, id, price, score, model_version FROM {SCORED}", SCORED)) == stands
        sums = "sum(rows_scored), count(*)"
        reported = self.world.query(f"SELECT {sums} FROM {MODEL}_batches WHERE standing", f"{MODEL}_batches")
        assert reported == [(rows, len(self.standing()))]

    def check_labels(self, labels: dict[str, str]) -> None:
        """Each labelled row is shown once, with its last label."""
        shown = self.world.query(f"SELECT id, everscore_label FROM {LABELLED} ORDER BY id", LABELLED)
        assert shown == sorted(labels.items())

    def check_days(self) -> None:
        """Days have as many labelled rows, and each version's metrics, as their documents say."""
        days = [*performances(MODEL, self.world.store, labelled_days(MODEL, self.world.store))]
        counted = self.world.query(f"SELECT event_day, count(*) FROM {LABELLED} GROUP BY 1 ORDER BY 1", LABELLED)
        assert counted == [(day.day, day.rows_labelled) for day in days]
        measured = self.world.query(f"SELECT event_day, version, rows, auc FROM {PERFORMANCE} ORDER BY event_day, version", PERFORMANCE)
        assert measured == [(day.day, group.version, group.rows, group.metrics["auc"]) for day in days for group in day.groups]


@pytest.fixture
def story(tmp_path: Path) -> Iterator[TableStory]:
    with closing(World(tmp_path)) as world:
        yield TableStory(world)


def labels_of(text: str) -> dict[str, str]:
    return {line.split(",")[0]: line.split(",")[2] for line in text.splitlines()[1:]}


def serve_first(story: TableStory) -> None:
    key = f"training/{MODEL}/first.csv"
    created = story.upload(key, table(0, 30, columns=TRAINING))
    named: dict[str, Any] = {"model": MODEL, "key": key, "target": "bought", "id_column": "id", "time_column": "at"}
    train_first(
        TrainRequest(version_id=created.version_id, estimator="sklearn.linear_model.LogisticRegression", **named), story.retraining()
    )
    Policies(story.world.store).write(MODEL, Policy(number=1, **POLICY))
    assert story.tick() == "promote"


def test_tables_show_what_stands_after_each_step_of_a_models_life(story: TableStory) -> None:
    serve_first(story)
    first = story.batch("30.csv", table(30, 15, columns=BATCH) + "r,2013-01-31T00:00:00Z,cheap\n")
    assert first.rows_quarantined == 1
    story.check(300)
    story.score(story.upload(f"batches/{MODEL}/empty.csv", BATCH + "\n"))
    again = story.upload(f"batches/{MODEL}/30b.csv", table(62, 8, columns=BATCH))
    assert story.score(again) == story.score(again), "a duplicate delivery is the same batch"
    story.check(460)

    large = story.upload(f"batches/{MODEL}/partitioned/4000/large.csv", table(46, 15, columns=BATCH) + "r,2013-01-31T00:00:00Z,cheap\n")
    story.record(story.score_in_partitions(large))
    story.check(760)

    text = table(30, 15, columns=LABELS)
    story.label(story.upload(f"labels/{MODEL}/30.csv", text))
    labels = labels_of(text)
    story.check(760)
    story.check_labels(labels)
    story.check_days()
    corrected = f"{LABELS}\n" + text.splitlines()[1].replace("yes", "?").replace("no", "yes").replace("?", "no") + "\n"
    story.label(story.upload(f"labels/{MODEL}/corrected.csv", corrected))
    labels |= labels_of(corrected)
    story.check(760)
    story.check_labels(labels)
    story.check_days()

    rescored = story.score_again(first)
    story.record(rescored)
    story.check(760)
    assert story.world.query(f"SELECT count(*) FROM {SCORED} WHERE batch_id = '{first.batch_id}'", SCORED) == [(0,)]
    story.check_labels(labels)
    story.check_days()

    assert retrain(RetrainRequest(model=MODEL, trigger="person"), story.retraining()).decision is not None
    release.try_out(MODEL, "2", reason="story", who="ada", force=True, ports=story.releasing())
    story.batch("canary.csv", table(80, 10, columns=BATCH))
    story.check(960)
    wide = table(91, 1, columns=BATCH).splitlines()
    story.batch("wide.csv", "\n".join([f"{wide[0]},Note", *(f"{line},n" for line in wide[1:])]) + "\n")
    story.check(980)
    assert story.world.query(f"SELECT count(note), count(*) FROM {SCORED}", SCORED) == [(20, 980)]

    names = iter(f"e{number}" for number in range(99))
    story.later = timedelta(days=4)
    erase(
        EraseRequest(model=MODEL, ids=("d30-0", "d46-0"), who="ada"),
        ErasurePorts(story.store("", "Inbox"), story.world.store, names.__next__, story.now),
    )
    story.later = timedelta()
    labels.pop("d30-0")
    story.check(978)
    story.check_labels(labels)
    assert all(
        b"d30-0" not in story.world.store.read(version.info.key, version.info.version_id)
        for version in story.world.store.versions("tables/")
        if version.info.key.endswith(".parquet")
    )

    rebuild(MODEL, story.world.ports)
    sweep(story.world.ports, story.now() + timedelta(days=2))
    story.check(978)
    story.check_labels(labels)
