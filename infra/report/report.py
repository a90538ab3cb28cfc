"""Make a report: a model's history as one HTML page without network or scripts."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from functions.shared.domain.advice import ADVICE, UNUSED_LABELS, Advice
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.ports import ObjectStore
from infra import words
from infra.report import wording
from infra.report.charts import figures_of
from infra.report.gather import gather
from infra.report.summary import summarize
from infra.report.timeline import events

PAGE = "page.html.jinja"
OURS = '<meta name="generator" content="Everscore">'
"""Mark at the beginning of each page, by which a report is recognised."""


def make_report(model: str, store: ObjectStore, now: datetime) -> str:
    """Return the page as HTML text.

    Args:
        model: the model's name.
        store: the bucket of stored documents.
        now: the time to show on the page.

    Raises:
        InputError: if nothing is stored of the model.
    """
    history = gather(model, store, now)
    return (
        environment()
        .get_template(PAGE)
        .render(
            history=history,
            mark=Markup(OURS),  # noqa: S704 - our own text
            summary=summarize(history),
            figures=figures_of(history),
            events=events(history.releases, history.policies)[::-1],
            advice=list(_advice(history.alerts)),
        )
    )


def _advice(alerts: Sequence[Alert]) -> Iterator[tuple[AlertKind, Advice]]:
    """Yield what to do about each kind of alert that there was.

    Failures are of batches or of labels.
    """
    for kind, advice in ADVICE.items():
        of_labels = {alert.is_of_labels for alert in alerts if alert.kind is kind}
        yield from ((kind, UNUSED_LABELS if of else advice) for of in sorted(of_labels))


def environment() -> Environment:
    """Return Jinja's environment.

    It escapes all text from users, such as names and rows.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    named = (
        wording.count,
        wording.figure,
        wording.extent,
        wording.chance,
        wording.moved,
        wording.share,
        wording.seconds,
        wording.size,
        wording.day,
        wording.moment,
        wording.metric_name,
        wording.column_name,
        wording.breakable,
        wording.verdict,
        words.coded,
        words.counted,
        words.stored,
    )
    environment.filters.update({function.__name__: function for function in named})
    environment.globals.update(_=words._, _html=_html, plural=words.plural, language=words.language())
    return environment


def _html(message: str, /, **fields: object) -> Markup:
    """Return a message of ours with HTML in it; its fields are escaped."""
    return Markup(words._(message)).format(**fields)  # noqa: S704 - see above
