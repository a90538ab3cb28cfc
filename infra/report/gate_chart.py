"""The chart of the gate: each challenger's gain, and the gain that it needed."""

from collections.abc import Sequence
from functools import partial

import altair as alt

from functions.shared.domain.decision import Decision, Verdict
from infra.report.drawing import ALARM, GOOD, MUTED, Canvas, Drawing, Figure, Key, data, drawn, figure_axis
from infra.report.wording import extent, figure, sentences, verdict
from infra.words import _, coded, listed

JUDGED_VERSIONS = 12


def judgement(decisions: Sequence[Decision]) -> Figure | None:
    """Chart each challenger's measured gain and the gain that it needed."""
    measured = [decision for decision in decisions if decision.difference is not None]
    judged = [decision for decision in measured if decision.compares_costs == measured[-1].compares_costs][-JUDGED_VERSIONS:]
    if not judged:
        return None
    return drawn(
        partial(_judgement, judged=judged),
        name="judgement",
        title=_("What each challenger gained at the gate"),
        note=sentences(
            _(
                "Mean {loss} of the champion less the challenger's on rows that neither had seen, with its bounds: right of 0 is better.",
                loss=_loss(judged),
            ),
            _("The upright mark is the minimum effect; a challenger wins when its whole interval lies beyond it."),
        ),
        alt=listed(
            _(
                "version {new} against {old}: {gain} ({extent}), {verdict}",
                new=decision.challenger_version,
                old=decision.champion_version,
                gain=figure(decision.difference),
                extent=extent(decision.ci_low, decision.ci_high),
                verdict=verdict(decision.verdict),
            )
            for decision in judged
        ),
        keys=(Key(verdict(Verdict.PROMOTE), GOOD), Key(verdict(Verdict.KEEP), ALARM)),
    )


def _loss(judged: Sequence[Decision]) -> str:
    """Return the name of what was compared: squared error for every regression."""
    if judged[-1].compares_costs:
        return _("cost per row")
    return _("squared error") if "rmse" in judged[-1].challenger else coded("log_loss")


def _judgement(canvas: Canvas, *, judged: Sequence[Decision]) -> Drawing:
    values = [
        {
            "version": f"v{decision.challenger_version}",
            "difference": decision.difference,
            "low": decision.ci_low,
            "high": decision.ci_high,
            "minimum": decision.minimum_effect,
            "hue": GOOD if decision.verdict is Verdict.PROMOTE else ALARM,
        }
        for decision in judged
    ]
    rows = data(values).encode(y=alt.Y("version:N", sort=None, title=None, axis=alt.Axis(labelFontSize=13)))
    colour = alt.Color("hue:N", scale=None, legend=None)
    x = alt.X(
        "difference:Q",
        title=_("gain in {loss}", loss=_loss(judged)),
        scale=alt.Scale(padding=12, nice=False),
        axis=figure_axis(canvas),
    )
    nothing = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=MUTED).encode(x="zero:Q")
    return alt.layer(
        nothing,
        rows.mark_tick(color=MUTED, thickness=2, size=22).encode(x="minimum:Q"),
        rows.mark_rule(strokeWidth=4, strokeCap="round", opacity=0.45).encode(x="low:Q", x2="high:Q", color=colour),
        rows.mark_point(filled=True, size=110, opacity=1).encode(x=x, color=colour),
    ).properties(height=46 * len(values) + 46)
