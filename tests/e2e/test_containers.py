"""The real template with the built image: `local up --containers`, where each function is confined as on Lambda."""

import csv
import io
import json
import random
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest

from functions.shared.domain import layout
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.domain.performance.days import DayPerformance
from functions.shared.domain.policy import CanaryPolicy, GatePolicy, LabelPolicy, Policy, RetrainingPolicy
from functions.shared.engines.bundle import INDEX
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.policies import Policies
from infra.cli.operator import Operator, embedded, wait_for
from infra.cli.options import console
from infra.cli.scored_rows import write_scored
from infra.local.embedded import embedded_aws
from infra.local.stack_containers import LABEL
from infra.local.stacks import Stack
from infra.places import ROOT

pytestmark = pytest.mark.timeout(1500)  # the first build installs Docker and may make a stand-in of AWS's base image

MODEL, FRAGILE = "shop", "fragile"
FIRST_DAY = date(2013, 1, 1)
A_DAY = 100
SOON_S = 90.0
GIGABYTE = 10**9
POLICY = Policy(
    number=1,
    who="test",
    why="few rows will do",
    written_at=datetime(2013, 1, 1, tzinfo=UTC),
    labels=LabelPolicy(delay_days=0),
    retraining=RetrainingPolicy(min_new_labels=100, rest_days=0, cool_down_hours=0),
    gate=GatePolicy(holdout_days=5, min_holdout_days=3, min_rows=200, min_rarer_class=20, resamples=200),
    canary=CanaryPolicy(steps=(0.5, 1.0), min_days=2, min_labels=200),
)


def visits(days: range, *, sold: bool, weight_matters: bool = False, rows_a_day: int = A_DAY) -> bytes:
    """Visits to a shop as CSV; whether one buys depends on the price and, in later times, on the weight as well."""
    rng = random.Random(days.start)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["visit", "at", "price", "weight", *(["bought"] if sold else [])])
    for number in range(len(days) * rows_a_day):
        at = datetime(2013, 1, 1, 8, tzinfo=UTC) + timedelta(days=days[number // rows_a_day], seconds=number % rows_a_day)
        price, weight, noise = rng.gauss(0, 1), rng.gauss(0, 1), rng.gauss(0, 0.5)
        answer = "yes" if price + (2 * weight if weight_matters else 0) + noise < 0 else "no"
        writer.writerow([f"v{days.start}-{number}", at.isoformat(), f"{price:.4f}", f"{weight:.4f}", *([answer] if sold else [])])
    return text.getvalue().encode()


@pytest.fixture(scope="module")
def stack(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERSCORE_HOME", str(tmp_path_factory.mktemp("home")))
        with embedded_aws("contained", containers=True, parameters={"ScheduleState": "DISABLED", "PartitionAboveMb": "4096"}) as running:
            yield running
        assert containers_of(running) == [], "they end with their stack"


@pytest.fixture(scope="module")
def operator(stack: Stack) -> Operator:
    operator = embedded(stack)
    Policies(operator.store).write(MODEL, POLICY)
    train(operator, MODEL)
    return operator


def containers_of(stack: Stack) -> list[str]:
    find = ["docker", "ps", "--all", "--quiet", "--filter", f"label={LABEL}={stack.folder}"]
    return subprocess.run(find, check=True, capture_output=True, text=True).stdout.split()


def client(stack: Stack, service: str) -> Any:
    env = stack.env()
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=env["AWS_ENDPOINT_URL"],
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        region_name=env["AWS_DEFAULT_REGION"],
    )


def train(operator: Operator, model: str) -> None:
    known = operator.upload(f"{layout.TRAINING}/{model}/first.csv", visits(range(20), sold=True))
    request = {"action": "train", "model": model, "key": known.key, "version_id": known.version_id}
    columns = {"target": "bought", "id_column": "visit", "time_column": "at"}
    operator.ask("Retraining", {**request, **columns, "estimator": "sklearn.linear_model.LogisticRegression"})
    wait_for(lambda: operator.serves(model) or None, SOON_S, f"release of {model}")


def score(operator: Operator, model: str, name: str, content: bytes) -> Manifest:
    uploaded = operator.upload(f"{layout.BATCHES}/{model}/{name}", content)
    return operator.await_manifest(uploaded, timeout_s=SOON_S)


def label(operator: Operator, days: range, content: bytes) -> list[DayPerformance]:
    """Upload labels; the performance of each day once it stands."""
    operator.upload(f"{layout.LABELS}/{MODEL}/{days.start}.csv", content)

    def performance(number: int) -> Callable[[], DayPerformance | None]:
        key = layout.performance_key(MODEL, FIRST_DAY + timedelta(days=number))
        return lambda: read_document(operator.store, DayPerformance, key)

    return [wait_for(performance(number), SOON_S, f"performance of day {number}") for number in days]


def test_the_loop_closes_in_containers(stack: Stack, operator: Operator, tmp_path: Path) -> None:
    weeks = range(20, 40)
    manifest = score(operator, MODEL, "weeks.csv", visits(weeks, sold=False, weight_matters=True))
    assert (manifest.status, manifest.rows_in, manifest.rows_scored) == (Status.SCORED, 2000, 2000)
    write_scored([manifest], tmp_path / "scored.parquet", download=operator.download, console=console)
    scored = pq.read_table(tmp_path / "scored.parquet")
    assert scored["visit"].to_pylist() == [f"v20-{number}" for number in range(2000)]
    assert set(scored["prediction"].to_pylist()) == {"yes", "no"}

    days = label(operator, weeks, visits(weeks, sold=True, weight_matters=True))
    assert sum(group.rows for day in days for group in day.groups) == 2000

    decision = operator.ask("Retraining", {"action": "retrain", "model": MODEL, "trigger": "person"})["decision"]
    assert (decision["challenger_version"], decision["decision"]) == ("2", "promote"), decision["reasons"]
    challenger = wait_for(lambda: operator.release_of(MODEL).challenger, SOON_S, "canary")
    assert (challenger.version, challenger.share) == ("2", 0.5)

    days_of_canary = range(40, 50)
    both = score(operator, MODEL, "canary.csv", visits(days_of_canary, sold=False, weight_matters=True))
    assert both.release is not None
    assert both.release.challenger is not None
    label(operator, days_of_canary, visits(days_of_canary, sold=True, weight_matters=True))
    step = operator.ask("Release", {"action": "tick", "model": MODEL, "who": "test"})
    assert step["action"] == "promote", step["reasons"]
    after = score(operator, MODEL, "after.csv", visits(range(50, 51), sold=False, weight_matters=True))
    assert after.release is not None
    assert (after.release.champion, after.release.challenger) == ("2", None)


def test_every_container_has_its_functions_memory_and_may_write_to_tmp_alone(stack: Stack, operator: Operator) -> None:
    asked = client(stack, "lambda")
    memory = {
        stack.functions[name]: asked.get_function_configuration(FunctionName=stack.functions[name])["MemorySize"]
        for name in stack.functions
    }
    found = json.loads(subprocess.run(["docker", "inspect", *containers_of(stack)], check=True, capture_output=True, text=True).stdout)
    assert found
    for container in found:
        host, variables = container["HostConfig"], dict(line.split("=", 1) for line in container["Config"]["Env"])
        assert host["Memory"] == host["MemorySwap"] == memory[variables["AWS_LAMBDA_FUNCTION_NAME"]] * 2**20
        assert (host["ReadonlyRootfs"], list(host["Tmpfs"]), container["Config"]["User"]) == (True, ["/tmp"], "993:990")


def test_a_function_that_wants_more_memory_than_it_has_is_ended(stack: Stack, operator: Operator) -> None:
    asked, name = client(stack, "lambda"), stack.functions["retraining"]
    enough = asked.get_function_configuration(FunctionName=name)["MemorySize"]
    request = json.dumps({"action": "reproduce", "model": MODEL, "version": "1"}).encode()
    asked.update_function_configuration(FunctionName=name, MemorySize=128)
    try:
        assert "FunctionError" in asked.invoke(FunctionName=name, Payload=request), "scikit-learn alone takes more than 128 MB"
    finally:
        asked.update_function_configuration(FunctionName=name, MemorySize=enough)
    assert "FunctionError" not in asked.invoke(FunctionName=name, Payload=request)


def test_a_gigabyte_is_scored_within_the_memory_and_time_that_the_template_gives(stack: Stack, operator: Operator) -> None:
    header, _, rows = visits(range(60, 70), sold=False, rows_a_day=1000).partition(b"\r\n")
    remark = b"," + b"a remark that is carried along as files of customers have them " * 3
    block = rows.replace(b"\r\n", remark + b"\r\n") * 20
    times = GIGABYTE // len(block) + 1
    upload = uploaded_repeatedly(stack, f"{layout.BATCHES}/{MODEL}/large.csv", header + b",remark\r\n" + block, block, times)
    manifest = operator.await_manifest(operator.inbox.info(upload), timeout_s=300)
    assert manifest.source.bytes >= GIGABYTE
    assert manifest.partitions is None, "twice what is scored whole by default, by one function and its MemorySize"
    assert (manifest.status, manifest.rows_in, manifest.rows_scored) == (Status.SCORED, times * 200_000, times * 200_000)


def uploaded_repeatedly(stack: Stack, key: str, first: bytes, block: bytes, times: int) -> str:
    """Upload `first`, and the block until it is there that often; the store itself copies it, which spares sending it all."""
    s3 = client(stack, "s3")
    s3.put_object(Bucket=stack.inbox, Key="block", Body=block)
    upload = {"Bucket": stack.inbox, "Key": key}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    tags = [s3.upload_part(**upload, PartNumber=1, Body=first)["ETag"]]
    for number in range(2, times + 1):
        copied = s3.upload_part_copy(**upload, PartNumber=number, CopySource={"Bucket": stack.inbox, "Key": "block"})
        tags.append(copied["CopyPartResult"]["ETag"])
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    return key


def test_a_file_that_cannot_be_scored_goes_to_the_dead_letters_and_comes_back_by_redrive(stack: Stack, operator: Operator) -> None:
    train(operator, FRAGILE)
    sealed = layout.version_prefix(FRAGILE, "1") + INDEX
    whole = operator.store.read(sealed)
    operator.store.write(sealed, whole.replace(b"{", b"[", 1))
    sqs = client(stack, "sqs")
    queue, dead = stack.outputs["ScoringQueueUrl"], stack.outputs["ScoringDeadLettersUrl"]
    # The function itself spaces tries further and further apart, over 37 minutes: the first failure is the last here.
    policy = json.loads(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["RedrivePolicy"])["Attributes"]["RedrivePolicy"])
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": json.dumps(policy | {"maxReceiveCount": 1})})
    uploaded = operator.upload(f"{layout.BATCHES}/{FRAGILE}/poison.csv", visits(range(70, 71), sold=False))
    [letter] = wait_for(lambda: sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=1).get("Messages"), SOON_S, "dead letter")
    assert json.loads(letter["Body"])["detail"]["object"]["key"] == uploaded.key
    with pytest.raises(Exception, match="no manifest"):
        operator.await_manifest(uploaded, timeout_s=0)

    operator.store.write(sealed, whole)
    sqs.send_message(QueueUrl=queue, MessageBody=letter["Body"])  # a redrive, which the embedded AWS lacks, is this
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])
    assert operator.await_manifest(uploaded, timeout_s=SOON_S).rows_scored == A_DAY


def test_a_version_of_another_stack_is_proved_in_the_image_and_scores_the_same_there(stack: Stack, tmp_path: Path) -> None:
    batch, file = tmp_path / "batch.csv", tmp_path / "moved-1.everscore"
    batch.write_bytes(visits(range(80, 82), sold=False))
    with embedded_aws("maker", parameters={"ScheduleState": "DISABLED"}) as maker:
        train(embedded(maker), "moved")
        asked(tmp_path, "export", "moved", "1", "--stack", "maker")
        asked(tmp_path, "score", "moved", str(batch), "--wait", "-o", "there.csv", "--stack", "maker")
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    (tmp_path / "changed.everscore").write_bytes(body)
    assert asked(tmp_path, "import", "changed.everscore", "--stack", stack.name, code=2)["code"] == "import_refused"
    imported = asked(tmp_path, "import", file.name, "--stack", stack.name)
    assert (imported["origin"]["stack"], imported["origin"]["version"]) == ("maker", "1")
    asked(tmp_path, "score", "moved", str(batch), "--wait", "-o", "here.csv", "--stack", stack.name)
    assert scores_in(tmp_path / "here.csv") == scores_in(tmp_path / "there.csv")


def asked(folder: Path, *command: str, code: int = 0) -> Any:
    """What a command answers as JSON."""
    done = subprocess.run([ROOT / ".venv/bin/everscore", *command, "--json"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def scores_in(file: Path) -> list[tuple[str, str, str]]:
    """The scores as they were written, to the last digit."""
    with file.open(newline="") as rows:
        scored = [(row["visit"], row["score"], row["prediction"]) for row in csv.DictReader(rows)]
    assert len(scored) == 2 * A_DAY
    return scored
