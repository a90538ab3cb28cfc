"""What each kind of alert says and means, where to look, and what to type.

Alert rules, the report and messages are made from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from functions.shared.domain.alert import Alert, AlertKind


@dataclass(frozen=True, slots=True)
class Advice:
    """For one kind of alert.

    `summary` calls people; `commands` are lines for a shell, `{model}` standing for the model's name.
    """

    summary: str
    meaning: str
    look_at: str
    commands: tuple[str, ...]


ADVICE: Mapping[AlertKind, Advice] = {
    AlertKind.DRIFT: Advice(
        summary="The pooled last batches look different from the rows that the champion was trained on.",
        meaning=(
            "The pooled last batches look different from the rows the champion was trained on, by more than chance or ordinary days "
            "explain. It does not say that answers are worse: seasons drift without harm, and drift alone never promotes a version."
        ),
        look_at=(
            "The feature that moves the scores most first, which is not always the one with the largest PSI. A new category, a jump in "
            "missing values or a scale that changed at one batch points to whoever delivers the file; a slow slope is the world. Then "
            "see whether performance moved on the same days."
        ),
        commands=("everscore status {model}", "everscore retrain {model}"),
    ),
    AlertKind.PERFORMANCE: Advice(
        summary="The champion loses more on labels of the last weeks than at its training.",
        meaning=(
            "On labels of the last weeks the champion's loss is above that at training by more than the policy allows. The lower bound of "
            "a confidence sequence says that this is no chance."
        ),
        look_at=(
            "The two prevalences in the evidence: if the share of positives changed, the loss may have moved though the model ranks as "
            "well as before. Check that labels arrive completely (coverage) and are joined with the right rows, then the features that "
            "move the scores most; if none does, the answers changed and not the questions, and only a retraining helps."
        ),
        commands=("everscore retrain {model}", 'everscore rollback {model} --reason "…"'),
    ),
    AlertKind.QUARANTINE: Advice(
        summary="A larger share of a batch's rows was set aside than the error budget allows.",
        meaning=(
            "A larger share of a batch's rows was set aside than the error budget allows. The other rows were scored and stored; none is "
            "lost."
        ),
        look_at="The reasons and sample rows under Quarantine: one reason for most rows means that the file's making changed.",
        commands=("everscore replay {model} BATCH_ID", "everscore replay {model} BATCH_ID MENDED.csv"),
    ),
    AlertKind.FAILED: Advice(
        summary="A whole file could not be scored, or labels could not be read.",
        meaning="A whole file could not be scored, so none of its rows has an answer. The evidence has the error's code and the file.",
        look_at="The message: usually a column is missing, or the format is unreadable, or the file is empty. Mend it and upload it again.",
        commands=("everscore score {model} MENDED.csv --wait",),
    ),
    AlertKind.SILENT: Advice(
        summary="No batch has come for longer than the policy's rhythm allows.",
        meaning="No batch has come for longer than the policy's rhythm allows.",
        look_at="Whoever delivers the files first; then the scoring queue and its dead letters, in case a file came and was not scored.",
        commands=("everscore status {model}", "everscore policy {model}"),
    ),
    AlertKind.STALE: Advice(
        summary="The champion was trained longer ago than the policy allows.",
        meaning="The champion was trained longer ago than the policy allows, so it knows nothing of what was learnt since.",
        look_at="The last decisions under Versions: were challengers kept out, and why, or was none made?",
        commands=("everscore retrain {model}",),
    ),
    AlertKind.UNSCORED: Advice(
        summary="Files lie in the inbox that were neither scored nor refused.",
        meaning="Files lie in the inbox that have no manifest, though they came a while ago: they were neither scored nor refused.",
        look_at="The scoring function's log and the dead-letter queue, for the files that the evidence names.",
        commands=("everscore score {model} FILE --wait",),
    ),
    AlertKind.POLICY: Advice(
        summary="The newest policy cannot be read, so an earlier one is in force.",
        meaning="The newest policy cannot be read. The last one that can be read is in force, and everything goes on by it.",
        look_at="The message says what is wrong. Any change of a threshold writes a sound policy, made from the one in force.",
        commands=("everscore policy {model}",),
    ),
    AlertKind.APPROVAL: Advice(
        summary="A version that won at the gate, or the next step of a canary, waits for a person's approval.",
        meaning=(
            "A version that won at the gate, or the next step of a canary, waits for a person, as the policy wants it. What is served "
            "stays as it is until then. After the policy's approval_days it counts as rejected."
        ),
        look_at="The gate's figures under Versions, the warnings there, and during a canary what labels say of both versions.",
        commands=('everscore approve {model} VERSION --reason "…"', 'everscore reject {model} VERSION --reason "…"'),
    ),
    AlertKind.LABELS: Advice(
        summary="Labels of a regression are so far from the champion's answers that one of the two is wrong.",
        meaning=(
            "Labels are more than ten times as far from the champion's answers as the worst that one row in 10,000 of its training "
            "was, as with a misplaced decimal point. Each counts no more than that worst row, so decay, canary and gate judge as before; "
            "metrics such as R² and RMSE of that day follow them."
        ),
        look_at=(
            "The label and the answer in the evidence, then the file that it names: its unit, its decimal point, its columns. "
            "If the label is right, the features of that row."
        ),
        commands=("everscore labels {model} MENDED.csv", "everscore status {model}"),
    ),
}

UNUSED_LABELS = Advice(
    summary="No label of a file could be used.",
    meaning="No label of this file could be used, so none of its rows measures the model. The evidence has the error's code and the file.",
    look_at=(
        "The message: usually the id or the target column is missing, or the format is unreadable. Mend it and send it as labels again."
    ),
    commands=("everscore labels {model} MENDED.csv",),
)
"""Of an alert of the kind `failed` that is about a file of labels."""

CLOSED = Advice(
    summary="What an alert was about is over.",
    meaning="What the alert was about is over. It closed by itself; nothing has to be done.",
    look_at="Whether it comes and goes: then its cause is still there.",
    commands=("everscore alerts {model} --all",),
)
"""Of an alert of any kind that is closed."""


def advice_on(alert: Alert) -> Advice:
    """Return what an alert means, and what to do."""
    if alert.closed:
        return CLOSED
    return UNUSED_LABELS if alert.is_of_labels else ADVICE[alert.kind]
