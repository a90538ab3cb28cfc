"""What people are sent about a decision of the gate."""

from functions.shared.domain.decision import Decision, Verdict
from functions.shared.domain.message import DECISION, Message, News, compose
from functions.shared.foundation.counted import counted


def decision_message(decision: Decision, *, stack: str) -> Message:
    """Compose the message about a decision on a version."""
    version, model = decision.challenger_version, decision.model
    commands = [f"everscore status {model}"]
    if decision.verdict is Verdict.KEEP:
        meaning = "The champion serves on. The next retraining makes another challenger."
        commands.append(f'everscore promote {model} {version} --canary --force --reason "…"')
    elif decision.champion_version is None:
        meaning = "It answers every row, from its release on."
    else:
        meaning = "It begins as a canary, or waits for a person's approval first, as the policy says."
    warnings = [reason.message for reason in decision.reasons if reason.warning]
    news = News(
        id=f"{DECISION}-{version}",
        model=model,
        kind=DECISION,
        since=decision.decided_at,
        happened="; ".join([_outcome(decision), *_figures(decision)]),
        meaning=meaning,
        look_at="; ".join(warnings) or "The figures of both versions, in the status and the report",
        commands=tuple(commands),
        runbook="docs/runbook.md#decision",
    )
    return compose(news, stack=stack)


def _outcome(decision: Decision) -> str:
    why = "; ".join(reason.message for reason in decision.reasons if not reason.warning)
    version, champion = decision.challenger_version, decision.champion_version
    if decision.verdict is Verdict.KEEP:
        return f"the gate keeps version {version} out, and version {champion} serves on: {why}"
    if champion is None:
        return f"version {version} was made: {why}"
    if decision.origin is not None:
        return f"version {version} was imported, and goes against version {champion}: {why}"
    return f"version {version} won at the gate against version {champion}: {why}"


def _figures(decision: Decision) -> list[str]:
    """Return what both versions reached on rows that they had not seen."""
    ours, theirs = decision.challenger.get(decision.compared_metric), decision.champion.get(decision.compared_metric)
    if ours is None:
        return []
    against = "" if theirs is None else f", the champion's {theirs:.4g}"
    rows = f", on {decision.rows:,} held-out rows of {counted(decision.days, 'days')}" if decision.rows and decision.days else ""
    name = "cost per row" if decision.compares_costs else decision.metric
    return [f"{name} {ours:.4g}{against}{rows}"]
