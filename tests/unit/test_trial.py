"""Taking a made-up model out of a stack again."""

from infra.trial.removal import remove_model
from tests.fakes.memory_store import MemoryStore


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
