from datetime import UTC, date, datetime
from typing import Any

import pytest

from functions.shared.domain import layout
from functions.shared.domain.alert import AlertKind
from functions.shared.domain.errors import InputError
from functions.shared.domain.manifest import BatchError, Manifest, PinnedRelease, Status
from functions.shared.domain.rejections import FileCode
from functions.shared.repositories.batch_index import BatchIndex
from infra.cli.state import model_status
from infra.report import gather as gathering
from infra.report.gather import gather
from infra.report.summary import last_drift
from tests.fakes import counting_store
from tests.fakes.counting_store import CountingStore
from tests.fakes.documents import make_release
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL
from tests.unit.report.story import NOW, batch, rejected, whole_story, write_alert, write_batch, write_quarantine, write_releases


def test_batches_come_oldest_first_with_the_drift_measured_up_to_them() -> None:
    store = MemoryStore()
    for number in (2, 0, 1):
        write_batch(store, batch(number), {"price": number / 10} if number else None)
    history = gather(MODEL, store, NOW)
    assert [found.file for found in history.batches] == ["2013-04-01.csv", "2013-04-02.csv", "2013-04-03.csv"]
    assert [found.drift.columns[0].value if found.drift else None for found in history.batches] == [None, 0.1, 0.2]


def test_a_superseded_batch_is_left_out() -> None:
    store = MemoryStore()
    write_batch(store, batch(0))
    write_batch(store, rescored(0))
    assert [found.manifest.batch_id for found in gather(MODEL, store, NOW).batches] == ["again-0"]


def test_a_batch_that_failed_and_was_resumed_is_one_batch() -> None:
    store = MemoryStore()
    whole = batch(0, created_at=NOW)
    lost = BatchError(code=FileCode.PARTITIONS_FAILED, message="a partition failed", remedy="redrive")
    nothing = {"rows_in": 0, "rows_scored": 0, "rows_quarantined": 0, "quarantined_by_reason": {}, "event_days": {}, "served": {}}
    write_batch(store, batch(0, status=Status.FAILED, error=lost, **nothing))
    write_batch(store, whole)
    BatchIndex(store).complete(MODEL, also=lambda _: None)
    assert len(list(BatchIndex(store).entries(MODEL))) == 2, "the index names both commits"
    history = gather(MODEL, store, NOW)
    assert [found.manifest for found in history.batches] == [whole]
    assert not history.has_older


def rescored(number: int, **fields: Any) -> Manifest:
    """A batch as it is scored again after all others, under another id."""
    first = batch(number)
    again = {"batch_id": f"again-{number}", "purpose": "rescore:1", "supersedes": first.batch_id, "created_at": NOW}
    return first.model_copy(update=again | fields)


def test_a_batch_scored_again_keeps_the_drift_of_before_until_it_is_measured() -> None:
    store = MemoryStore()
    write_batch(store, batch(0), {"price": 0.1})
    write_batch(store, batch(1), {"price": 0.2})
    write_batch(store, rescored(1))
    assert [found.drift.columns[0].value for found in gather(MODEL, store, NOW).batches if found.drift] == [0.1, 0.2]
    write_batch(store, rescored(1), {"price": 0.3})
    assert [found.drift.columns[0].value for found in gather(MODEL, store, NOW).batches if found.drift] == [0.1, 0.3]


def test_drift_from_another_champions_baseline_is_not_kept() -> None:
    store = MemoryStore()
    write_batch(store, batch(0), {"price": 0.1})
    write_batch(store, rescored(0, release=PinnedRelease(seq=3, champion="2")))
    assert [found.drift for found in gather(MODEL, store, NOW).batches] == [None]


@pytest.mark.parametrize("again", [0, 1, 2])
def test_the_last_drift_is_the_same_in_the_report_and_in_the_status(again: int) -> None:
    store = MemoryStore()
    release = make_release()
    write_releases(store, release)
    for number in range(3):
        write_batch(store, batch(number), {"price": number / 10})
    write_batch(store, rescored(again), {"price": 0.9} if again == 2 else {"price": 0.8})
    shown, said = last_drift(gather(MODEL, store, NOW)), model_status(release, store)["drift"]
    assert shown is not None
    assert shown.columns[0].value == said["features"][0]["value"] == (0.9 if again == 2 else 0.2)


def test_only_the_newest_batches_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "BATCHES", 2)
    store = MemoryStore()
    for number in range(5):
        write_batch(store, batch(number))
    history = gather(MODEL, store, NOW)
    assert [found.file for found in history.batches] == ["2013-04-04.csv", "2013-04-05.csv"]
    assert history.has_older


def test_a_report_on_more_batches_than_it_shows_asks_no_more_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "BATCHES", 2)
    monkeypatch.setattr(counting_store, "_PAGE", 10)  # so that a listing of all would be several requests
    asked = []
    for batches in (100, 300):
        store = CountingStore()
        for number in range(batches):
            write_batch(store, batch(number))
        BatchIndex(store).complete(MODEL, also=lambda _: None)
        before = store.requests
        gather(MODEL, store, NOW)
        asked.append(store.requests - before)
    assert asked[0] == asked[1]


def test_a_batch_that_lost_rows_says_how_many() -> None:
    store = MemoryStore()
    write_batch(store, batch(0, rows_in=105))
    assert gather(MODEL, store, NOW).batches[0].lost == 5


def test_samples_are_the_newest_few_of_each_reason() -> None:
    store = MemoryStore()
    older = write_quarantine(store, batch(0), [rejected(line, "out_of_range") for line in (2, 3)])
    newer = write_quarantine(store, batch(1), [*(rejected(line) for line in range(2, 12)), rejected(20, "out_of_range")])
    for manifest in (older, newer):
        write_batch(store, manifest)
    samples = gather(MODEL, store, NOW).samples
    assert [(sample.file, sample.line, sample.code) for sample in samples] == [
        ("2013-04-02.csv", 2, "missing_id"),
        ("2013-04-02.csv", 3, "missing_id"),
        ("2013-04-02.csv", 4, "missing_id"),
        ("2013-04-02.csv", 20, "out_of_range"),
        ("2013-04-01.csv", 2, "out_of_range"),
        ("2013-04-01.csv", 3, "out_of_range"),
    ]


def test_quarantined_rows_that_have_expired_are_no_samples_and_the_others_are() -> None:
    store = MemoryStore()
    left = write_quarantine(store, batch(0), [rejected(2)])
    gone = write_quarantine(store, batch(1), [rejected(3)])
    for manifest in (left, gone):
        write_batch(store, manifest)
    store.delete([gone.quarantine[0].key])
    assert [sample.line for sample in gather(MODEL, store, NOW).samples] == [2]


def test_a_huge_quarantine_is_sampled_from_its_start_up_to_the_last_whole_row() -> None:
    store = MemoryStore()
    write_batch(store, write_quarantine(store, batch(0), [rejected(2), rejected(3, "out_of_range", raw="x" * 100_000)]))
    assert [sample.line for sample in gather(MODEL, store, NOW).samples] == [2]


def test_a_sample_of_a_file_without_lines_says_its_row() -> None:
    store = MemoryStore()
    write_batch(store, write_quarantine(store, batch(0), [{**rejected(2), "row": 1234, "line": None}]))
    assert [(sample.line, sample.row) for sample in gather(MODEL, store, NOW).samples] == [(None, 1234)]


@pytest.mark.parametrize("odd", [date.min, date.max])
def test_days_that_are_not_plausible_are_left_out(odd: date) -> None:
    store = whole_story()
    write_batch(store, batch(40, event_days={odd: 98}))
    shown = gather(MODEL, store, NOW).days
    store.write(layout.performance_key(MODEL, odd), shown[0].model_copy(update={"day": odd}).to_json())
    history = gather(MODEL, store, NOW)
    assert history.days == shown
    assert history.batches[-1].day is None
    assert odd.isoformat() not in {day["day"] for day in model_status(history.releases[-1], store)["performance"]}


def test_alerts_come_newest_first() -> None:
    store = whole_story()
    write_alert(store, AlertKind.FAILED, "later", hour=5)
    write_alert(store, AlertKind.QUARANTINE, "between", hour=3)
    assert [alert.message for alert in gather(MODEL, store, NOW).alerts] == [
        "later",
        "between",
        "drift in price (PSI 0.18, moves the scores by 0.018)",
    ]


def test_a_model_of_which_nothing_is_stored_is_refused_with_the_names_of_those_there_are() -> None:
    store = MemoryStore()
    write_releases(store, make_release(model="flights"))
    with pytest.raises(InputError, match=r"(?s)'sales'.*choose a model: flights"):
        gather(MODEL, store, datetime.now(UTC))
