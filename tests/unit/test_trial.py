"""Taking a made-up model out of a stack again."""

from collections.abc import Iterator
from datetime import date
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError

from functions.shared.domain import layout
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.snapshots import Snapshots
from infra.trial.removal import forget_tables, remove_model
from tests.fakes.documents import make_decision
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL


class Catalogue:
    """AWS Glue and CloudFormation of an account, which forbids Glue unless its stack has tables."""

    def __init__(self, parameters: dict[str, str], tables: set[str]) -> None:
        self._parameters, self.tables = parameters, tables
        self.exceptions = SimpleNamespace(EntityNotFoundException=KeyError)

    def client(self, _service: str) -> "Catalogue":
        return self

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - AWS's names
        given = [{"ParameterKey": name, "ParameterValue": value} for name, value in self._parameters.items()]
        return {"Stacks": [{"StackName": StackName, "Parameters": given}]}

    def delete_table(self, DatabaseName: str, Name: str) -> None:  # noqa: N803 - AWS's names
        if self._parameters.get("Tables") == "off":
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}, "DeleteTable")
        self.tables.remove(f"{DatabaseName}.{Name}")


def test_the_trials_tables_are_taken_out_of_the_catalogue_and_no_other() -> None:
    account = Catalogue({"Tables": "glue"}, {"everscore_dev.trial_1_scored", "everscore_dev.sales_scored"})
    forget_tables("trial-1", "everscore-dev", account.client)
    assert account.tables == {"everscore_dev.sales_scored"}


def test_a_trial_asks_nothing_of_glue_where_the_stack_has_no_tables() -> None:
    forget_tables("trial-1", "everscore-dev", Catalogue({"Tables": "off"}, set()).client)


def test_every_version_of_every_object_of_the_model_is_removed_and_nothing_of_any_other() -> None:
    inbox, store = MemoryStore("inbox"), MemoryStore("store")
    for body in (b"1", b"2"):
        inbox.write("batches/tried/a.csv", body)
        store.write("leases/tried.json", body)
    store.delete(["leases/tried.json"])
    others = {"scored/tried-2/b/part.parquet", "leases/tried-2.json", "releases/other/release.json"}
    for key in others:
        store.write(key, b"3")
    assert remove_model("tried", inbox, store, pause_s=0) == 4
    assert list(inbox.versions("")) == []
    assert {found.info.key for found in store.versions("")} == others


class Late(MemoryStore):
    """A store in which a function writes when it was looked at some times."""

    def __init__(self, name: str, at: int) -> None:
        super().__init__(name)
        self._looks, self._at = 0, at

    def folders(self, prefix: str) -> Iterator[str]:
        self._looks += 1
        if self._looks == self._at:
            self.write("decisions/tried/late.json", b"1")
        return super().folders(prefix)


def test_what_a_function_writes_late_is_removed_where_a_trial_was_broken_off() -> None:
    inbox, store = MemoryStore("inbox"), Late("store", at=5)
    inbox.write("training/tried/history.csv", b"1")
    assert remove_model("tried", inbox, store, pause_s=0, quiet_rounds=10) == 2
    assert list(store.versions("")) == []


def trained(store: MemoryStore) -> None:
    """Store a training set of two months, and the decision on the version that was trained on it."""
    days = pa.array([date(2013, 3, 31), date(2013, 4, 1)])
    Decisions(store).write(make_decision(snapshot=Snapshots(store).write(pa.table({"a": [1, 2]}), days)))


def test_the_training_set_is_removed_with_the_model() -> None:
    store = MemoryStore("store")
    trained(store)
    assert remove_model(MODEL, MemoryStore("inbox"), store, pause_s=0) == 4  # the decision, two months and their list
    assert list(store.versions("")) == []


class Refusing(MemoryStore):
    """A store to whoever may not read training sets."""

    def read(self, key: str, version_id: str | None = None) -> bytes:
        if key.startswith(layout.SNAPSHOT_FILES):
            raise PermissionError(key)
        return super().read(key, version_id)


def test_whoever_may_not_find_the_training_set_removes_all_else() -> None:
    inbox, store = MemoryStore("inbox"), Refusing("store")
    inbox.write(f"batches/{MODEL}/a.csv", b"1")
    trained(store)
    with pytest.raises(PermissionError):
        remove_model(MODEL, inbox, store, pause_s=0)
    assert list(inbox.versions("")) == []
    assert all(found.info.key.startswith(layout.SNAPSHOT_FILES) for found in store.versions(""))
