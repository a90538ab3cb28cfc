"""The chart of the gate: what each challenger gained, against what it had to."""

from collections.abc import Sequence
from functools import partial

import altair as alt

from functions.shared.domain.decision import Decision, Verdict
from infra.report.drawing import ALARM, GOOD, MUTED, Canvas, Drawing, Figure, Key, data, drawn, figure_axis
from infra.report.wording import figure

JUDGED_VERSIONS = 12


def judgement(decisions: Sequence[Decision]) -> Figure | None:
    """What the gate measured of each challenger, against what it had to reach."""
    judged = [decision for decision in decisions if decision.difference is not None][-JUDGED_VERSIONS:]
    if not judged:
        return None
    return drawn(
        partial(_judgement, judged=judged),
        name="judgement",
        title="What each challenger gained at the gate",
        note=f"Mean {_loss(judged)} of the champion less the challenger's on rows that neither had seen, with its bounds: right of 0 is "
        "better. The upright mark is the minimum effect; a challenger wins when its whole interval lies beyond it.",
        alt="; ".join(
            f"version {decision.challenger_version} against {decision.champion_version}: {figure(decision.difference)}"
            f" ({figure(decision.ci_low)} to {figure(decision.ci_high)}), {decision.decision.value}"
            for decision in judged
        ),
        keys=(Key("promoted", GOOD), Key("kept out", ALARM)),
    )


def _loss(judged: Sequence[Decision]) -> str:
    """What is compared: regressions by their squared error, whatever metric they are shown by."""
    return "squared error" if "rmse" in judged[-1].challenger else "log loss"


def _judgement(canvas: Canvas, *, judged: Sequence[Decision]) -> Drawing:
    values = [
        {
            "version": f"v{decision.challenger_version}",
            "difference": decision.difference,
            "low": decision.ci_low,
            "high": decision.ci_high,
            "minimum": decision.minimum_effect,
            "hue": GOOD if decision.decision is Verdict.PROMOTE else ALARM,
        }
        for decision in judged
    ]
    rows = data(values).encode(y=alt.Y("version:N", sort=None, title=None, axis=alt.Axis(labelFontSize=13)))
    colour = alt.Color("hue:N", scale=None, legend=None)
    x = alt.X(
        "difference:Q",
        title=f"gain in {_loss(judged)}",
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
