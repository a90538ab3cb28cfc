"""A delivery brings the tables once to each model's day."""

from datetime import date
from typing import Any

import pytest

from functions.cataloguing import delivery
from functions.cataloguing.delivery import TableDelivery
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import InputError

FLIGHTS, CHURN = ("flights", date(2013, 4, 4)), ("churn", date(2013, 4, 3))


def manifest(model: str, day: str, number: int) -> StoredObject:
    return StoredObject(bucket="b", key=f"manifests/{model}/dt={day}/{number:032x}.json", version_id="v", etag="e", size_bytes=1)


@pytest.fixture
def brought(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, date]]:
    """Days that the tables were brought to; those of `broken` cannot be."""
    brought: list[tuple[str, date]] = []

    def catalogue(model: str, days: set[date], _: Any) -> None:
        brought.extend((model, day) for day in days)
        if model == "broken":
            raise ConnectionError

    monkeypatch.setattr(delivery, "catalogue", catalogue)
    return brought


def test_many_manifests_of_a_day_are_one_commit(brought: list[tuple[str, date]]) -> None:
    delivery = TableDelivery(ports=None)  # type: ignore[arg-type]
    for number in range(1000):
        delivery.catalogue(manifest("flights", "2013-04-04", number))
        delivery.catalogue(manifest("churn", "2013-04-03", number))
    assert brought == [FLIGHTS, CHURN]


def test_what_failed_fails_for_each_manifest_and_is_not_tried_again(brought: list[tuple[str, date]]) -> None:
    delivery, depths = TableDelivery(ports=None), set()  # type: ignore[arg-type]
    for number in range(3):
        with pytest.raises(ConnectionError) as failed:
            delivery.catalogue(manifest("broken", "2013-04-04", number))
        depths.add(len(failed.traceback))
    assert len(depths) == 1, "what is logged of each does not grow"
    delivery.catalogue(manifest("flights", "2013-04-04", 1))
    assert brought == [("broken", date(2013, 4, 4)), FLIGHTS]


def test_uploads_whose_key_names_no_model_are_in_no_table(brought: list[tuple[str, date]]) -> None:
    TableDelivery(ports=None).catalogue(manifest("_unnamed", "2013-04-04", 1))  # type: ignore[arg-type]
    assert brought == []


def test_many_files_of_labels_are_one_look_at_each_models_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    brought: list[str] = []
    monkeypatch.setattr(delivery, "catalogue_labels", lambda model, _: brought.append(model))
    came = TableDelivery(ports=None)  # type: ignore[arg-type]
    for key in (
        "labelled/flights/dt=2013-04-04/a.parquet",
        "labelled/flights/dt=2013-04-05/a.parquet",
        "performance/flights/2013-04-05.json",
        "performance/flights/months/2013-04.json",
        "labelled/churn/dt=2013-04-05/b.parquet",
    ):
        came.catalogue(StoredObject(bucket="b", key=key, version_id="v", etag="e", size_bytes=1))
    assert brought == ["flights", "churn"]


def test_what_is_no_manifest_is_refused() -> None:
    with pytest.raises(InputError, match="is no manifest's key"):
        TableDelivery(ports=None).catalogue(manifest("flights", "april", 1))  # type: ignore[arg-type]
