"""What a person is sent about an alert: what happened, since when, what it means, and what to type."""

from dataclasses import dataclass
from datetime import datetime

from functions.shared.domain.advice import ADVICE
from functions.shared.domain.alert import Alert

_LONGEST_SUBJECT = 100
"""What SNS takes of a mail's subject, less one."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message. Its `id` is the same whenever it is composed, so that whoever gets it twice can know it."""

    id: str
    model: str
    kind: str
    since: datetime
    subject: str
    text: str


def message_about(alert: Alert, *, stack: str) -> Message:
    """Compose the message about an alert of a stack.

    >>> from datetime import UTC
    >>> from functions.shared.domain.alert import AlertKind
    >>> silent = dict(kind=AlertKind.SILENT, window="2013-04-01", message="no batch for 30 hours, one is due every 24")
    >>> evidence = dict(evidence={}, runbook="docs/runbook.md#silent", raised_at=datetime(2013, 4, 1, 12, tzinfo=UTC))
    >>> print(message_about(Alert(model="churn", **silent, **evidence), stack="everscore").text)
    churn: no batch for 30 hours, one is due every 24
    <BLANKLINE>
    Since 2013-04-01 12:00 UTC. No batch has come for longer than the policy's rhythm allows.
    Look at: Whoever delivers the files first; then the scoring queue and its dead letters, in case a file came and was not scored.
    <BLANKLINE>
    Type:
      everscore status churn --stack everscore
      everscore policy churn --stack everscore
    <BLANKLINE>
    With plots: everscore report churn -o churn.html --stack everscore
    More: docs/runbook.md#silent
    """
    advice = ADVICE[alert.kind]
    commands = (line.format(model=alert.model).replace("VERSION", alert.version or "VERSION") for line in advice.commands)
    lines = (
        f"{alert.model}: {alert.message}",
        "",
        f"Since {alert.raised_at:%Y-%m-%d %H:%M} UTC. {advice.meaning}",
        f"Look at: {advice.look_at}",
        "",
        "Type:",
        *(f"  {command} --stack {stack}" for command in commands),
        "",
        f"With plots: everscore report {alert.model} -o {alert.model}.html --stack {stack}",
        f"More: {alert.runbook}",
    )
    return Message(
        id=f"{alert.window}-{alert.kind.value}",
        model=alert.model,
        kind=alert.kind.value,
        since=alert.raised_at,
        subject=_subject(f"{stack}, {alert.model}: {alert.kind.value}: {alert.message}"),
        text="\n".join(lines),
    )


def _subject(text: str) -> str:
    r"""Return a subject as mail takes it: one line of printable ASCII, and not too long.

    >>> _subject("café:\n" + "x" * 200)[:8], len(_subject("x" * 200))
    ('caf?: xx', 99)
    """
    plain = " ".join(text.split()).encode("ascii", "replace").decode()
    shown = "".join(letter if letter.isprintable() else "?" for letter in plain)
    return shown if len(shown) < _LONGEST_SUBJECT else f"{shown[: _LONGEST_SUBJECT - 4]}..."
