"""Send a message about each alert, decision and release, once to each target.

A target that fails holds up no other.
"""

from functions.notification.ports import Ports
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert
from functions.shared.domain.cause import cause_of
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.message import KINDS
from functions.shared.foundation.fan_out import AT_ONCE, for_each
from functions.shared.repositories.causes import causes_of
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.messages import Messages
from functions.shared.repositories.policies import Policies


def notify(created: StoredObject, ports: Ports) -> None:
    """Send the message about what was stored to each target that did not get it yet.

    About an alert that a person silenced for a time, none is sent.

    A target that got it before this function crashed, but is not recorded yet, gets it once more: it has the same id then.

    Raises:
        ExceptionGroup: at the end, of what went wrong with some targets; the others have the message.
    """
    if _is_silenced(created.key, ports):
        return
    messages = Messages(ports.store)
    message = messages.about(created.key, stack=ports.stack)
    if message is None:
        return
    kinds = Policies(ports.store).current(message.model).notifications.kinds
    wanted = {name for name in ports.targets if message.kind in kinds.get(name, KINDS)}
    missing = wanted - messages.begun(message, ports.now()).sent

    def send(name: str) -> None:
        ports.targets[name].send(message)
        messages.record(message, name)

    for_each(sorted(missing), send, at_once=AT_ONCE)


def _is_silenced(key: str, ports: Ports) -> bool:
    """Return whether a person silenced the alert at a key."""
    alert = read_document(ports.store, Alert, key) if key.startswith(layout.ALERTS) else None
    return alert is not None and causes_of(alert.model, ports.store).silence_of(cause_of(alert), alert.kind, ports.now()) is not None
