"""Write a version of a store to a sealed file."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import IO

from functions.shared.domain import layout
from functions.shared.domain.decision import Decision, Origin, Verdict
from functions.shared.domain.errors import InputError
from functions.shared.domain.release import ServedModel
from functions.shared.engines.bundle import INDEX, BundleFile, read_index
from functions.shared.engines.sealed_version import BUNDLE, DATA, SealedVersion, Signature, proof_of, write_sealed
from functions.shared.ports import ObjectStore
from functions.shared.repositories.bundles import Bundles
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases
from functions.shared.repositories.snapshots import Snapshots
from infra.cli.names import looked_up


def write_version(
    decision: Decision,
    out: IO[bytes],
    store: ObjectStore,
    *,
    stack: str,
    account: str | None,
    data: bool,
    sign: Callable[[bytes], Signature] | None = None,
) -> None:
    """Write a version to a sealed file.

    Args:
        decision: the one on the version, from `exportable`.
        out: the file.
        store: the stack's store.
        stack: the stack's name.
        account: its account on AWS, if it is there.
        data: whether the training set goes along.
        sign: signs the content of `sealed.json`.
    """
    origin = Origin(
        stack=stack,
        account=account,
        model=decision.model,
        version=decision.challenger_version,
        digest=decision.digest,
        was_first=decision.was_first,
        has_rows=data,
        exported_at=datetime.now(UTC),
    )

    def seal(files: Mapping[str, BundleFile]) -> SealedVersion:
        rule = Policies(store).current(decision.model).decision
        return SealedVersion(origin=origin, decision=decision, history=_history(decision, store), rule=rule, files=files)

    write_sealed(out, _files(decision, store, data=data), seal, sign)


def exportable(model: str, version: str, store: ObjectStore) -> Decision:
    """Return the decision on a version that may be exported.

    Raises:
        InputError: if there is no such version, the gate rejected it and it never served, or its training set is elsewhere.
    """
    looked_up(model, store)
    decision = Decisions(store).of(model, version)
    if decision is None:
        remedy = f"`everscore status {model}` lists its versions"
        raise InputError(f"model {model!r} has no version {version!r}", remedy=remedy, code="unknown_version")
    if not decision.has_rows:
        message = f"version {version} of {model!r} was imported without its training set, so there are no rows to prove it on"
        raise InputError(message, remedy="export it from the stack where it was trained")
    champions = {release.champion.version for release in Releases(store).history(model)}
    if decision.verdict is not Verdict.PROMOTE and version not in champions:
        message = f"the gate rejected version {version} of {model!r}, and it never served"
        raise InputError(message, remedy=f'`everscore promote {model} {version} --force --reason "why"` serves it; then it can be exported')
    return decision


def _history(decision: Decision, store: ObjectStore) -> tuple[Decision, ...]:
    """Return the decisions on the champions that a version followed, oldest first."""
    found = [decision]
    while (before := found[-1].champion_version) is not None and (earlier := Decisions(store).of(decision.model, before)) is not None:
        found.append(earlier)
    return tuple(reversed(found[1:]))


def _files(decision: Decision, store: ObjectStore, *, data: bool) -> Iterator[tuple[str, bytes]]:
    """Yield the files: bundle, proof, and the training set if it goes along."""
    prefix = layout.version_prefix(decision.model, decision.challenger_version)
    for name in (INDEX, *read_index(lambda name: store.read(prefix + name), decision.digest).files):
        yield f"{BUNDLE}{name}", store.read(prefix + name)
    served = ServedModel(version=decision.challenger_version, digest=decision.digest, prefix=prefix)
    snapshots, md5 = Snapshots(store), decision.snapshot.md5
    yield from proof_of(Bundles(store).load(served), snapshots.read(md5)).items()
    if data:
        yield from ((f"{DATA}{name}", body) for name, body in snapshots.files(md5))
