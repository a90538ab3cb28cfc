import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import RetrainingBusyError, TrainingError
from functions.shared.runtime.hiding import AT_WORK_S, pause_s
from functions.shared.runtime.queue import RESERVE_MS, DeliveryFailedError, process_records, process_request

EVENTS = Path(__file__).parents[4] / "events" / "scoring"


class Clock:
    """A Lambda context whose remaining time shrinks by a fixed amount a look."""

    def __init__(self, *remaining_ms: int) -> None:
        self._remaining_ms = list(remaining_ms)

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms.pop(0) if len(self._remaining_ms) > 1 else self._remaining_ms[0]


PLENTY = 300_000


def upload(key: str, size: int) -> str:
    detail = {"bucket": {"name": "inbox"}, "object": {"key": key, "size": size, "etag": "e", "version-id": f"v-{key}"}}
    return json.dumps({"source": "aws.s3", "detail": detail})


ARN = "arn:aws:sqs:eu-central-1:123456789012:everscore-ScoringQueue"


@dataclass
class Recorded:
    """Visibility that only remembers how long what was hidden, by message id."""

    hidden: list[dict[str, int]] = field(default_factory=list)
    refuses: bool = False
    ended: list[str] = field(default_factory=list)

    def hide(self, queue_arn: str, seconds: Mapping[str, int]) -> None:
        assert queue_arn == ARN
        self.hidden.append({handle.removeprefix("handle of "): hidden for handle, hidden in seconds.items()})
        if self.refuses:
            raise RuntimeError

    def end(self, queue_arn: str, handle: str) -> None:
        assert queue_arn == ARN
        self.ended.append(handle.removeprefix("handle of "))
        if self.refuses:
            raise RuntimeError


def deliver(
    bodies: dict[str, str],
    handle: Any,
    context: Clock | None = None,
    *,
    times: int | Mapping[str, int] = 1,
    visibility: Recorded | None = None,
) -> list[str]:
    """Bodies by message id, delivered that many times by now; the ids of messages to be delivered again."""
    counts = dict.fromkeys(bodies, times) if isinstance(times, int) else times
    records = [
        {
            "messageId": name,
            "receiptHandle": f"handle of {name}",
            "body": body,
            "eventSource": "aws:sqs",
            "eventSourceARN": ARN,
            "attributes": {"ApproximateReceiveCount": str(counts[name])},
        }
        for name, body in bodies.items()
    ]
    answer = process_records({"Records": records}, context or Clock(PLENTY), handle, visibility or Recorded())  # type: ignore[arg-type]
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_the_smallest_object_comes_first() -> None:
    seen: list[str] = []
    bodies = {name: upload(name, size) for name, size in (("large", 900), ("small", 1), ("middle", 30))}
    assert deliver(bodies, lambda created: seen.append(created.key)) == []
    assert seen == ["small", "middle", "large"]


def test_what_comes_for_the_last_time_is_done_before_an_object_that_may_end_the_process() -> None:
    seen: list[str] = []
    bodies = {name: upload(name, size) for name, size in (("deadly", 1), ("last", 900), ("last and small", 30), ("again", 2))}
    times = {"deadly": 3, "last": 5, "last and small": 5, "again": 4}
    assert deliver(bodies, lambda created: seen.append(created.key), times=times) == []
    assert seen == ["last and small", "last", "deadly", "again"]


def test_one_objects_failure_is_its_own() -> None:
    seen: list[str] = []

    def handle(created: StoredObject) -> None:
        seen.append(created.key)
        if created.key == "b":
            raise RuntimeError

    assert deliver({"1": upload("a", 1), "2": upload("b", 2), "3": upload("c", 3)}, handle) == ["2"]
    assert seen == ["a", "b", "c"]


@pytest.mark.parametrize("bodies", [{"1": upload("a", 1)}, {"1": upload("a", 1), "2": upload("b", 2)}])
def test_if_all_fail_it_is_an_error_that_lambda_counts(bodies: dict[str, str]) -> None:
    def handle(_: StoredObject) -> None:
        raise RuntimeError

    with pytest.raises(DeliveryFailedError, match="RuntimeError"):
        deliver(bodies, handle)


def test_what_fails_among_others_is_logged_and_what_there_was_no_time_for_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(
        "functions.shared.runtime.queue.logger", lambda: SimpleNamespace(error=lambda _, exc_info: logged.append(str(exc_info)))
    )

    def handle(created: StoredObject) -> None:
        if created.key == "b":
            raise RuntimeError("a bundle was changed")

    bodies = {"1": upload("a", 1), "2": upload("b", 2), "3": upload("c", 3)}
    assert deliver(bodies, handle, Clock(RESERVE_MS, 1)) == ["2", "3"]
    assert logged == ["a bundle was changed"]


def test_what_there_is_no_time_for_goes_back_to_the_queue_unbegun() -> None:
    seen: list[str] = []
    bodies = {"1": upload("a", 1), "2": upload("b", 2), "3": upload("c", 3)}
    again = deliver(bodies, lambda created: seen.append(created.key), Clock(RESERVE_MS, RESERVE_MS - 1))
    assert (seen, again) == (["a", "b"], ["3"])


@pytest.mark.parametrize(("left_ms", "again"), [(110_000, []), (109_999, ["2"])])
def test_a_large_object_is_begun_only_with_the_time_that_it_may_take(left_ms: int, again: list[str]) -> None:
    bodies = {"1": upload("small", 1), "2": upload("large", 300_000_000)}
    assert deliver(bodies, lambda _: None, Clock(left_ms)) == again


def test_an_object_that_is_too_large_for_any_function_is_begun_all_the_same_to_be_handed_over() -> None:
    bodies = {"1": upload("small", 1), "2": upload("huge", 10**12)}
    assert deliver(bodies, lambda _: None, Clock(PLENTY)) == []


def test_the_first_object_is_begun_whatever_time_is_left() -> None:
    seen: list[str] = []
    assert deliver({"1": upload("large", 300_000_000)}, lambda created: seen.append(created.key), Clock(1)) == []
    assert seen == ["large"]


@pytest.mark.parametrize("body", ["", "hello", "{}", "[]", '{"source": "aws.s3", "detail": {}}'])
def test_a_message_that_is_no_event_comes_again_until_the_queue_gives_it_up(body: str) -> None:
    seen: list[str] = []
    assert deliver({"bad": body, "good": upload("a", 5)}, lambda created: seen.append(created.key)) == ["bad"]
    assert seen == ["a"]


def test_folder_markers_and_a_buckets_test_event_are_passed_over() -> None:
    seen: list[str] = []
    bodies = {"marker": upload("batches/sales/", 0), "test": '{"Service": "Amazon S3", "Event": "s3:TestEvent"}'}
    assert deliver(bodies, lambda created: seen.append(created.key)) == []
    assert seen == []


@pytest.mark.parametrize(("name", "keys"), [("s3-upload", ["batches/flights/2013/week 14.csv"]), ("s3-test-event", [])])
def test_the_sample_events_are_read(name: str, keys: list[str]) -> None:
    seen: list[str] = []
    event = json.loads((EVENTS / f"{name}.json").read_text())
    answer = process_records(event, Clock(PLENTY), lambda created: seen.append(created.key), AnyQueue())  # type: ignore[arg-type]
    assert answer == {"batchItemFailures": []}
    assert seen == keys


def test_every_field_of_the_object_is_kept_as_it_was_sent() -> None:
    seen: list[StoredObject] = []
    key = "batches/sales/a b+c%2F ü.csv"
    deliver({"1": upload(key, 12)}, seen.append, times=3)
    assert seen == [StoredObject(bucket="inbox", key=key, version_id=f"v-{key}", etag="e", size_bytes=12, deliveries=3)]


# When messages come again


class AnyQueue(Recorded):
    """Of whatever queue."""

    def hide(self, queue_arn: str, seconds: Mapping[str, int]) -> None:
        """Nothing."""


def failing(*keys: str) -> Any:
    def handle(created: StoredObject) -> None:
        if created.key in keys:
            raise RuntimeError

    return handle


def test_messages_are_hidden_for_a_minute_at_a_time_as_long_as_their_function_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("functions.shared.runtime.hiding.BEAT_S", 0.01)
    visibility = Recorded()

    def work(_: StoredObject) -> None:
        known = len(visibility.hidden)
        while len(visibility.hidden) < known + 3:
            time.sleep(0.001)

    deliver({"1": upload("a", 1), "2": upload("b", 2)}, work, visibility=visibility)
    assert len(visibility.hidden) >= 6
    assert all(hidden == {"1": AT_WORK_S, "2": AT_WORK_S} for hidden in visibility.hidden)


def test_what_failed_comes_again_after_a_pause_and_what_there_was_no_time_for_at_once() -> None:
    visibility = Recorded()
    bodies = {"1": upload("a", 1), "2": upload("b", 2), "3": upload("c", 3)}
    assert deliver(bodies, failing("b"), Clock(RESERVE_MS, 1), times=2, visibility=visibility) == ["2", "3"]
    shown = visibility.hidden[-1]
    assert shown.keys() == {"2", "3"}
    assert 30 <= shown["2"] <= 90
    assert shown["3"] == 0


def test_if_all_fail_they_come_again_after_their_pause_too() -> None:
    visibility = Recorded()
    with pytest.raises(DeliveryFailedError):
        deliver({"1": upload("a", 1)}, failing("a"), visibility=visibility)
    assert 5 <= visibility.hidden[-1]["1"] <= 15


@pytest.mark.parametrize(("deliveries", "least", "most"), [(1, 5, 15), (2, 30, 90), (3, 180, 540), (4, 900, 2700), (5, 900, 2700)])
def test_pauses_grow_and_differ(deliveries: int, least: int, most: int) -> None:
    pauses = {pause_s(deliveries) for _ in range(200)}
    assert least <= min(pauses) < max(pauses) <= most
    assert len(pauses) > 5


def test_a_queue_that_refuses_to_hide_messages_stops_no_work() -> None:
    seen: list[str] = []
    visibility = Recorded(refuses=True)
    assert deliver({"1": upload("a", 1)}, lambda created: seen.append(created.key), visibility=visibility) == []
    assert seen == ["a"]


@pytest.mark.parametrize("receives", [1, 3])
def test_a_request_that_fails_is_hidden_while_at_work_and_comes_again_after_a_growing_pause(receives: int) -> None:
    visibility = Recorded()
    record = {
        "messageId": "m",
        "receiptHandle": "handle of m",
        "body": json.dumps({"model": "sales"}),
        "attributes": {"ApproximateReceiveCount": str(receives)},
        "eventSourceARN": ARN,
    }

    def busy(request: dict[str, Any], _: int) -> None:
        raise RetrainingBusyError(request["model"])

    with pytest.raises(RetrainingBusyError, match="sales"):
        process_request({"Records": [record]}, busy, visibility)
    assert visibility.hidden[0] == {"m": AT_WORK_S}
    assert not visibility.ended
    middle = 10 * 6 ** (receives - 1)
    assert middle / 2 <= visibility.hidden[-1]["m"] <= middle * 1.5


@pytest.mark.parametrize("visibility", [Recorded(), Recorded(refuses=True)], ids=["listens", "refuses"])
def test_a_request_that_is_refused_is_raised_and_never_comes_again(visibility: Recorded) -> None:
    attributes = {"ApproximateReceiveCount": "1"}
    record = {"receiptHandle": "handle of m", "body": '{"model": "sales"}', "eventSourceARN": ARN, "attributes": attributes}

    def refused(request: dict[str, Any], _: int) -> None:
        raise TrainingError(request["model"])

    with pytest.raises(TrainingError, match="sales"):
        process_request({"Records": [record]}, refused, visibility)
    assert visibility.ended == ["m"]


def test_a_request_that_was_done_leaves_the_queue_and_carried_how_often_it_came() -> None:
    asked: list[tuple[dict[str, Any], int]] = []
    attributes = {"ApproximateReceiveCount": "2"}
    record = {"receiptHandle": "handle of m", "body": '{"model": "sales"}', "eventSourceARN": ARN, "attributes": attributes}
    handled = process_request({"Records": [record]}, lambda request, times: asked.append((request, times)), Recorded())
    assert handled == {"batchItemFailures": []}
    assert asked == [({"model": "sales"}, 2)]
