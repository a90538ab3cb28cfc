"""Prove that a stack works.

A model is trained on made-up rows; ten are scored and measured.
"""

from uuid import uuid4

from functions.shared.domain import layout
from functions.shared.domain.errors import EverscoreError
from functions.shared.repositories.performances import labelled_days
from functions.shared.repositories.releases import Releases
from infra.cli.operator import Operator, wait_for
from infra.trial.removal import AFTER_A_BREAK, forget_tables, remove_model
from infra.trial.rows import DAY, ID, TARGET, as_csv, made_up

PATIENCE_S = 300.0
_HISTORY, _ROWS = 300, 10


class TrialFailedError(EverscoreError):
    """A stack does not do what it is for; its functions' logs say why."""


def try_out(operator: Operator) -> dict[str, int]:
    """Train, score, label and measure with a model of its own, then remove it.

    Return what was seen.

    Raises:
        TrialFailedError: if rows are missing.
        NoAnswerError: if something did not come within minutes.
    """
    model, quiet_rounds = f"trial-{uuid4().hex[:8]}", AFTER_A_BREAK
    try:
        history = operator.upload(layout.in_inbox(layout.TRAINING, model, "history.csv"), as_csv(made_up(0, _HISTORY, labelled=True)))
        described = {"target": TARGET, "id_column": ID, "time_column": DAY}
        operator.have_done(
            "Retraining", {"action": "train", "model": model, "key": history.key, "version_id": history.version_id, **described}
        )
        wait_for(lambda: Releases(operator.store).current(model), PATIENCE_S, f"release of {model}")
        rows = made_up(_HISTORY, _ROWS, labelled=True)
        asked = [{name: value for name, value in row.items() if name != TARGET} for row in rows]
        uploaded = operator.upload(layout.in_inbox(layout.BATCHES, model, "ten.csv"), as_csv(asked))
        manifest = operator.await_manifest(uploaded, timeout_s=PATIENCE_S)
        if manifest.rows_scored != _ROWS:
            message = f"of {_ROWS} rows {manifest.rows_scored} were scored"
            raise TrialFailedError(message, remedy="look at the scoring function's log")
        operator.upload(layout.in_inbox(layout.LABELS, model, "ten.csv"), as_csv(rows))
        days = wait_for(lambda: labelled_days(model, operator.store) or None, PATIENCE_S, f"performance of {model}")
        quiet_rounds = 1
    finally:
        removed = remove_model(model, operator.inbox, operator.store, quiet_rounds=quiet_rounds)
        forget_tables(model, operator.name, operator.client)
    return {"rows_scored": manifest.rows_scored, "days_measured": len(days), "objects_removed": removed}
