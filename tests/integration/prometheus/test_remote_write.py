"""What the tick sends, as a real Prometheus has it afterwards."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from functions.metric_emission.prometheus import families
from functions.metric_emission.upkeep import tick
from functions.shared.adapters.remote_write import RemoteWrite
from functions.shared.domain.errors import RemoteWriteError
from functions.shared.domain.manifest import BatchError, Status, Timings
from functions.shared.domain.totals import Totals
from functions.shared.repositories.decisions import Decisions
from infra.prometheus.rules import RULES
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.world import World, rows
from tests.fakes import memory_store
from tests.fakes.documents import make_decision, make_source
from tests.fakes.versions import MODEL
from tests.integration.prometheus.server import Prometheus, running_prometheus

HOUR = timedelta(hours=1)


def sent_by(world: World, prometheus: Prometheus, moment: datetime) -> None:
    """One tick at a time."""
    world.moment = moment
    server = RemoteWrite(prometheus.write_url)

    def send(totals: Totals) -> None:
        server.send(families([totals], stack="shop"), totals.told_at)

    tick(world.ports(send=send, queued=lambda: {"scoring_dead_letters": 2}))


def test_prometheus_has_what_a_models_batches_and_labels_say_and_calls_for_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    monkeypatch.setattr(memory_store, "EPOCH", now - HOUR)
    world = World()
    Decisions(world.store).write(make_decision("1", champion_version=None, decided_at=now - 30 * HOUR))
    with running_prometheus(tmp_path, {"global": {"evaluation_interval": "1s"}, "rule_files": [str(RULES)]}) as prometheus:
        for number, hours_ago in enumerate((2, 1, 0)):
            timings = Timings(read_s=0.2, predict_s=0.02 * (number + 1), write_s=0.1, total_s=2.0)
            quarantined = {"missing_id": number, "infinite": 1}
            moment = now - hours_ago * HOUR
            world.moment = moment
            batch = world.profiled(
                f"{number}.csv",
                like_training(world.baseline, "price"),
                timings=timings,
                quarantined_by_reason=quarantined,
                source=make_source(f"{number}.csv").model_copy(update={"last_modified": moment - timedelta(seconds=10)}),
                created_at=moment,
            )
            world.record(batch)
            sent_by(world, prometheus, moment)
        failed = world.commit(
            "bad.csv",
            status=Status.FAILED,
            error=BatchError(code="empty_file", message="no rows", remedy="none"),
            source=make_source("bad.csv").model_copy(update={"last_modified": now}),
            created_at=now,
        )
        world.record(failed)
        world.scored("labelled.csv", rows(0.9, 0.2, 0.6, day=now.date()), day=now.date(), created_at=now)
        world.label("id,at,bought\n" + "".join(f"r{row},{now.date()}T10:00:00Z,{label}\n" for row, label in enumerate(("yes", "no", "no"))))
        sent_by(world, prometheus, now)

        # By hand, from the batches above.
        at = now + timedelta(seconds=1)
        model = f'stack="shop", model="{MODEL}"'
        assert prometheus.value(f"everscore_rows_scored_total{{{model}}}", at) == 360
        assert prometheus.query(f"sum by (reason) (everscore_rows_quarantined_total{{{model}}})", at) == {
            frozenset({("reason", "missing_id")}): 0 + 1 + 2,
            frozenset({("reason", "infinite")}): 3,
        }
        assert prometheus.query(f"sum by (status) (everscore_batches_total{{{model}}})", at) == {
            frozenset({("status", "scored")}): 3,
            frozenset({("status", "failed")}): 1,
        }
        assert prometheus.value(f'everscore_batch_errors_total{{{model}, code="empty_file"}}', at) == 1
        assert prometheus.value(f"everscore_gigabyte_seconds_total{{{model}}}", at) == pytest.approx(3 * 2.0 * 2.0)
        assert prometheus.value(f"everscore_prediction_seconds_sum{{{model}}}", at) == pytest.approx(0.02 + 0.04 + 0.06)
        # Predicting took .02, .04 and .06 s, and no time at all in the file that failed.
        assert prometheus.value(f'everscore_prediction_seconds_bucket{{{model}, le="0.03"}}', at) == 2
        assert prometheus.value(f'everscore_prediction_seconds_bucket{{{model}, le="0.1"}}', at) == 4
        assert prometheus.value(f"everscore_rows_scored_total{{{model}}} - everscore_rows_scored_total{{{model}}} offset 1h", at) == 120
        assert prometheus.value(f'everscore_performance{{{model}, role="champion", metric="accuracy"}}', at) == pytest.approx(2 / 3)
        assert prometheus.value(f"everscore_label_coverage{{{model}}}", at) == 1
        assert prometheus.value(f"everscore_drifted_columns{{{model}}}", at) >= 1
        assert prometheus.value(f"everscore_champion_age_seconds{{{model}}}", at) == 30 * 3600
        assert prometheus.value('everscore_models{stack="shop"}', at) == 1
        assert firing(prometheus) == {"EverscoreScoringDeadLetters", "EverscoreDrift", "EverscoreFailed"}


def firing(prometheus: Prometheus) -> set[str]:
    """The alerts that fire once every rule was evaluated again, without an error."""
    asked = datetime.now(UTC)
    while True:
        [group] = prometheus.get("/api/v1/rules")["groups"]
        if all(datetime.fromisoformat(rule["lastEvaluation"]) > asked for rule in group["rules"]):
            assert {rule["health"] for rule in group["rules"]} == {"ok"}
            return {alert["labels"]["alertname"] for alert in prometheus.get("/api/v1/alerts")["alerts"]}
        time.sleep(0.1)


def test_the_same_totals_may_be_sent_twice_and_older_ones_are_refused(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    earlier, later = Totals(told_at=now - HOUR), Totals(told_at=now)
    with running_prometheus(tmp_path) as prometheus:
        server = RemoteWrite(prometheus.write_url)
        world = World()
        sent: list[Totals] = []
        tick(world.ports(send=sent.append, queued=lambda: {"scoring": 7}, now=lambda: now))
        [fleet] = [totals for totals in sent if any(series.metric == "QueuedMessages" for series in totals.series)]
        for _ in range(2):
            server.send(families([fleet], stack="shop"), later.told_at)
        assert prometheus.value('everscore_queued_messages{queue="scoring"}', now) == 7
        with pytest.raises(RemoteWriteError, match="answered 400: out of order sample"):
            server.send(families([fleet], stack="shop"), earlier.told_at)


def test_a_url_that_is_no_remote_write_is_an_error_that_names_the_answer(tmp_path: Path) -> None:
    with running_prometheus(tmp_path) as prometheus, pytest.raises(RemoteWriteError, match=r"answered 40[45]"):
        RemoteWrite(f"{prometheus.url}/api/v1/nothing").send([], datetime.now(UTC))
