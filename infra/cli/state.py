"""What `everscore status` knows of a model, gathered from stored documents."""

from typing import Any

from functions.shared.domain.decision import Decision
from functions.shared.domain.errors import InputError
from functions.shared.domain.performance import DayPerformance
from functions.shared.ports import ObjectStore
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.documents import read_documents
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.releases import Releases

_BATCHES = 20


def model_status(model: str, store: ObjectStore) -> dict[str, Any]:
    """The state of one model, in the shape that `status --json` prints.

    Raises:
        InputError: if the model serves nothing.
    """
    import json

    from functions.shared.domain import layout
    from functions.shared.domain.errors import NotFoundError

    release = Releases(store).current(model)
    if release is None:
        known = ", ".join(Releases(store).models()) or "none yet"
        message = f"no model {model!r} serves here; models: {known}"
        raise InputError(message)
    drift = None
    for _, manifest in zip(range(_BATCHES), Manifests(store).newest(model), strict=False):
        try:
            drift = json.loads(store.read(layout.emitted_key(model, manifest.batch_id)))["drift"]
        except NotFoundError:
            continue
        if drift is not None:
            break
    challenger = release.challenger
    return {
        "model": model,
        "seq": release.seq,
        "reason": release.reason,
        "champion": {"version": release.champion.version},
        "challenger": {"version": challenger.version, "share": challenger.share} if challenger else None,
        "previous": {"version": release.previous.version} if release.previous else None,
        "versions": [_version(decision) for decision in Decisions(store).all(model)],
        "drift": {"alert": drift["alert"], "rows": drift["rows"], "features": drift["columns"]} if drift else None,
        "performance": [
            {
                "day": day.day.isoformat(),
                "role": group.role.value,
                "version": group.version,
                "rows": group.rows,
                "metrics": dict(group.metrics),
            }
            for day in read_documents(store, DayPerformance, f"performance/{model}/")
            for group in day.groups
        ],
    }


def _version(decision: Decision) -> dict[str, Any]:
    return {
        "version": decision.challenger_version,
        "decision": decision.decision.value,
        "reasons": [reason.code for reason in decision.reasons],
        "engine": decision.engine,
        "trained_rows": decision.trained_rows,
        "snapshot": decision.snapshot.md5,
    }
