"""Documents as the functions would have written them; a test names only what it is about."""

from datetime import UTC, date, datetime
from typing import Any, Literal

from functions.shared.domain import layout
from functions.shared.domain.decision import Decision, Snapshot, Verdict
from functions.shared.domain.manifest import Manifest, Source, Status
from functions.shared.domain.policy import DecisionPolicy, RowContract
from functions.shared.domain.release import PinnedPolicy, Release, ServedChallenger, ServedModel
from functions.shared.ports import ObjectStore
from functions.shared.repositories.releases import Releases
from tests.fakes.versions import MODEL, Version

NOW = datetime(2013, 4, 1, 12, tzinfo=UTC)


def make_release(**fields: Any) -> Release:
    """Release 1 of a champion whose bundle is nowhere."""
    champion = ServedModel(version="1", digest="d1", prefix=layout.version_prefix(MODEL, "1"))
    plain: dict[str, Any] = {
        "model": MODEL,
        "seq": 1,
        "champion": champion,
        "newest": "1",
        "reason": "first",
        "decided_by": "release",
        "decided_at": NOW,
    }
    return Release(**(plain | fields))


def serve(
    store: ObjectStore,
    champion: Version,
    challenger: Version | None = None,
    *,
    share: float = 0.25,
    mode: Literal["canary", "shadow"] = "canary",
    contract: RowContract | None = None,
    decision: DecisionPolicy | None = None,
) -> Release:
    """Put versions into the store and publish the next release, of these."""
    releases = Releases(store)
    standing = releases.standing(MODEL)
    served = champion.put(store)
    rival = ServedChallenger(**challenger.put(store).model_dump(), share=share, salt="rollout 1", mode=mode) if challenger else None
    release = make_release(
        seq=standing.release.seq + 1 if standing else 1,
        champion=served,
        challenger=rival,
        newest=challenger.number if challenger else champion.number,
        policy=PinnedPolicy(number=0, row_contract=contract or RowContract(), decision=decision or DecisionPolicy()),
    )
    return releases.publish(release, over=standing)


def make_source(name: str = "april.csv", *, day: date = date(2013, 4, 1), version_id: str = "v1") -> Source:
    """A version of an upload that arrived on a UTC day."""
    arrived = datetime(day.year, day.month, day.day, 7, tzinfo=UTC)
    return Source(bucket="inbox", key=f"batches/{MODEL}/{name}", version_id=version_id, etag="e1", bytes=100, last_modified=arrived)


def make_manifest(name: str = "april.csv", *, day: date = date(2013, 4, 1), **fields: Any) -> Manifest:
    """A scored batch without rows."""
    source = make_source(name, day=day)
    batch = layout.batch_id(source.bucket, source.key, source.version_id)
    plain: dict[str, Any] = {
        "batch_id": batch,
        "model": MODEL,
        "status": Status.SCORED,
        "source": source,
        "attempt": "a1",
        "created_at": NOW,
    }
    return Manifest(**(plain | fields))


def make_decision(version: str = "2", **fields: Any) -> Decision:
    """The gate's yes to a challenger of version 1."""
    plain: dict[str, Any] = {
        "model": MODEL,
        "champion_version": "1",
        "challenger_version": version,
        "decision": Verdict.PROMOTE,
        "reasons": (),
        "metric": "log_loss",
        "snapshot": Snapshot(md5="0" * 32 + ".dir", rows=1000, bytes=10_000, files=3),
        "digest": "d2",
        "engine": "linear",
        "engine_reason": "exact",
        "trigger": "schedule",
        "decided_at": NOW,
    }
    return Decision(**(plain | fields))
