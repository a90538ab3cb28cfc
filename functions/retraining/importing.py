"""Make a version of a sealed file from another stack.

First it is proved in this image.
"""

import io

import pyarrow as pa

from functions.retraining.event import ImportRequest, RetrainingResult
from functions.retraining.ports import Ports
from functions.retraining.recording import record, unregistered
from functions.shared.domain.decision import Decision, Reason, Verdict
from functions.shared.domain.errors import DigestMismatchError, ImportRefusedError, InvalidBundleError, RegistryUnavailableError
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import ServedModel
from functions.shared.domain.rollout.agreement import Agreement, compare_scores
from functions.shared.engines.bundle import LoadedModel, bundle_digest, load_bundle, load_compiled, load_fitted, read_index, renamed_bundle
from functions.shared.engines.engine import EngineKind
from functions.shared.engines.proof import prove
from functions.shared.engines.sealed_version import (
    ANSWERS,
    ROWS,
    SEAL,
    OpenedVersion,
    SealedVersion,
    differences,
    open_sealed,
    read_rows,
    same_question,
)
from functions.shared.ports import ObjectStore, Registry
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.leases import Leases
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases
from functions.shared.repositories.snapshots import Snapshots
from functions.shared.repositories.versions import Versions

_WITHOUT_ROWS = Reason(
    code="without_rows",
    message="it came without its training set: to retrain or reproduce it here, export it with --data and import it again",
    warning=True,
)


def import_version(request: ImportRequest, ports: Ports) -> RetrainingResult:
    """Store a version that was made in another stack, and let `release` serve it.

    The first version of a model serves. Another becomes a challenger, which a canary holds against the champion on this stack's labels.

    Raises:
        ImportRefusedError: if the file was changed, scores otherwise in this image, answers another question than the champion, or is
            here already.
        RetrainingBusyError: if a training of this model is running.
    """
    opened = open_sealed(io.BytesIO(ports.inbox.read(request.key, request.version_id)))
    with Leases(ports.store).held(request.model, holder=ports.new_holder(), now=ports.now):
        if known := _known(request.model, opened.sealed, ports.store):
            return RetrainingResult(decision=_completed(known, opened, ports.store))
        files = opened.read_bundle()
        arriving = _proved(opened, files)
        champion = _champion(request.model, ports.store)
        if champion is not None:
            _refuse_another(request.model, arriving, ports.bundles.load(champion))
        _restore_rows(opened, ports.store)
        return RetrainingResult(decision=_publish(request.model, opened, files, champion, ports))


def _known(model: str, sealed: SealedVersion, store: ObjectStore) -> Decision | None:
    """Return the decision on the version, if it was imported or made here before.

    A version has another digest in each stack. It may come back, or come by way of a third stack.
    """
    digests = {sealed.origin.digest} | _digests(sealed.decision)
    return next((decision for decision in Decisions(store).all(model) if digests & _digests(decision)), None)


def _digests(decision: Decision) -> set[str]:
    """Return a version's digest where it was decided on, and where it came from."""
    return {decision.digest} | ({decision.origin.digest} if decision.origin else set())


def _completed(known: Decision, opened: OpenedVersion, store: ObjectStore) -> Decision:
    """Add the training set to a version that was imported without it.

    An erasure may have made it another one since.

    Raises:
        ImportRefusedError: if there is nothing to add.
    """
    if known.origin is None or known.has_rows or not opened.sealed.origin.has_rows:
        version = known.challenger_version
        message = f"this version is here already: version {version} of {known.model!r}"
        raise ImportRefusedError(message, remedy=f"`everscore promote {known.model} {version}` serves it")
    _restore_rows(opened, store)
    reasons = tuple(reason for reason in known.reasons if reason.code != _WITHOUT_ROWS.code)
    origin, decision = known.origin.model_copy(update={"has_rows": True}), opened.sealed.decision
    rows = {"snapshot": decision.snapshot, "erased_rows": decision.erased_rows}
    completed = known.model_copy(update={"origin": origin, "reasons": reasons, **rows})
    Decisions(store).write(completed)
    return completed


def _restore_rows(opened: OpenedVersion, store: ObjectStore) -> None:
    """Store the training set, if it came along.

    Raises:
        ImportRefusedError: if it is not the one that the version's decision names.
    """
    if not opened.sealed.origin.has_rows:
        return
    try:
        Snapshots(store).restore(opened.sealed.decision.snapshot.md5, opened.read_data)
    except DigestMismatchError as other:
        message = f"the training set in the file is not the one of its decision: {other.message}"
        raise ImportRefusedError(message, remedy="export the version again, and ask who made this file") from other


def _proved(opened: OpenedVersion, files: dict[str, bytes]) -> LoadedModel:
    """Return the version, if this image scores as its own did.

    The compiled engine is compared with the pipeline again, on the rows that came along and on awkward ones.
    """
    digest, rows = opened.sealed.origin.digest, read_rows(opened.read(ROWS))
    try:
        model = load_bundle(files.__getitem__, digest)
        found = differences(model, rows, read_rows(opened.read(ANSWERS)))
        found = found or _disproved(files, digest, model, rows)
    except (DigestMismatchError, InvalidBundleError, ImportError) as damage:
        message = f"the version cannot be loaded here: {damage}"
        raise ImportRefusedError(message, remedy="deploy the same release of Everscore, with the same packages, to both stacks") from damage
    if found:
        libraries = ", ".join(f"{name} {version}" for name, version in model.spec.libraries.items())
        message = f"the version scores otherwise in this stack's image: {found}. It was made by {libraries}"
        raise ImportRefusedError(message, remedy="deploy the same release of Everscore, with the same packages, to both stacks")
    return model


def _disproved(files: dict[str, bytes], digest: str, model: LoadedModel, rows: pa.Table) -> str:
    if read_index(files.__getitem__, digest).engine is EngineKind.NATIVE:
        return ""
    compiled = load_compiled(files.__getitem__, digest)
    proved = prove(compiled, load_fitted(files.__getitem__, digest), model.spec, rows)
    return "" if proved.compiled.kind is compiled.kind else proved.compiled.reason


def _champion(model: str, store: ObjectStore) -> ServedModel | None:
    release = Releases(store).current(model)
    return release.champion if release else None


def _refuse_another(model: str, arriving: LoadedModel, champion: LoadedModel) -> None:
    if not same_question(arriving.spec, champion.spec):
        message = f"{model!r} serves another model here: its target, classes, task, id, time column or time zone differ"
        raise ImportRefusedError(message, remedy="import it under a name of its own, with --model NAME")


def _publish(model: str, opened: OpenedVersion, files: dict[str, bytes], champion: ServedModel | None, ports: Ports) -> Decision:
    versions = Versions(ports.store)
    version = versions.next_number(model)
    bundle = renamed_bundle(files, model, version)
    versions.write(model, version, {**bundle, SEAL: opened.sealed_content})
    policy = Policies(ports.store).current(model)
    decision = opened.sealed.decision.model_copy(
        update={
            "model": model,
            "champion_version": champion.version if champion else None,
            "challenger_version": version,
            "verdict": Verdict.PROMOTE,
            "reasons": _reasons(opened.sealed, policy),
            "champion": {},
            "agreement": _agreement(opened, bundle, champion, ports),
            "digest": bundle_digest(bundle),
            "trigger": "import",
            "run_id": None,
            "origin": opened.sealed.origin,
            "decided_at": ports.now(),
        }
    )
    if ports.registry is not None:
        decision = _recorded(decision, bundle, ports.registry)
    Decisions(ports.store).write(decision)
    return decision


def _reasons(sealed: SealedVersion, policy: Policy) -> tuple[Reason, ...]:
    origin, reasons = sealed.origin, []
    where = f"{origin.stack!r} of the account {origin.account}" if origin.account else f"{origin.stack!r}"
    message = f"imported: version {origin.version} of {origin.model!r} in the stack {where}; figures are those of its decision there"
    reasons.append(Reason(code="imported", message=message))
    if sealed.rule != policy.decision:
        message = "the policies of the two stacks turn scores into predictions differently: compare `decision.` in `everscore policy`"
        reasons.append(Reason(code="other_decision", message=message, warning=True))
    if not origin.has_rows:
        reasons.append(_WITHOUT_ROWS)
    return tuple(reasons)


def _agreement(opened: OpenedVersion, bundle: dict[str, bytes], champion: ServedModel | None, ports: Ports) -> Agreement | None:
    """Compare the scores of champion and version on the rows of the import.

    Return None without a champion, or if its columns are missing.
    """
    if champion is None:
        return None
    serving, rows = ports.bundles.load(champion), read_rows(opened.read(ROWS))
    if not {feature.name for feature in serving.spec.features} <= set(rows.column_names):
        return None
    batch = rows.combine_chunks().to_batches()[0]
    arriving = load_bundle(bundle.__getitem__, bundle_digest(bundle))
    return compare_scores(serving.baseline, serving.engine.score(batch), arriving.engine.score(batch))


def _recorded(decision: Decision, bundle: dict[str, bytes], registry: Registry) -> Decision:
    """Record the version, or leave that to the next retraining.

    An unavailable registry stops nothing.
    """
    digest = decision.digest
    try:
        spec = load_bundle(bundle.__getitem__, digest).spec
        return record(decision, spec, load_fitted(bundle.__getitem__, digest), bundle, registry)
    except RegistryUnavailableError as away:
        return decision.model_copy(update={"reasons": (*decision.reasons, unregistered(away))})
