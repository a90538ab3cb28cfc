"""Erase people's rows from everything that is stored of a model, and record it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from functions.erasure.event import EraseRequest, Place
from functions.erasure.people import People, Subject
from functions.erasure.ports import Ports
from functions.erasure.rehearsal import Unchanged
from functions.erasure.walk import STEPS, Walk, units_after, with_found
from functions.shared.domain import layout
from functions.shared.domain.erasure import Erasure, Reached
from functions.shared.domain.errors import InputError
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.bundle import SPEC
from functions.shared.repositories.leases import LONGEST, Leases
from functions.shared.repositories.releases import Releases

_TAKEN_UP_WITHIN = timedelta(days=7)
"""Records that were not written for longer are not looked through for one to take up."""


def erase(request: EraseRequest, ports: Ports, time_is_up: Callable[[], bool] = lambda: False) -> Erasure:
    """Erase people's rows from everything stored of a model.

    It ends when none is found, or when the time is up.

    A record without `ended_at` is of one that goes on: repeat the request, with its token, until there is one. After an interruption
    do the same. Without a token a repeated request starts again, and finds nothing where it was. Meanwhile the model is
    scored and measured as usual, but not trained.

    Args:
        request: whose rows.
        ports: the stores.
        time_is_up: whether to stop before the next unit; only with a token.

    Raises:
        InputError: if the model never served.
        RetrainingBusyError: if the model is being trained, or others are being erased.
        NotForgottenError: if a version of an object cannot be removed for good.
    """
    subject = Subject(_spec(request.model, ports), People(request.ids))
    if request.dry_run:
        return _rehearsed(request, subject, ports, time_is_up)
    begun = _standing(request, ports) or _new(request, subject, ports)
    assert begun.reached is not None, "only an ended erasure has no position"
    leases, holder = Leases(ports.store), begun.reached.seal
    leases.take(request.model, holder=holder, now=ports.now)
    walk = Walk(begun, begun.reached, subject, ports)
    try:
        walk.go_on(time_is_up if request.token else lambda: False)
        return walk.record if walk.reached.paused else walk.ended()
    finally:
        if not walk.reached.paused:  # else the next call goes on under this lease, so that nobody learns in between
            leases.give_back(request.model, holder=holder)


def _rehearsed(request: EraseRequest, subject: Subject, ports: Ports, time_is_up: Callable[[], bool]) -> Erasure:
    """Return what one look would remove.

    Where the time is up it is what the part until `reached` would. A call without `after` looks at everything, however long that takes.
    """
    unchanged = replace(ports, inbox=Unchanged(ports.inbox), store=Unchanged(ports.store))
    erasure = _new(request, subject, ports)
    begun, reached, after = erasure.reached, None, request.after or Place()
    for step, unit in units_after(after.step, after.place, subject, unchanged):
        if request.after and reached and time_is_up():
            break
        erasure, reached = with_found(erasure, unit.erase()), Place(step=step, place=unit.place)
    else:
        reached = None
    stopped = begun.model_copy(update={**reached.model_dump(), "paused": True}) if begun and reached else None
    return erasure.model_copy(update={"objects": 0, "reached": stopped})


def _new(request: EraseRequest, subject: Subject, ports: Ports) -> Erasure:
    return Erasure(
        model=request.model,
        erasure=f"{ports.now():%Y%m%dT%H%M%SZ}-{ports.new_name()}",
        people=subject.people.count,
        who=request.who,
        reason=request.reason,
        begun_at=ports.now(),
        reached=Reached(seal=request.seal if request.token else ports.new_name(), at=ports.now()),
    )


def _standing(request: EraseRequest, ports: Ports) -> Erasure | None:
    """Return the unfinished erasure of an earlier call with the same token and ids.

    If that call was killed, or somebody may have learnt since, another look follows this one.
    """
    if not request.token:
        return None
    for found in ports.store.list(layout.erasure_prefix(request.model)):
        if ports.now() - found.last_modified > _TAKEN_UP_WITHIN:
            continue
        erasure = Erasure.from_json(ports.store.read(found.key))
        reached = erasure.reached
        if reached is None or reached.seal != request.seal:
            continue
        if reached.step not in STEPS:  # of another Everscore, or at the beginning
            reached = reached.model_copy(update={"step": "", "place": ""})
        unseen = not reached.paused or ports.now() - reached.at > LONGEST
        taken_up = {"paused": False, "removed": reached.removed or unseen}
        return erasure.model_copy(update={"reached": reached.model_copy(update=taken_up)})
    return None


def _spec(model: str, ports: Ports) -> ModelSpec:
    """Return the spec of the version that serves, or served last."""
    release = Releases(ports.store).current(model)
    if release is None:
        message = f"model {model!r} never served here, so it is unknown which column names a person"
        raise InputError(message)
    return ModelSpec.from_json(ports.store.read(release.champion.prefix + SPEC))
