"""Find all messages for people in the code, which `zh.po` has to translate."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.places import CODE
from infra.words.catalogue import CODE as CODES
from infra.words.catalogue import STORED, UNIT
from infra.words.sentences import sentences

if TYPE_CHECKING:
    from jinja2 import nodes

MARKED = ("infra/cli", "infra/report", "infra/cost", "infra/demo", "infra/words/__init__.py")
"""Files in which `_` and `plural` mark messages."""
COMPOSED = ("functions", "infra/cli", "infra/cost", "infra/local", "infra/report/gather.py", "infra/places.py", "infra/deploy.py")
"""Files in which errors and documents are composed in English."""
INTERNAL = (
    "functions/shared/domain/metrics.py",  # what Prometheus and Grafana show of metrics
    "functions/shared/domain/gate/codes.py",  # what docs/policy.md says of the gate's reasons
    "functions/shared/adapters/remote_write.py",
    "functions/shared/domain/dvc.py",
    *(f"functions/shared/engines/{form}.py" for form in ("arrays", "bitvector_model", "compiled", "forest", "slots")),
    "functions/shared/kernels",
    "functions/shared/runtime",
    "infra/local/bridge.py",
    "infra/local/mended",
    "infra/local/sam.py",
)
"""Files among these whose messages only developers of Everscore see."""


@dataclass(frozen=True, slots=True)
class Translatable:
    """A message with its context, any plural form, and its file."""

    text: str
    context: str | None = None
    many: str | None = None
    place: str = ""

    @property
    def key(self) -> tuple[str | None, str]:
        """Return the key of the message in a catalogue."""
        return self.context, self.text


def all_messages() -> list[Translatable]:
    """Return each message once, by context and text."""
    found = [*marked_messages(), *template_messages(), *help_messages(), *composed_messages(), *advice(), *codes(), *nouns()]
    return sorted({message.key: message for message in reversed(found)}.values(), key=lambda message: (message.context or "", message.text))


def marked_messages() -> Iterator[Translatable]:
    """Yield the messages of `_` and `plural` in Python."""
    for place, tree in _modules(MARKED):
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in {"_", "plural"} and call.args:
                texts = list(_constants(call.args[0]))
                if call.func.id == "plural":
                    [many] = _constants(call.args[1])
                    yield from (Translatable(text, None, many, place) for text in texts)
                else:
                    yield from (Translatable(text, None, None, place) for text in texts)


def template_messages() -> Iterator[Translatable]:
    """Yield the messages of the report's page."""
    from jinja2 import nodes

    from infra.report.report import PAGE, environment

    place = f"infra/report/{PAGE}"
    for call in environment().parse((CODE / place).read_text(encoding="utf-8")).find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in {"_", "_html", "plural"}:
            texts = [constant.value for argument in call.args for constant in _jinja_constants(argument)]
            if call.node.name == "plural":
                yield Translatable(texts[0], None, texts[1], place)
            else:
                yield from (Translatable(text, place=place) for text in texts)


def help_messages() -> Iterator[Translatable]:
    """Yield the command's help, with its options and subcommands."""
    from infra.cli.app import app
    from infra.cli.help import explained, in_readers_language
    from infra.words import ENGLISH, speaking

    with speaking(ENGLISH):
        command = in_readers_language(app)
        texts = [*(part.help for part in explained(command)), command.epilog]
        yield from (Translatable(text, place="--help") for text in texts if text)


def composed_messages() -> Iterator[Translatable]:
    """Yield the messages of errors, documents and the command's parser."""
    from functions.shared.domain.rollout.canary import Action
    from functions.shared.domain.thresholds import thresholds

    for place, tree in _modules(COMPOSED):
        if not place.startswith(INTERNAL):
            yield from (Translatable(text, STORED, None, place) for text in sentences(tree))
    yield from (Translatable(text, STORED, None, "typer") for text in MISUSED)
    for threshold in thresholds().values():
        yield Translatable(threshold.takes.replace("{", "{{").replace("}", "}}"), STORED, None, "functions/shared/domain/thresholds.py")
    yield from (Translatable(f"canary {action.value}: {{0}}", STORED) for action in Action)


MISUSED = (
    "Missing argument {0}.",
    "Missing option {0}.",
    "Missing command.",
    "No such option: {0}",
    "No such option: {0} (Possible options: {1})",
    "No such command {0}.",
    "No such command {0}. Did you mean {1}?",
    "Invalid value for {0}: {1}",
    "{0} is not one of {1}.",
    "{0} does not match the formats {1}.",
    "Got unexpected extra argument(s) ({0})",
    "Option {0} requires an argument.",
    "file {0} does not exist.",
    "{0} {1} does not exist.",
    "{0} {1} is a directory.",
    "{0} {1} is a file.",
    "{0} {1} is not readable.",
    "it must be greater than or equal to {0}",
    "it must be less than or equal to {0}",
    "it must be a valid integer, unable to parse string as an integer",
    "it must be a valid number, unable to parse string as a number",
)
"""Messages with which typer refuses arguments."""


def advice() -> Iterator[Translatable]:
    """Yield the report's advice on each kind of alert."""
    from functions.shared.domain.advice import ADVICE, CLOSED, UNUSED_LABELS

    for each in (*ADVICE.values(), UNUSED_LABELS, CLOSED):
        yield from (Translatable(text, place="functions/shared/domain/advice.py") for text in (each.meaning, each.look_at))


def codes() -> Iterator[Translatable]:
    """Yield codes of documents that are shown as words."""
    from functions.retraining.caveats import DoubtCode
    from functions.retraining.event import ALERT, SCHEDULE
    from functions.shared.domain.alert import AlertKind
    from functions.shared.domain.cause import State
    from functions.shared.domain.decision import Verdict
    from functions.shared.domain.gate.codes import GateCode
    from functions.shared.domain.manifest import Status
    from functions.shared.domain.performance.estimate import MISSED_TRUTH
    from functions.shared.domain.performance.metrics import METRICS
    from functions.shared.domain.rejections import FileCode, RowCode
    from functions.shared.domain.release import Role
    from functions.shared.domain.rollout.canary import Action
    from functions.shared.domain.spec import FeatureKind, Task
    from functions.shared.domain.thresholds import thresholds
    from infra.report.batch_charts import STAGES

    named: list[str] = [member.value for kind in (AlertKind, State, Verdict, Status, Role, Task, Action, FeatureKind) for member in kind]
    yield from (Translatable(threshold.unit, UNIT) for threshold in thresholds().values() if threshold.unit)
    triggers = ["person", SCHEDULE, *(ALERT + kind.value for kind in AlertKind)]
    reasons = [*RowCode, *FileCode, *GateCode, *DoubtCode, MISSED_TRUTH]
    metrics = [metric for metrics in METRICS.values() for metric in metrics]
    yield from (Translatable(code, CODES) for code in (*named, *COLUMNS, *COUNTED, *triggers, *metrics, *STAGES, *reasons))
    for place, tree in _modules(("functions",)):
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "code":
                yield from (Translatable(text, CODES, None, place) for text in _constants(node.value))
            elif place in _ALERTS and isinstance(node, ast.Dict | ast.Tuple):
                names = node.keys if isinstance(node, ast.Dict) else node.elts
                yield from (
                    Translatable(text, CODES, None, place) for name in names if name for text in _constants(name) if text.isidentifier()
                )


def nouns() -> Iterator[Translatable]:
    """Yield what `counted` puts behind a number."""
    for place, tree in _modules(("functions", *MARKED)):
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "counted" and len(call.args) > 1:
                yield from (Translatable(text, UNIT, None, place) for text in _constants(call.args[1]))


COLUMNS = ("id", "time", "target", "left out")
"""Roles of a training file's columns, other than features."""
COUNTED = ("alarms", "calls", "events", "files", "messages", "partitions", "scored", "quarantine", "labelled", "waiting", "snapshots")
"""Items of a cost estimate, and places where an erasure finds rows."""
_ALERTS = ("functions/metric_emission/alerts.py", "functions/release/approvals.py")
"""Name the figures of their alerts."""


def _constants(node: ast.expr) -> Iterator[str]:
    """Yield a message, or both that a condition chooses between."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _constants(node.body)
        yield from _constants(node.orelse)


def _jinja_constants(node: "nodes.Expr") -> Iterator["nodes.Const"]:
    """Yield a message, or both that a condition chooses between."""
    from jinja2 import nodes

    if isinstance(node, nodes.Const):
        yield node
    elif isinstance(node, nodes.CondExpr):
        yield from (constant for part in (node.expr1, node.expr2) if part for constant in _jinja_constants(part))


def _modules(places: Iterable[str]) -> Iterator[tuple[str, ast.Module]]:
    for place in places:
        for file in sorted((CODE / place).rglob("*.py")) or [CODE / place]:
            yield file.relative_to(CODE).as_posix(), ast.parse(file.read_text(encoding="utf-8"))
