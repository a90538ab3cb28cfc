"""Erase people's rows from everything that is stored of a model, and record it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from functions.erasure.batches import erase_from_batches
from functions.erasure.earlier import clear_earlier
from functions.erasure.event import EraseRequest
from functions.erasure.labels import erase_from_labels
from functions.erasure.messages import erase_from_messages
from functions.erasure.people import People, Subject
from functions.erasure.ports import Ports
from functions.erasure.rehearsal import Unchanged
from functions.erasure.snapshots import clear_unnamed, erase_from_snapshots
from functions.erasure.uploads import WORKED_OFF, remove_uploads
from functions.shared.domain import layout
from functions.shared.domain.erasure import Erasure
from functions.shared.domain.errors import InputError
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.bundle import SPEC
from functions.shared.repositories.leases import Leases
from functions.shared.repositories.releases import Releases

_MOST_LOOKS = 3
"""Passes over the store. The second finds rows that arrived during the first; `left` reports people who keep arriving."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one pass removed and what it left, as in the record."""

    rows: Counter[str]
    batches: Counter[str]
    versions: Mapping[str, int]
    uploads: tuple[str, ...]
    objects: int
    left: Mapping[str, datetime]

    @property
    def nothing(self) -> bool:
        """Return whether nobody was found."""
        return not (self.rows or self.versions or self.objects)


def erase(request: EraseRequest, ports: Ports) -> Erasure:
    """Erase people's rows from everything stored of a model, until none is found.

    After an interruption, repeat the request to finish; a repeated request finds nothing to do. Meanwhile the model is scored and
    measured as usual, but not trained.

    Raises:
        InputError: if the model never served.
        RetrainingBusyError: if the model is being trained, or others are being erased.
        NotForgottenError: if a version of an object cannot be removed for good.
    """
    if request.dry_run:
        ports = replace(ports, inbox=Unchanged(ports.inbox), store=Unchanged(ports.store))
    subject = Subject(_spec(request.model, ports), People(request.ids))
    erasure = Erasure(
        model=request.model,
        erasure=f"{ports.now():%Y%m%dT%H%M%SZ}-{ports.new_name()}",
        people=subject.people.count,
        who=request.who,
        reason=request.reason,
        begun_at=ports.now(),
    )
    if request.dry_run:
        return _with(erasure, _look(subject, ports)).model_copy(update={"objects": 0})
    with Leases(ports.store).held(request.model, holder=erasure.erasure, now=ports.now):
        _record(erasure, ports)
        for _ in range(_MOST_LOOKS):
            found = _look(subject, ports)
            erasure = _with(erasure, found)
            _record(erasure, ports)
            if found.nothing:
                break
        erasure = erasure.model_copy(update={"ended_at": ports.now()})
        _record(erasure, ports)
    return erasure


def _look(subject: Subject, ports: Ports) -> Found:
    """Erase everywhere once: first from referenced files, then unreferenced files."""
    batches = erase_from_batches(subject, ports)
    labels = erase_from_labels(subject, ports)
    versions = erase_from_snapshots(subject, ports)
    earlier = clear_earlier(subject, ports)
    unnamed, training = clear_unnamed(subject, ports)
    messages = erase_from_messages(subject, ports)
    uploads = remove_uploads(subject, ports)
    rows, by_batch = Counter[str](), Counter[str]()
    for key, removed in {**batches, **labels}.items():
        rows[key.split("/", 1)[0]] += removed
    for key, removed in batches.items():
        by_batch[key.split("/")[2]] += removed
    objects = earlier + unnamed + messages + uploads.objects
    return Found(rows, by_batch, versions, uploads.removed, objects, {**uploads.left, **training})


def _with(erasure: Erasure, found: Found) -> Erasure:
    """Return the record of all passes up to this one."""
    return erasure.model_copy(
        update={
            "rows": dict(Counter(erasure.rows) + found.rows),
            "batches": dict(Counter(erasure.batches) + found.batches),
            "versions": dict(Counter(erasure.versions) + Counter(found.versions)),
            "uploads": tuple(dict.fromkeys((*erasure.uploads, *found.uploads))),
            "objects": erasure.objects + found.objects,
            "left": tuple(found.left),
            "left_until": {key: until for key, until in found.left.items() if until != WORKED_OFF},
        }
    )


def _record(erasure: Erasure, ports: Ports) -> None:
    ports.store.write(layout.erasure_key(erasure.model, erasure.erasure), erasure.to_json())


def _spec(model: str, ports: Ports) -> ModelSpec:
    """Return the spec of the version that serves, or served last."""
    release = Releases(ports.store).current(model)
    if release is None:
        message = f"model {model!r} never served here, so it is unknown which column names a person"
        raise InputError(message)
    return ModelSpec.from_json(ports.store.read(release.champion.prefix + SPEC))
