"""What a person is sent.

It is what happened, since when, what it means, and what to type.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from functions.shared.domain.advice import advice_on
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.layout import UNNAMED_MODEL

DECISION, RELEASE = "decision", "release"
KINDS = (*(kind.value for kind in AlertKind), DECISION, RELEASE)
"""What messages are about: each kind of alert, a decision of the gate, and a change of what is served."""

_LONGEST_SUBJECT = 100
"""What SNS takes of a mail's subject, less one."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message.

    Its `id` is the same whenever it is composed, so that a person who gets it twice can see that.
    """

    id: str
    model: str
    kind: str
    since: datetime
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class News:
    """What a message says.

    `happened` is one sentence with its figures; `commands` are lines for a shell without the stack's name.
    """

    id: str
    model: str
    kind: str
    since: datetime
    happened: str
    meaning: str
    look_at: str
    commands: tuple[str, ...]
    runbook: str


def compose(news: News, *, stack: str) -> Message:
    """Return the message that brings some news of a stack."""
    model = news.model
    plots = f"With plots: everscore report {model} -o {model}.html --stack {stack}"
    lines = (
        f"{model}: {news.happened}",
        "",
        f"Since {news.since:%Y-%m-%d %H:%M} UTC. {news.meaning}",
        f"Look at: {news.look_at}",
        "",
        "What to type:",
        *(f"  {command} --stack {stack}" for command in news.commands),
        "",
        *([plots] if model != UNNAMED_MODEL else []),
        f"More: {news.runbook}",
    )
    subject = _subject(f"{stack}, {model}: {news.kind}: {news.happened}")
    return Message(id=news.id, model=model, kind=news.kind, since=news.since, subject=subject, text="\n".join(lines))


def message_about(alert: Alert, *, stack: str) -> Message:
    """Compose the message about an alert of a stack.

    >>> from datetime import UTC
    >>> silent = dict(kind=AlertKind.SILENT, window="2013-04-01", message="no batch for 30 hours, one is due every 24")
    >>> evidence = dict(evidence={}, runbook="docs/runbook.md#silent", raised_at=datetime(2013, 4, 1, 12, tzinfo=UTC))
    >>> print(message_about(Alert(model="churn", **silent, **evidence), stack="everscore").text)
    churn: no batch for 30 hours, one is due every 24
    <BLANKLINE>
    Since 2013-04-01 12:00 UTC. No batch has come for longer than the policy's rhythm allows.
    Look at: Whoever delivers the files first; then the scoring queue and its dead letters, in case a file came and was not scored.
    <BLANKLINE>
    What to type:
      everscore status churn --stack everscore
      everscore policy churn --stack everscore
    <BLANKLINE>
    With plots: everscore report churn -o churn.html --stack everscore
    More: docs/runbook.md#silent
    """
    advice = advice_on(alert)
    known = {"VERSION": alert.version, "BATCH_ID": alert.batch}
    named = "MODEL" if alert.model == UNNAMED_MODEL and not alert.closed else alert.model
    news = News(
        id=f"{alert.window}-{alert.kind.value}{'-closed' if alert.closed else ''}",
        model=alert.model,
        kind=alert.kind.value,
        since=alert.raised_at,
        happened=alert.message,
        meaning=advice.meaning,
        look_at=advice.look_at,
        commands=tuple(_filled(line, known).format(model=named) for line in advice.commands),
        runbook=alert.runbook,
    )
    return compose(news, stack=stack)


def _filled(line: str, known: Mapping[str, str | None]) -> str:
    """Return a command with the names that an alert knows."""
    for name, value in known.items():
        line = line.replace(name, value or name)
    return line


def _subject(text: str) -> str:
    r"""Return a subject as mail takes it: one short line of printable ASCII.

    >>> _subject("café:\n" + "x" * 200)[:8], len(_subject("x" * 200))
    ('caf?: xx', 99)
    """
    plain = " ".join(text.split()).encode("ascii", "replace").decode()
    shown = "".join(letter if letter.isprintable() else "?" for letter in plain)
    return shown if len(shown) < _LONGEST_SUBJECT else f"{shown[: _LONGEST_SUBJECT - 4]}..."
