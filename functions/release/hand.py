"""A person's hand: what each action does that a person asks for."""

from functions.release.approvals import approve, reject
from functions.release.event import ReleaseRequest
from functions.release.ports import Ports
from functions.release.service import promote, restore, retire, rollback, try_out
from functions.shared.domain.errors import ReleaseRefusedError
from functions.shared.domain.release import Release


def act(request: ReleaseRequest, model: str, ports: Ports) -> Release:
    """Do what a person asks for a model, and return what is served from then on.

    Raises:
        ReleaseRefusedError: if a version or a reason is missing, or as the action says.
        ConflictError: if another decider was first; look again.
    """
    reason = request.reason or f"{request.action} by hand"
    match request.action:
        case "promote":
            return _promote(request, model, reason, ports)
        case "rollback" if request.version is not None:
            return restore(model, request.version, reason=reason, who=request.who, ports=ports)
        case "rollback":
            return rollback(model, reason=reason, who=request.who, ports=ports)
        case "retire":
            return retire(model, reason=reason, who=request.who, ports=ports)
        case "approve" | "reject":
            return _decide(request, model, ports)
    message = f"{request.action} is no action of a person"
    raise ReleaseRefusedError(message)


def _promote(request: ReleaseRequest, model: str, reason: str, ports: Ports) -> Release:
    if request.version is None:
        message = "name the version to promote"
        raise ReleaseRefusedError(message)
    if request.force and not request.reason:
        message = f"the gate kept version {request.version} out: whoever forces it says why"
        raise ReleaseRefusedError(message)
    serve = try_out if request.canary else promote
    return serve(model, request.version, reason=reason, who=request.who, force=request.force, ports=ports)


def _decide(request: ReleaseRequest, model: str, ports: Ports) -> Release:
    if request.version is None or not request.reason:
        message = f"{request.action} needs the version that waits, and a reason, for the record"
        raise ReleaseRefusedError(message)
    decide = approve if request.action == "approve" else reject
    return decide(model, request.version, reason=request.reason, who=request.who, ports=ports)
