"""A stack that was deployed without MLflow, as the template's default has it, and then with one."""

import csv
import json
import os
import random
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest
from mlflow import MlflowClient

from infra.local.embedded import embedded_aws
from infra.local.stacks import Stack
from infra.places import ROOT

pytestmark = pytest.mark.timeout(900)  # three trainings, and a stack that starts

EVERSCORE = ROOT / ".venv/bin/everscore"
FIRST, SECOND = "2013-04", "2013-05"


def rows(path: Path, month: str, *, labelled: bool) -> Path:
    """Three hundred rows of a month whose label follows from the amount."""
    drawn = random.Random(month)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "day", "amount", *(["left"] if labelled else [])])
        for number in range(300):
            amount = drawn.random()
            label = "yes" if amount + drawn.random() > 1 else "no"
            writer.writerow([f"{month}-{number}", f"{month}-{1 + number % 28:02}", amount, *([label] if labelled else [])])
    return path


def test_a_stack_without_mlflow_does_all_its_work_and_one_that_comes_later_catches_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVERSCORE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    with embedded_aws("bare", parameters={"ScheduleState": "DISABLED", "MlflowTrackingUri": ""}) as stack:
        everscore = partial(asked, stack, tmp_path)
        described = ("--target", "left", "--id", "id", "--time", "day")
        first = everscore("train", "m", str(rows(tmp_path / "first.csv", FIRST, labelled=True)), *described)
        assert first["run_id"] is None
        wanted = ("--set", "retraining.min_new_labels=100", "--set", "labels.delay_days=0", "--reason", "few rows")
        everscore("policy", "m", *wanted)
        everscore("score", "m", str(rows(tmp_path / "batch.csv", SECOND, labelled=False)), "--wait")
        everscore("labels", "m", str(rows(tmp_path / "labels.csv", SECOND, labelled=True)))
        for _ in range(30):
            if "challenger_version" in (second := everscore("retrain", "m", "--wait")):
                break
            time.sleep(2)
        assert second["challenger_version"] == "2", second
        everscore("promote", "m", "2", "--force", "--reason", "try")
        everscore("rollback", "m")
        everscore("tick", "m")
        assert everscore("status", "m")["champion"]["version"] == "1"

        deploy_with_mlflow(stack)
        everscore("retrain", "m", "--wait")
        everscore("tick", "m")
        client = MlflowClient(stack.mlflow_uri)
        assert client.get_registered_model("bare-m").aliases["champion"] == "1"
        assert {"1", "2"} <= {version.tags["everscore.version"] for version in client.search_model_versions("name='bare-m'")}


def asked(stack: Stack, folder: Path, *command: str) -> Any:
    environment = {**os.environ, **stack.env()}
    done = subprocess.run([EVERSCORE, *command, "--json"], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def deploy_with_mlflow(stack: Stack) -> None:
    """Set what the parameter `MlflowTrackingUri` would."""
    environment = stack.env()
    functions = boto3.client(
        "lambda",
        endpoint_url=stack.endpoint,
        region_name=environment["AWS_DEFAULT_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    for output in ("RetrainingFunction", "ReleaseFunction"):
        name = stack.outputs[output]
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        variables["MLFLOW_TRACKING_URI"] = stack.mlflow_uri
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})
