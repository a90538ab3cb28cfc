"""The chart of estimates made before labels, against the labels' truth."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import altair as alt

from functions.shared.domain.performance.estimate import HELD, Estimated
from functions.shared.domain.performance.truth import true_loss
from infra.report.axes import day_axis, place_of
from infra.report.drawing import ALARM, CALM, GOOD, Canvas, Drawing, Figure, Key, data, drawn
from infra.report.gather import History
from infra.report.wording import count, figure, metric_name, sentences
from infra.words import _, coded, counted, listed


@dataclass(frozen=True, slots=True)
class EstimateAndTruth:
    """A batch's estimate, and the truth if its labels have arrived."""

    day: date
    estimated: Estimated
    truth: float | None

    @property
    def borne_out(self) -> bool | None:
        """Return whether the truth lies in the estimate's interval; None without a truth."""
        return None if self.truth is None else self.estimated.low <= self.truth <= self.estimated.high


def comparisons(history: History) -> tuple[EstimateAndTruth, ...]:
    """Return every batch with an estimate, in order."""
    days = {performed.day: performed for performed in history.days}
    return tuple(
        EstimateAndTruth(
            day, estimated, true_loss(batch.manifest, [days[event] for event in batch.manifest.event_days if event in days], history.mature)
        )
        for batch in history.batches
        if batch.estimate and (estimated := batch.estimate.metrics.get(HELD)) and (day := batch.day)
    )


def estimates(history: History) -> Figure | None:
    """Chart estimate and truth by batch."""
    compared = comparisons(history)
    if not compared:
        return None
    known = [comparison for comparison in compared if comparison.truth is not None]
    right = sum(bool(comparison.borne_out) for comparison in known)
    score = (
        _("Labels bore out {right} of {estimates}.", right=count(right), estimates=counted(len(known), "estimates"))
        if known
        else _("No labels have come yet.")
    )
    return drawn(
        partial(_estimates, compared=compared),
        name="estimates",
        title=_("Estimate against truth: {metric}", metric=metric_name(HELD)),
        note=sentences(
            _("What each batch was thought to do before its labels, with its 95 % interval, and what labels said."),
            score,
            _refused(history),
        ),
        alt=sentences(
            score,
            listed(
                _("{estimate} and {truth} in truth", estimate=figure(each.estimated.value), truth=figure(each.truth)) for each in known[-5:]
            ),
        ),
        keys=(Key(_("estimate"), CALM), Key(_("truth, within the interval"), GOOD), Key(_("truth, beyond it"), ALARM)),
    )


def _refused(history: History) -> str:
    reasons = Counter(reason.code for batch in history.batches if batch.estimate for reason in batch.estimate.refusals)
    batches = sum(bool(batch.estimate.refusals) for batch in history.batches if batch.estimate)
    named = listed(coded(code) for code, times in reasons.most_common())
    return _("Of {batches} no estimate was given: {reasons}.", batches=counted(batches, "batches"), reasons=named) if batches else ""


def _estimates(canvas: Canvas, *, compared: Sequence[EstimateAndTruth]) -> Drawing:
    thought = [
        {"day": place_of(each.day), "value": each.estimated.value, "low": each.estimated.low, "high": each.estimated.high}
        for each in compared
    ]
    said = [
        {"day": place_of(each.day), "truth": each.truth, "hue": GOOD if each.borne_out else ALARM}
        for each in compared
        if each.truth is not None
    ]
    x = day_axis([each.day for each in compared], canvas)
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=5))
    base = data(thought).encode(x=x)
    return alt.layer(
        base.mark_rule(color=CALM, strokeWidth=5, opacity=0.35).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_tick(color=CALM, thickness=3, size=14, orient="horizontal").encode(y=y),
        data(said)
        .mark_point(filled=True, size=48, opacity=1)
        .encode(x=x, y=alt.Y("truth:Q"), color=alt.Color("hue:N", scale=None, legend=None)),
    )
