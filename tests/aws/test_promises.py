"""The README's promises in the order in which a model lives, each kept or not by the stack that was deployed."""

import gzip
import json
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from functions.shared.domain import layout
from functions.shared.domain.manifest import Manifest
from functions.shared.ports import ObjectInfo
from functions.shared.repositories.manifests import Manifests
from infra.trial.rows import DESCRIBED, FIRST_DAY, ROWS_A_DAY, Row, as_csv, made_up
from tests.aws.conftest import PATIENCE_S, Account, eventually

pytestmark = pytest.mark.timeout(PATIENCE_S * 3)

SEEN, LATER = range(800), range(10_000, 13_200)
"""Rows of the first training, and of 32 later days, of which the gate keeps 28 for its comparison."""

type Noting = Any


def uploaded(account: Account, name: str, body: bytes) -> ObjectInfo:
    """Put a batch into the inbox, as any S3 client does."""
    return account.operator.upload(f"batches/{account.model}/{name}", body)


def manifest_of(account: Account, sent: ObjectInfo) -> Manifest:
    return account.operator.await_manifest(sent, timeout_s=PATIENCE_S)


def rows_of(account: Account, manifest: Manifest) -> list[dict[str, Any]]:
    """Return a batch's scored rows."""
    tables = [pq.read_table(pa.BufferReader(account.operator.store.read(output.key))) for output in manifest.outputs]
    return [row for table in tables for row in table.to_pylist()]


def written(account: Account, name: str, rows: Sequence[Row]) -> str:
    """Write rows to a file for the command, and return its name."""
    (account.folder / name).write_bytes(as_csv(rows))
    return name


def test_a_first_version_is_trained_on_a_file_and_serves(account: Account, record_property: Noting) -> None:
    history = made_up(SEEN.start, len(SEEN), labelled=True, by_chance=True)
    made = account.everscore("train", account.model, written(account, "history.csv", history), *DESCRIBED)
    record_property("auc", round(made["challenger"]["auc"], 3))
    assert made["decision"] == "promote"
    assert account.everscore("status", account.model)["champion"]["version"] == "1"


def test_long_work_is_asked_for_and_its_answer_watched_for_in_the_store(account: Account) -> None:
    assert [*account.operator.store.list(layout.answers_prefix(account.model))], "the training's answer is kept for a day"


def test_people_are_sent_a_message_about_the_first_version(account: Account, record_property: Noting) -> None:
    def sent() -> list[dict[str, Any]]:
        return [message for message in account.everscore("messages", account.model)["messages"] if "topic" in message["sent"]]

    found = eventually(sent, "a message to the topic; look at NotificationErrorsAlarm in docs/runbook.md")
    record_property("about", ", ".join(sorted({message["kind"] for message in found})))


def test_files_of_each_format_are_scored_row_by_row_to_the_same_scores(account: Account, record_property: Noting) -> None:
    rows = made_up(2_000, 150)
    parquet = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), parquet)
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    files = {
        "rows.csv": as_csv(rows),
        "rows.csv.gz": gzip.compress(as_csv(rows)),
        "rows.jsonl": lines,
        "rows.parquet": parquet.getvalue().to_pybytes(),
        "name with spaces, ü.CSV": as_csv(rows),
    }
    sent = {name: uploaded(account, name, body) for name, body in files.items()}
    manifests = {name: manifest_of(account, found) for name, found in sent.items()}
    assert {name: (manifest.rows_in, manifest.rows_scored) for name, manifest in manifests.items()} == dict.fromkeys(files, (150, 150))
    scores = [[(row["id"], row["score"]) for row in rows_of(account, manifest)] for manifest in manifests.values()]
    assert [row["id"] for row in rows] == [name for name, _ in scores[0]], "rows keep their order"
    assert all(found == scores[0] for found in scores)
    record_property("slowest", f"{max(manifest.timings.total_s for manifest in manifests.values()):.1f} s in the function")


def test_rows_that_cannot_be_scored_are_set_aside_with_a_reason(account: Account) -> None:
    lines = as_csv(made_up(3_000, 20)).decode().splitlines()
    lines[2], lines[5] = lines[2].removeprefix("C3001"), lines[5] + ",one too many"
    manifest = manifest_of(account, uploaded(account, "dirty.csv", "\n".join(lines).encode()))
    assert (manifest.rows_in, manifest.rows_scored, manifest.rows_quarantined) == (20, 18, 2)
    assert manifest.quarantined_by_reason == {"missing_id": 1, "wrong_field_count": 1}


def test_a_file_that_is_no_table_gets_a_manifest_that_says_so(account: Account, record_property: Noting) -> None:
    manifest = manifest_of(account, uploaded(account, "odd.csv", b"PK\x03\x04 no table"))
    assert manifest.status.value == "failed"
    assert manifest.error is not None
    record_property("said", manifest.error.message)


def test_an_upload_that_is_announced_twice_is_scored_once(account: Account) -> None:
    sent = uploaded(account, "once.csv", as_csv(made_up(4_000, 30)))
    first = manifest_of(account, sent)
    announced = {"key": sent.key, "size": sent.bytes, "etag": sent.etag, "version-id": sent.version_id}
    event = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": account.operator.inbox.bucket}, "object": announced},
    }
    sqs, queue = account.operator.client("sqs"), account.operator.outputs["ScoringQueueUrl"]
    for _ in range(2):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))
    quiet(account, "ScoringQueueUrl")
    manifests = [
        found for found in account.operator.store.versions(layout.manifest_prefix(account.model)) if first.batch_id in found.info.key
    ]
    parts = list(account.operator.store.list(layout.scored_prefix(account.model, first.batch_id)))
    assert (len(manifests), [part.key for part in parts]) == (1, [output.key for output in first.outputs])


def quiet(account: Account, queue: str) -> None:
    """Wait until a queue has had no message for a while; its numbers are approximate."""
    sqs, still = account.operator.client("sqs"), 0
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    for _ in range(int(PATIENCE_S)):
        found = sqs.get_queue_attributes(QueueUrl=account.operator.outputs[queue], AttributeNames=names)["Attributes"]
        still = 0 if any(int(found[name]) for name in names) else still + 1
        if still == 3:
            return
        time.sleep(1)
    pytest.fail(f"{queue} still has messages after {PATIENCE_S:.0f} s; look at the log of the function that takes them")


def test_a_large_file_is_scored_in_partitions_by_the_state_machine(account: Account, record_property: Noting) -> None:
    written(account, "large.csv", made_up(5_000, 400))
    answer = account.everscore("score", account.model, "large.csv", "--partition-bytes", "5000", "--wait")
    assert (answer["rows_in"], answer["rows_scored"]) == (400, 400)
    record_property("partitions", answer["partitions"])
    assert answer["partitions"] > 1


def test_labels_that_come_later_are_measured_by_day(account: Account, record_property: Noting) -> None:
    rows = made_up(LATER.start, len(LATER), labelled=True)
    unlabelled: list[Row] = [{name: value for name, value in row.items() if name != "left"} for row in rows]
    assert manifest_of(account, uploaded(account, "later.csv", as_csv(unlabelled))).rows_scored == len(LATER)
    account.everscore("labels", account.model, written(account, "labels.csv", rows))
    days = len(LATER) // ROWS_A_DAY
    measured = eventually(lambda: performance(account, days), f"a performance for each of the {days} labelled days")
    auc = sum(day["metrics"]["auc"] for day in measured) / days
    record_property("auc by day", round(auc, 3))
    assert auc < 0.6, "the first version learnt from chance alone"


def performance(account: Account, days: int) -> list[dict[str, Any]] | None:
    found: list[dict[str, Any]] = account.everscore("status", account.model)["performance"]
    return found if len(found) >= days else None


def test_sql_over_what_was_scored_counts_each_row_once(account: Account, record_property: Noting) -> None:
    account.everscore("table", "update", account.model)
    manifests = Manifests(account.operator.store)
    scored = sum(manifests.read(key).rows_scored for key in manifests.keys(account.model).values())
    counted = f"SELECT count(*) AS number FROM {account.model.replace('-', '_')}_scored"
    answer = account.everscore("query", counted)
    record_property("rows", answer["rows"][0][0])
    assert answer["rows"][0][0] == scored
    account.everscore("table", "rebuild", account.model)
    assert account.everscore("query", counted) == answer, "tables can be made again from what is stored"


def test_metrics_of_the_model_reach_cloudwatch(account: Account, record_property: Noting) -> None:
    logs, group = account.operator.client("logs"), account.operator.outputs["LogGroup"]

    def emitted() -> set[str]:
        found = logs.get_paginator("filter_log_events").paginate(logGroupName=group, filterPattern=f'"{account.model}" "_aws"')
        lines = [json.loads(event["message"]) for page in found for event in page["events"] if '"_aws"' in event["message"]]
        return {metric["Name"] for line in lines for block in line["_aws"]["CloudWatchMetrics"] for metric in block["Metrics"]}

    names = eventually(lambda: emitted() if {"RowsScored"} <= emitted() else None, "a RowsScored metric in the log")
    record_property("metrics", ", ".join(sorted(names)))
    if not account.embedded:
        dimensions = [{"Name": name, "Value": value} for name, value in (("stack", account.stack), ("model", account.model))]
        asked = {"Namespace": "Everscore", "MetricName": "RowsScored", "Dimensions": dimensions}
        cloudwatch = account.operator.client("cloudwatch")
        eventually(lambda: cloudwatch.list_metrics(**asked)["Metrics"], "a metric RowsScored of this model in CloudWatch")


def test_a_kind_of_alert_is_silenced_for_a_day_by_a_person_who_says_why(account: Account) -> None:
    account.everscore("silence", account.model, "drift", "--days", "1", "--reason", "tried")
    [silence] = account.everscore("alerts", account.model)["silences"]
    assert (silence["name"], silence["reason"]) == ("drift", "tried")


def test_retraining_makes_a_challenger_that_wins(account: Account, record_property: Noting) -> None:
    changes = ("--set", "labels.delay_days=0", "--set", "release.approval=required")
    account.everscore("policy", account.model, *changes, "--reason", "the rows are made up")
    first, last = (FIRST_DAY + timedelta(number // ROWS_A_DAY) for number in (LATER.start, LATER.stop - 1))
    decision = account.everscore("retrain", account.model, "--wait", "--window", f"{first}:{last}")
    record_property("reasons", ", ".join(reason["code"] for reason in decision["reasons"]))
    assert (decision["champion_version"], decision["challenger_version"]) == ("1", "2")
    assert decision["decision"] == "promote"


def test_a_winner_waits_for_a_person_and_begins_a_canary_when_one_approves(account: Account, record_property: Noting) -> None:
    waits = eventually(lambda: account.everscore("status", account.model)["approval"], "a version that waits for approval")
    assert waits["version"] == "2"
    assert account.everscore("status", account.model)["challenger"] is None
    account.everscore("approve", account.model, "2", "--reason", "tried")
    served = eventually(lambda: account.everscore("status", account.model)["challenger"], "a challenger in the release")
    assert served["version"] == "2"
    manifest = manifest_of(account, uploaded(account, "both.csv", as_csv(made_up(20_000, 500))))
    record_property("share", served["share"])
    assert manifest.release is not None
    assert manifest.release.challenger is not None, "both versions score each row of a canary"


def test_a_version_is_promoted_and_one_command_goes_back(account: Account) -> None:
    assert account.everscore("promote", account.model, "2", "--reason", "tried")["champion"]["version"] == "2"
    manifest = manifest_of(account, uploaded(account, "promoted.csv", as_csv(made_up(21_000, 50))))
    assert manifest.release is not None
    assert manifest.release.champion == "2", "the next batch is scored by what was promoted"
    assert account.everscore("rollback", account.model, "--reason", "tried")["champion"]["version"] == "1"


def test_a_version_is_rebuilt_byte_by_byte(account: Account) -> None:
    assert account.everscore("reproduce", account.model, "1")["identical"]


def test_a_version_is_exported_and_proved_again_where_it_is_imported(account: Account) -> None:
    account.everscore("export", account.model, "1", "-o", "one.everscore")
    assert account.everscore("import", "one.everscore", "--model", account.copy)["decision"] == "promote"
    assert account.everscore("status", account.copy)["champion"]["version"] == "1"


def test_who_is_erased_is_in_no_version_of_any_scored_file(account: Account, record_property: Noting) -> None:
    gone = made_up(LATER.start, 3)
    written(account, "gone.csv", [{"id": row["id"]} for row in gone])
    erased = account.everscore("erase", account.model, "--ids", "gone.csv", "--yes", "--reason", "tried", code=1)
    assert erased["left"] == [f"labels/{account.model}/labels.csv"], "a file that was uploaded within the hour may be in use, and is said"
    store, names = account.operator.store, {row["id"] for row in gone}
    read = 0
    for found in store.versions(f"scored/{account.model}/"):
        table = pq.read_table(pa.BufferReader(store.read(found.info.key, found.info.version_id)), columns=["id"])
        assert not names & set(table["id"].to_pylist()), found.info.key
        read += 1
    record_property("files read", read)
    assert read
