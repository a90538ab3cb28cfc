"""What a user does with a model of their own: the commands, and files put into the inbox by any S3 client."""

import csv
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from mlflow import MlflowClient

from functions.shared.kernels.library import kernel_library
from tests.integration.prometheus.server import ROOT, running_prometheus

EVERSCORE = Path(sys.executable).with_name("everscore")
MODEL = "loans"
COSTS = {("yes", "no"): 1.0, ("no", "yes"): 20.0}
"""Of a wrong answer, by what was predicted and what was true."""


class Command:
    """The installed command, with stacks of its own."""

    def __init__(self, home: Path) -> None:
        self.environment = {**os.environ, "EVERSCORE_HOME": str(home), "COLUMNS": "1000"}

    def run(self, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([EVERSCORE, *arguments], capture_output=True, text=True, timeout=200, check=False, env=self.environment)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def json(self, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
        return json.loads(self.run(*arguments, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def everscore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    command = Command(tmp_path_factory.mktemp("home"))
    command.run("local", "up", "--detach")
    yield command
    command.run("local", "down")


def applications(path: Path, rows: range, *, label: bool, first_day: int = 1) -> Path:
    """Loan applications, a hundred a day; whether one defaults depends on income and debt, with noise."""
    rng = random.Random(rows.start)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["application", "received", "income", "debt", "region", *(["defaulted"] if label else []), "clerk"])
        for row in rows:
            income, debt = rng.lognormvariate(10, 0.5), rng.lognormvariate(9, 0.8)
            answer = "yes" if debt / income + rng.gauss(0, 0.4) > 0.6 else "no"
            day = first_day + (row - rows.start) // 100
            received = f"2024-{1 + (day - 1) // 28:02d}-{1 + (day - 1) % 28:02d} {rng.randrange(24):02d}:00:00"
            writer.writerow([f"A{row}", received, f"{income:.2f}", f"{debt:.2f}", rng.choice("NESW"), *([answer] if label else []), "ann"])
    return path


@pytest.fixture(scope="module")
def trained(everscore: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    file = applications(tmp_path_factory.mktemp("files") / "history.csv", range(4000), label=True)
    options = ("--target", "defaulted", "--id", "application", "--time", "received")
    return everscore.json("train", MODEL, file, *options)


def test_a_file_of_their_own_becomes_the_first_version(trained: dict[str, Any]) -> None:
    assert trained["challenger_version"] == "1"
    assert trained["decision"] == "promote"
    assert trained["challenger"]["auc"] > 0.7, "income and debt give most of the answer"


def test_a_batch_is_scored_row_by_row_in_order(everscore: Command, trained: dict[str, Any], tmp_path: Path) -> None:
    file = applications(tmp_path / "week 1.CSV", range(4000, 4700), label=False, first_day=41)
    out = tmp_path / "scored.parquet"
    manifest = everscore.json("score", MODEL, file, "-o", out)
    assert (manifest["status"], manifest["rows_in"], manifest["rows_scored"]) == ("scored", 700, 700)
    rule = manifest["release"].pop("decision_rules")["champion"]
    assert (rule["kind"], rule["threshold"]) == ("threshold", 0.5)
    assert manifest["release"] == {
        "seq": 1,
        "champion": "1",
        "challenger": None,
        "challenger_suspended": None,
        "challenger_damaged": False,
        "means": {"champion": "numpy" if kernel_library() is None else "kernel"},
    }
    scored = pq.read_table(out)
    assert scored["application"].to_pylist() == [f"A{row}" for row in range(4000, 4700)]
    assert set(scored["prediction"].to_pylist()) == {"no", "yes"}
    assert scored["clerk"].to_pylist()[:1] == ["ann"], "inputs are carried through"


def test_offline_and_in_the_function_the_scores_are_the_same(everscore: Command, trained: dict[str, Any], tmp_path: Path) -> None:
    file = applications(tmp_path / "both.csv", range(9000, 9100), label=False)
    everscore.run("score", MODEL, file, "-o", tmp_path / "there.parquet")
    everscore.run("score", MODEL, file, "--offline", "-o", tmp_path / "here.parquet")
    assert pq.read_table(tmp_path / "there.parquet").equals(pq.read_table(tmp_path / "here.parquet"))


def test_what_any_s3_client_puts_into_the_inbox_is_scored(everscore: Command, trained: dict[str, Any], tmp_path: Path) -> None:
    environment = json.loads(everscore.run("local", "env", "--json").stdout)
    s3 = boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )
    file = applications(tmp_path / "plain.csv", range(5000, 5010), label=False)
    s3.upload_file(str(file), environment["EVERSCORE_INBOX"], f"batches/{MODEL}/by hand/plain.csv")
    s3.put_object(Bucket=environment["EVERSCORE_INBOX"], Key=f"batches/{MODEL}/archive.zip", Body=b"PK\x03\x04 not a table")
    s3.put_object(Bucket=environment["EVERSCORE_INBOX"], Key=f"batches/{MODEL}/folder/", Body=b"")
    deadline = time.monotonic() + 60
    found: dict[str, dict[str, Any]] = {}
    while len(found) < 2 and time.monotonic() < deadline:
        time.sleep(0.5)
        batches = everscore.json("status", MODEL)["batches"]
        found = {batch["key"]: batch for batch in batches if batch["key"].endswith(("plain.csv", "archive.zip", "folder/"))}
    assert found[f"batches/{MODEL}/by hand/plain.csv"]["rows_scored"] == 10
    assert found[f"batches/{MODEL}/archive.zip"]["status"] == "failed"
    assert f"batches/{MODEL}/folder/" not in found


def answered_by_day(scored: Path, labelled: Path) -> dict[str, tuple[float, float]]:
    """The share predicted positive and the cost per row of each event day, from the files alone."""
    truth = {row["application"]: row["defaulted"] for row in csv.DictReader(labelled.read_text().splitlines(), delimiter=";")}
    answers: dict[str, list[tuple[bool, float]]] = {}
    for row in pq.read_table(scored).to_pylist():
        said, true = row["prediction"], truth[row["application"]]
        answers.setdefault(str(row["received"])[:10], []).append((said == "yes", COSTS[said, true] if said != true else 0.0))
    return {
        day: (sum(yes for yes, _ in reported) / len(reported), sum(cost for _, cost in reported) / len(reported))
        for day, reported in answers.items()
    }


def test_labels_make_performance_and_retraining_decides_by_what_answers_cost(
    everscore: Command, trained: dict[str, Any], tmp_path: Path
) -> None:
    costs = f'decision.costs={{"false_positive": {COSTS["yes", "no"]}, "false_negative": {COSTS["no", "yes"]}}}'
    everscore.run("policy", MODEL, "--set", costs, "--set", "gate.metric=cost", "--reason", "a default costs twenty")
    batch = applications(tmp_path / "april.csv", range(20_000, 24_000), label=False, first_day=60)
    scored = tmp_path / "april.parquet"
    everscore.run("score", MODEL, batch, "-o", scored)
    labelled = applications(tmp_path / "april labels.csv", range(20_000, 24_000), label=True, first_day=60)
    everscore.run("labels", MODEL, labelled)
    deadline = time.monotonic() + 60
    while not (days := everscore.json("status", MODEL)["performance"]) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert {day["role"] for day in days} == {"champion"}
    by_day = answered_by_day(scored, labelled)
    assert {day["day"]: (day["metrics"]["predicted_positive"], day["metrics"]["cost"]) for day in days} == {
        day: pytest.approx(by_day[day]) for day in (day["day"] for day in days)
    }
    decision = everscore.json("retrain", MODEL, "--wait")
    assert decision["champion_version"] == "1"
    assert decision["challenger_version"] == "2"
    assert decision["decision"] == "keep", "nothing has changed, so nothing can be gained by the minimum effect"
    assert decision["reasons"][0]["message"].startswith("by cost per row: ")
    people_see_costs_and_the_share(everscore, decision, tmp_path / "report.html")
    everscore.run("policy", MODEL, "--set", "decision.costs=null", "--set", "gate.metric=loss", "--reason", "seen")
    assert decision["snapshot"]["rows"] > 4000
    for version in ("1", "2"):
        rebuilt = everscore.json("reproduce", MODEL, version)
        assert rebuilt["identical"], rebuilt["difference"]
        assert rebuilt["largest_score_difference"] == 0


def people_see_costs_and_the_share(everscore: Command, decision: dict[str, Any], page: Path) -> None:
    """By the state, the report and the messages."""
    screen = everscore.run("status", MODEL).stdout
    assert "Performance: cost per row by event day" in screen
    assert "share predicted positive" in screen
    state = everscore.json("status", MODEL)
    share, expected = state["drift"]["positive"].values()
    assert f"predicted positive: {share:.1%}, expected {expected:.1%}" in screen
    assert abs(share - expected) < 0.05, "as at training, by the same threshold"
    everscore.run("report", MODEL, "-o", page)
    words = re.sub(r"\s+", " ", page.read_text())
    assert "Share predicted positive" in words
    assert "performance-cost" in words
    new, old = decision["challenger"]["cost"], decision["champion"]["cost"]
    deadline = time.monotonic() + 60
    reported = f"cost per row {new:.4g}, the champion's {old:.4g}"
    while reported not in (messages := " ".join(everscore.run("messages", MODEL).stdout.split())) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert reported in messages


def test_a_threshold_can_be_set_and_takes_effect_at_once(everscore: Command, trained: dict[str, Any], tmp_path: Path) -> None:
    policy = everscore.json("policy", MODEL, "--set", "row_contract.ranges.income=[0, 1]", "--reason", "to see it work")
    assert policy["number"] == 3, "after those of the costs"
    assert policy["row_contract"]["ranges"] == {"income": [0, 1]}
    file = applications(tmp_path / "rich.csv", range(6000, 6020), label=False)
    manifest = everscore.json("score", MODEL, file, "--wait", code=3)
    assert (manifest["status"], manifest["rows_quarantined"]) == ("suspect", 20)
    everscore.run("policy", MODEL, "--set", "row_contract.ranges={}")
    assert everscore.json("score", MODEL, applications(tmp_path / "again.csv", range(10), label=False), "--wait")["status"] == "scored"


def test_training_sets_are_listed_compared_and_written_out(everscore: Command, trained: dict[str, Any], tmp_path: Path) -> None:
    snapshots = everscore.json("data", "log", MODEL)["snapshots"]
    assert (snapshots[0]["version"], snapshots[0]["rows"], snapshots[0]["md5"]) == ("1", 4000, trained["snapshot"]["md5"])
    written = everscore.json("data", "checkout", MODEL, "1", "-o", tmp_path / "v1")
    assert sum(pq.read_metadata(file).num_rows for file in Path(written["folder"]).glob("*.parquet")) == 4000
    same = everscore.json("data", "diff", MODEL, "1", "1")
    assert (same["added"], same["removed"], same["relabelled"], same["changed"]) == (0, 0, 0, 0)


def test_stock_dvc_restores_a_training_set_from_the_pointer_in_mlflow(
    everscore: Command, trained: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = json.loads(everscore.run("local", "env", "--json").stdout)
    pointer = MlflowClient(environment["MLFLOW_TRACKING_URI"]).download_artifacts(trained["run_id"], "snapshot.dvc", str(tmp_path))
    assert Path(pointer) == tmp_path / "snapshot.dvc"
    monkeypatch.chdir(tmp_path)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, environment[name])
    dvc = Path(sys.executable).with_name("dvc")
    for command in (
        ("init", "--no-scm", "--quiet"),
        ("remote", "add", "--default", "store", f"s3://{environment['EVERSCORE_STORE']}/snapshots"),
        ("remote", "modify", "store", "endpointurl", environment["AWS_ENDPOINT_URL"]),
        ("pull", "--quiet"),
    ):
        subprocess.run([dvc, *command], check=True, timeout=120)
    everscore.run("data", "checkout", MODEL, "1", "-o", tmp_path / "ours")
    restored = {file.name: file.read_bytes() for file in (tmp_path / "snapshot").iterdir()}
    assert restored == {file.name: file.read_bytes() for file in (tmp_path / "ours").iterdir()}
    assert len(restored) == trained["snapshot"]["files"]


def shell_of(guide: str) -> str:
    """The lines that a guide would have typed."""
    return "".join(re.findall(r"```sh\n(.*?)```", guide, re.DOTALL))


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob("*.parquet")}


@pytest.mark.filterwarnings("ignore")  # MLflow warns of its own type hints
def test_quarantined_rows_are_mended_and_replayed(
    everscore: Command, trained: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = applications(tmp_path / "dirty.csv", range(7000, 7050), label=False)
    lines = file.read_text().splitlines()
    lines[3] = lines[3].replace("A7002", "")
    lines[7] = lines[7] + ";one field too many"
    file.write_text("\n".join(lines) + "\n")
    batch = everscore.json("score", MODEL, file, "--wait")
    assert batch["quarantined_by_reason"] == {"missing_id": 1, "wrong_field_count": 1}
    written = everscore.json("replay", MODEL, batch["batch_id"][:10])
    mended = Path(written["file"])
    assert mended.read_text("utf-8-sig").splitlines() == [lines[0], lines[3], lines[7]]
    mended.write_text("\n".join([lines[0], "A7002" + lines[3], lines[7].removesuffix(";one field too many")]) + "\n")
    replayed = everscore.json("replay", MODEL, batch["batch_id"], mended, "-o", tmp_path / "mended.parquet")
    assert (replayed["replays"], replayed["rows_scored"], replayed["rows_quarantined"]) == (batch["batch_id"], 2, 0)
    assert pq.read_metadata(tmp_path / "mended.parquet").num_rows == 2
    again = everscore.json("replay", MODEL, batch["batch_id"], mended)
    assert (again["batch_id"], again["replayed_before"]) == (replayed["batch_id"], True)
    assert everscore.json("replay", MODEL, batch["batch_id"], mended, "--again")["batch_id"] != replayed["batch_id"]
    assert everscore.json("replay", MODEL, batch["batch_id"], "-o", tmp_path / "rows.csv")["file"] == str(tmp_path / "rows.csv")


def test_labels_are_looked_at_before_they_are_sent(everscore: Command, trained: dict[str, Any], tmp_path: Path) -> None:
    odd = tmp_path / "odd.csv"
    odd.write_text("application;defaulted\nA1;no\nA2;maybe\nA3;\n;yes\n")
    found = everscore.json("labels", MODEL, odd)
    assert (found["labels"], found["unlabelled"], found["rejected"], found["unknown"]) == (2, 1, 1, {"maybe": 1})


def test_where_every_row_is_quarantined_no_file_is_written(everscore: Command, trained: dict[str, Any], tmp_path: Path) -> None:
    bad, out = tmp_path / "bad.csv", tmp_path / "bad.parquet"
    bad.write_text("application;received;income;debt;region;clerk\nB1;2024-05-01;lots;much;N;ann\n")
    shown = everscore.run("score", MODEL, bad, "-o", out, code=3)
    assert "quarantined 1 of 1 row" in shown.stderr
    assert not out.exists()


def test_a_batch_is_scored_again(everscore: Command, trained: dict[str, Any], tmp_path: Path) -> None:
    batch = everscore.json("score", MODEL, applications(tmp_path / "once.csv", range(8000, 8040), label=False), "--wait")
    assert everscore.json("rescore", MODEL, batch["batch_id"], "--verify")["identical"]
    again = everscore.json("rescore", MODEL, batch["batch_id"][:12])
    assert (again["supersedes"], again["rows_scored"]) == (batch["batch_id"], 40)


def test_prometheus_scrapes_what_the_manifests_say(everscore: Command, trained: dict[str, Any], tmp_path: Path) -> None:
    environment = json.loads(everscore.run("local", "env", "--json").stdout)
    account = {"aws_access_key_id": environment["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": environment["AWS_SECRET_ACCESS_KEY"]}
    place = account | {"endpoint_url": environment["AWS_ENDPOINT_URL"], "region_name": environment["AWS_DEFAULT_REGION"]}
    tick = boto3.client("lambda", **place).invoke(
        FunctionName=environment["EVERSCORE_METRIC_EMISSION_FUNCTION"], Payload=b'{"action": "tick"}'
    )
    assert json.load(tick["Payload"]) == {"models": 1}
    s3 = boto3.client("s3", **place)
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=environment["EVERSCORE_STORE"], Prefix=f"manifests/{MODEL}/")["Contents"]]
    manifests = [json.load(s3.get_object(Bucket=environment["EVERSCORE_STORE"], Key=key)["Body"]) for key in keys]
    written = Path(environment["EVERSCORE_PROMETHEUS_CONFIG"])
    shutil.copytree(written.parent, tmp_path, dirs_exist_ok=True)
    configuration = yaml.safe_load(written.read_text())
    configuration["global"]["scrape_interval"] = "1s"
    with running_prometheus(tmp_path, configuration) as prometheus:
        deadline = time.monotonic() + 60
        counted: dict[Any, float] = {}
        while sum(counted.values()) < len(manifests) and time.monotonic() < deadline:
            time.sleep(0.5)
            counted = prometheus.query("sum by (status) (everscore_batches_total)")
        assert counted == {frozenset({("status", status)}): n for status, n in Counter(batch["status"] for batch in manifests).items()}
        model = f'model="{MODEL}"'
        for field in ("rows_in", "rows_scored"):
            assert prometheus.value(f"everscore_{field}_total{{{model}}}") == sum(batch[field] for batch in manifests)
        assert prometheus.value("sum(everscore_rows_quarantined_total)") == sum(batch["rows_quarantined"] for batch in manifests)
        assert prometheus.value(f"everscore_batch_seconds_sum{{{model}}}") == pytest.approx(
            sum(batch["timings"]["total_s"] for batch in manifests)
        )
        assert prometheus.value(f"everscore_release_sequence{{{model}}}") == everscore.json("status", MODEL)["seq"]


def test_the_state_fits_a_screen_and_names_the_model(everscore: Command, trained: dict[str, Any]) -> None:
    screen = everscore.run("status", MODEL).stdout
    assert "loans: version 1 serves" in screen
    assert len(screen.splitlines()) < 60
    assert "loans" in everscore.run("status").stdout


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (("status", "nobody"), "models: loans"),
        (("rollback", MODEL), "no previous champion"),
        (("promote", MODEL, "99"), "no version '99'"),
        (("reproduce", MODEL, "99"), "version 99"),
        (("retrain", "nobody"), "models: loans"),
        (("rescore", MODEL, "ffffff"), "fits no batch"),
        (("policy", MODEL, "--set", "canry.steps=1"), "canry.steps"),
        (("policy", MODEL, "--set", "gate.alpha=7"), "gate.alpha"),
        (("policy", MODEL, "--set", "row_contract.ranges.incme=[0, 1]"), "choose from: debt, income"),
        (("replay", MODEL, "0", "-o", "/no/such/folder/rows.csv"), "/no/such/folder"),
        (("train", MODEL, __file__, "--target", "a", "--id", "b"), "serves already"),
        (("train", "new", __file__, "--target", "a", "--id", "b"), "has no column"),
        (("train", "../up", __file__, "--target", "a", "--id", "b"), "../up"),
        (("score", MODEL, __file__, "--wait"), "application"),
        (("score", MODEL, __file__, "-o", "/no/such/folder/out.parquet"), "/no/such/folder"),
        (("labels", MODEL, __file__), "application"),
        (("labels", "nobody", __file__), "models: loans"),
        (("score", "loan", __file__), "did you mean 'loans'?"),
        (("tick", "nobody"), "models: loans"),
        (("train", "new", __file__, "--target", "a", "--id", "b", "--timezone", "Mars/X"), "Mars/X"),
        (("status", "--stack", "nowhere"), "nowhere"),
        (("promote", MODEL, "2", "--force"), "--reason"),
        (("rollback", MODEL, "2"), "was never the champion"),
        (("history", MODEL, "--at", "yesterday"), "write a time as in"),
        (("history", MODEL, "--at", "2001-01-01"), "served nothing"),
        (("rescore", MODEL), "--withdrawn"),
        (("rescore", MODEL, "--withdrawn"), "was ever withdrawn"),
        (("erase", MODEL, "--ids", __file__, "--yes"), "application"),
    ],
)
def test_a_mistake_is_reported_with_what_to_do_and_ends_with_2(
    everscore: Command, trained: dict[str, Any], arguments: tuple[str, ...], reported: str
) -> None:
    done = everscore.run(*arguments, code=2)
    assert reported in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def champion_of_a_batch(everscore: Command, rows: range, folder: Path) -> str:
    """Who answers a batch that is uploaded now."""
    manifest = everscore.json("score", MODEL, applications(folder / f"{rows.start}.csv", rows, label=False, first_day=60), "--wait")
    return str(manifest["release"]["champion"])


def test_any_past_champion_is_restored_by_one_command_and_answers_the_next_batch(
    everscore: Command, trained: dict[str, Any], tmp_path: Path
) -> None:
    everscore.json("promote", MODEL, "2", "--force", "--reason", "a trial")
    assert champion_of_a_batch(everscore, range(80_000, 80_010), tmp_path) == "2"
    restored = everscore.json("rollback", MODEL, "1", "--reason", "the trial is over")
    assert restored["champion"]["version"] == "1"
    assert champion_of_a_batch(everscore, range(80_010, 80_020), tmp_path) == "1"
    reported = [(release["champion"]["version"], release["reason"]) for release in everscore.json("history", MODEL)["releases"]]
    assert reported[-2:] == [("2", "a trial"), ("1", "the trial is over")]
    before = everscore.json("history", MODEL, "--at", restored["decided_at"].replace("Z", "+00:00"))["releases"]
    assert [release["seq"] for release in before] == [restored["seq"]]


def test_the_lines_of_the_guide_fetch_each_versions_data_and_roll_it_back(
    everscore: Command, trained: dict[str, Any], tmp_path: Path
) -> None:
    everscore.run("promote", MODEL, "2", "--force", "--reason", "to be rolled back")
    guide = (ROOT / "docs" / "data.md").read_text().partition("## The demo")[0].replace("churn", MODEL)
    fetch_second, roll_back = "everscore data checkout loans 2", "everscore rollback"
    lines = "git init --quiet\n" + shell_of(guide)
    for number, start in enumerate((fetch_second, roll_back)):
        assert lines.count(start) == 1
        lines = lines.replace(start, f"cp -r {MODEL} pulled-{number}\n{start}")
    author = {f"GIT_{who}_{what}": "ml@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**everscore.environment, **author, "PATH": f"{EVERSCORE.parent}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-euc", lines], cwd=tmp_path, env=environment, check=True, timeout=280)
    for version in ("1", "2"):
        everscore.run("data", "checkout", MODEL, version, "-o", tmp_path / f"v{version}")
    one, two = contents(tmp_path / "v1"), contents(tmp_path / "v2")
    assert [contents(tmp_path / folder) for folder in ("pulled-0", "pulled-1", MODEL)] == [one, two, one]
    assert one != two
    assert everscore.json("status", MODEL)["champion"]["version"] == "1"


def bodies(everscore: Command) -> Iterator[tuple[str, bytes]]:
    """Key and bytes of every version of every object of the stack, Parquet as text."""
    environment = everscore.json("local", "env")
    keys = {name: environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION")}
    session = boto3.Session(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], region_name=keys["AWS_DEFAULT_REGION"])
    s3 = session.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"])
    for bucket in (environment["EVERSCORE_INBOX"], environment["EVERSCORE_STORE"]):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for version in page.get("Versions", []):
                body = s3.get_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])["Body"].read()
                table = pq.read_table(io.BytesIO(body)).to_pylist() if body.startswith(b"PAR1") else ""
                yield version["Key"], body + str(table).encode()


def test_people_are_erased_from_everything_stored(everscore: Command, trained: dict[str, Any], tmp_path: Path) -> None:
    leaving, staying = tuple(f"A{row}" for row in (17, 80_003)), b"A80004"  # this source was uploaded too, and must not show them
    shows = re.compile(rb"\b(" + "|".join(leaving).encode() + rb")\b")
    assert {key.split("/")[0] for key, body in bodies(everscore) if shows.search(body)} == {"batches", "training", "scored", "snapshots"}
    ids = tmp_path / "leaving.csv"
    ids.write_text("application\n" + "\n".join(leaving) + "\n")
    erased = everscore.json("erase", MODEL, "--ids", ids, "--reason", "their wish", "--yes")
    assert (erased["people"], erased["left"]) == (2, [])
    assert erased["erasures"][0]["rows"] == {"scored": 1}
    assert {"1", "2"} <= set(erased["erasures"][0]["versions"])
    found = dict(bodies(everscore))
    assert [key for key, body in found.items() if shows.search(body)] == []
    assert any(staying in body for key, body in found.items() if key.startswith("scored/"))
    again = everscore.json("erase", MODEL, "--ids", ids, "--yes")
    assert again["erasures"][0]["objects"] == 0
    rebuilt = everscore.json("reproduce", MODEL, "1", code=1)
    assert "an erasure took 1 row of its training set" in rebuilt["difference"]


@pytest.mark.filterwarnings("ignore:.*Any type hint is inferred:UserWarning")  # of MLflow's own types, when it is imported
def test_a_pipeline_that_is_in_mlflow_is_adopted_scores_as_itself_and_is_rebuilt(everscore: Command, tmp_path: Path) -> None:
    import mlflow
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    mlflow.set_tracking_uri(json.loads(everscore.run("local", "env", "--json").stdout)["MLFLOW_TRACKING_URI"])
    mlflow.set_experiment("theirs")
    table = pd.read_csv(applications(tmp_path / "theirs.csv", range(30_000, 31_000), label=True), sep=";")
    features = ["income", "debt", "region"]
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer((numbers, features[:2]), (OneHotEncoder(handle_unknown="ignore"), features[2:]))
    pipeline = make_pipeline(columns, LogisticRegression()).fit(table[features], table["defaulted"])
    kept = {"name": "model", "pip_requirements": [], "skops_trusted_types": ["numpy.dtype"]}
    for name, format_ in (("by-hand", "skops"), ("pickled", "pickle")):
        mlflow.sklearn.log_model(pipeline, registered_model_name=name, serialization_format=format_, **kept)
    reference = applications(tmp_path / "reference.csv", range(31_000, 32_000), label=True)
    options = ("--target", "defaulted", "--id", "application", "--time", "received")
    for uri, reported in (("models:/pickled/1", 'serialization_format="skops"'), ("models:/nobody/1", "models:/NAME/VERSION")):
        assert reported in everscore.run("adopt", "adopted", uri, reference, *options, code=2).stderr
    decision = everscore.json("adopt", "adopted", "models:/by-hand/1", reference, *options)
    assert (decision["engine"], decision["trained_rows"], decision["reasons"][0]["code"]) == ("linear", 1000, "adopted")
    batch, out = applications(tmp_path / "june.csv", range(32_000, 32_100), label=False), tmp_path / "june.parquet"
    assert everscore.json("score", "adopted", batch, "-o", out)["rows_scored"] == 100
    expected = pipeline.predict_proba(pd.read_csv(batch, sep=";")[features])[:, 1]
    assert pq.read_table(out)["score"].to_pylist() == pytest.approx(expected.tolist(), abs=1e-9)
    assert everscore.json("reproduce", "adopted", "1")["identical"]


@pytest.mark.parametrize(
    ("model", "option", "policy"),
    [
        ("strict", "--threshold=0.2", {"threshold": 0.2, "costs": None}),
        ("priced", "--costs=false_positive=1,false_negative=20", {"threshold": None, "costs": {"false_positive": 1, "false_negative": 20}}),
    ],
)
def test_how_scores_become_predictions_is_said_at_training_and_changed_by_policy(
    everscore: Command, trained: dict[str, Any], tmp_path: Path, model: str, option: str, policy: dict[str, Any]
) -> None:
    history = applications(tmp_path / "history.csv", range(50_000, 51_500), label=True)
    everscore.json("train", model, history, "--target", "defaulted", "--id", "application", "--time", "received", option)
    assert everscore.json("policy", model)["decision"] == policy
    out, file = tmp_path / "scored.parquet", applications(tmp_path / "june.csv", range(52_000, 52_300), label=False, first_day=20)
    batch = everscore.json("score", model, file, "-o", out)
    used = batch["release"]["decision_rules"]["champion"]["threshold"]
    assert 0 < used < 0.5, "a default is dear"
    predicts(pq.read_table(out), used)
    everscore.run("policy", model, "--set", "decision.threshold=0.8", "--set", "decision.costs=null", "--reason", "seen")
    assert everscore.json("rescore", model, batch["batch_id"], "--verify")["identical"]
    again = everscore.json("rescore", model, batch["batch_id"])
    everscore.run("fetch", model, again["batch_id"], "-o", tmp_path / "again.parquet")
    predicts(pq.read_table(tmp_path / "again.parquet"), 0.8)


def predicts(table: pa.Table, threshold: float) -> None:
    assert table["prediction"].to_pylist() == ["yes" if score >= threshold else "no" for score in table["score"].to_pylist()]
    assert len(set(table["prediction"].to_pylist())) == 2
