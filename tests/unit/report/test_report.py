"""What the report says of failures: of batches and of labels, each with its own command."""

from functions.shared.domain.alert import Alert, AlertKind
from infra.report.report import _advice
from tests.fakes.documents import NOW
from tests.fakes.versions import MODEL


def failed(key: str) -> Alert:
    return Alert(
        model=MODEL,
        kind=AlertKind.FAILED,
        window="2013-04-01-0a1b2c3d",
        message="",
        evidence={"code": "missing_column", "key": key},
        runbook="docs/runbook.md#failed",
        raised_at=NOW,
    )


def test_failures_of_batches_and_of_labels_are_explained_each_by_its_command() -> None:
    batch, labels = failed(f"batches/{MODEL}/june.csv"), failed(f"labels/{MODEL}/june.csv")
    ended = labels.model_copy(update={"closed": True, "evidence": {"cause": "failed-labels-missing_column"}})
    score, label = ("everscore score {model} MENDED.csv --wait",), ("everscore labels {model} MENDED.csv",)
    for alerts, commands in (
        ([batch], [score]),
        ([labels], [label]),
        ([ended], [label]),
        ([labels, batch, labels], [score, label]),
        ([], []),
    ):
        assert [advice.commands for _, advice in _advice(alerts)] == commands
