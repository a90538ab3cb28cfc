"""The embedded stack that is hurt: the project's own template and functions, in whose package lies one module more (`inside.py`)."""

import json
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.local.embedded import embedded_aws
from infra.local.stacks import Stack
from infra.places import ROOT
from tests.chaos.tables import TableReader

HIDDEN_S = 60
"""A queue hides what was received for so long, not for half an hour, until its function says that it is at work.

A function has to be able to start within it, on a busy machine too: else messages come again that nobody failed at, and after
five times they are dead letters.
"""
WAITS = {
    "AT_WORK_S, BEAT_S = 60, 20": "AT_WORK_S, BEAT_S = 20, 4",
    "FIRST_PAUSE_S, FACTOR, LONGEST_PAUSE_S = 10.0, 6, 1800.0": "FIRST_PAUSE_S, FACTOR, LONGEST_PAUSE_S = 2.0, 2, 20.0",
}
"""For how long a function hides what it works on and what failed, and for how long here, so that the run spends its time on work."""
DEAD_AFTER = timedelta(minutes=1)
"""A lease is taken away after this, and not after twenty minutes: nothing here works for so long."""
QUEUE = "AWS::SQS::Queue"
QUIET_LOOKS, LOOK_S = 5, 1.0
STALL_S = 600.0
"""Nothing may stand still for longer."""
PATIENCE = Config(retries={"mode": "standard", "total_max_attempts": 10}, connect_timeout=20, read_timeout=180, proxies={})
ONCE = Config(retries={"total_max_attempts": 1}, connect_timeout=20, read_timeout=300, proxies={})


class Stage:
    """A stack with the means to hurt its functions, to call them, and to see when all is quiet."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack, self.folder = stack, folder
        self.sent_back: Counter[str] = Counter()
        self.s3, self.sqs = self.client("s3"), self.client("sqs")
        self._functions, self._machines = self.client("lambda", ONCE), self.client("stepfunctions")
        resources = self.client("cloudformation").describe_stack_resources(StackName=stack.name)["StackResources"]
        self.queues = {found["LogicalResourceId"]: found["PhysicalResourceId"] for found in resources if found["ResourceType"] == QUEUE}
        self._sources = {self._described(queue)["QueueArn"]: queue for queue in self.queues if "RedrivePolicy" in self._described(queue)}
        for queue in self._sources.values():
            self.sqs.set_queue_attributes(QueueUrl=self.queues[queue], Attributes={"VisibilityTimeout": str(HIDDEN_S)})

    def client(self, service: str, config: Config = PATIENCE) -> Any:
        """A client of the embedded AWS."""
        environment = self.stack.env()
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.stack.endpoint,
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_DEFAULT_REGION"],
            config=config,
        )

    def call(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """What a function answers, or what it raised."""
        answer = self._functions.invoke(FunctionName=self.stack.outputs[f"{function}Function"], Payload=json.dumps(request).encode())
        found: dict[str, Any] = json.loads(answer["Payload"].read())
        return found

    def keys(self, prefix: str) -> list[str]:
        """Of what lies in the store."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.stack.store, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def policy(self, model: str, thresholds: Mapping[str, Any]) -> None:
        """Put a policy in force."""
        body = json.dumps({"schema_version": 1, "number": 1, **thresholds})
        self.s3.put_object(Bucket=self.stack.store, Key=f"policies/{model}/000001.json", Body=body.encode())

    def odds(self, odds: Mapping[str, float]) -> None:
        """How often each fault happens to a request of a function from now on."""
        new = self.folder / "odds.new"
        new.write_text(json.dumps(odds))
        new.replace(self.folder / "odds.json")

    def note(self, line: str) -> None:
        """Keep a line for whoever looks for what went wrong."""
        with (self.folder / "notes").open("a") as notes:
            notes.write(f"{datetime.now(UTC):%H:%M:%S} {line}\n")

    def faults(self) -> Counter[str]:
        """Those inside functions up to now."""
        noted = self.folder / "faults"
        return Counter(noted.read_text().splitlines() if noted.exists() else [])

    def end_dead_leases(self) -> None:
        """Take away leases that nobody can still be at work under."""
        listed = self.s3.list_objects_v2(Bucket=self.stack.store, Prefix="leases/").get("Contents", [])
        for found in listed:
            if found["LastModified"] < datetime.now(UTC) - DEAD_AFTER:
                self.s3.delete_object(Bucket=self.stack.store, Key=found["Key"])

    def pause(self) -> None:
        """Until it is worth asking again."""
        time.sleep(LOOK_S)
        self.end_dead_leases()

    def wait_for(self, prefix: str) -> None:
        """Wait until something lies below a prefix of the store."""
        end = time.monotonic() + STALL_S
        while not self.keys(prefix):
            assert time.monotonic() < end, f"nothing below {prefix}"
            time.sleep(LOOK_S)

    def wait_until_quiet(self) -> None:
        """Wait until nothing waits in a queue and no execution runs, however long that takes, as long as less and less waits.

        Dead letters are sent back, as an operator would; what goes round that way is no progress.
        """
        end, quiet, fewest = time.monotonic() + STALL_S, 0, None
        while quiet < QUIET_LOOKS:
            assert time.monotonic() < end, f"for {STALL_S:.0f} s there are no fewer: {self.waiting()}"
            try:
                self.send_back()
                waiting = sum(self.waiting().values())
            except (BotoCoreError, ClientError) as error:
                self.note(f"looked in vain: {error}")
            else:
                quiet = quiet + 1 if not waiting else 0
                if fewest is None or waiting < fewest:
                    end, fewest = time.monotonic() + STALL_S, waiting
            time.sleep(LOOK_S)

    def tables(self) -> TableReader:
        """What DuckDB reads of the tables as they are now."""
        return TableReader(self.client("glue"), self.stack.env()["EVERSCORE_ICEBERG_DATABASE"], self.stack.endpoint)

    def waiting(self) -> dict[str, int]:
        """What there is still to do, by place."""
        machine = self.stack.outputs["PartitionedScoringMachine"]
        running = self._machines.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
        return {"executions": len(running), **{queue: depth for queue in self.queues if (depth := self.depth(queue))}}

    def depth(self, queue: str) -> int:
        """Messages in a queue, hidden and delayed ones as well."""
        return sum(int(value) for name, value in self._described(queue).items() if name.startswith("ApproximateNumberOfMessages"))

    def send_back(self) -> None:
        """Send dead letters to their queues and failed events to their functions, as the runbook has it."""
        try:
            self._send_back()
        except (BotoCoreError, ClientError) as error:
            self.note(f"sent nothing back: {error}")

    def _send_back(self) -> None:
        for letters in self.queues.keys() - self._sources.values():
            for body, source in self._taken(letters):
                self.sent_back[f"of {source or 'failed events'}"] += 1
                self.note(f"dead letter of {source or letters}: {body[:600]}")
                if source:
                    self.sqs.send_message(QueueUrl=self.queues[source], MessageBody=body)
                elif "requestPayload" in (event := json.loads(body)):
                    function, _, _ = event["requestContext"]["functionArn"].partition(":function:")[2].partition(":")
                    payload = json.dumps(event["requestPayload"]).encode()
                    self._functions.invoke(FunctionName=function, InvocationType="Event", Payload=payload)

    def _taken(self, queue: str) -> Iterator[tuple[str, str | None]]:
        """Up to ten messages, and the queue of each that gave it up."""
        url = self.queues[queue]
        for message in self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]).get("Messages", []):
            yield message["Body"], self._sources.get(message["Attributes"].get("DeadLetterQueueSourceArn"))
            self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _described(self, queue: str) -> dict[str, str]:
        found: dict[str, str] = self.sqs.get_queue_attributes(QueueUrl=self.queues[queue], AttributeNames=["All"])["Attributes"]
        return found


@contextmanager
def hurt_stack(folder: Path) -> Iterator[Stage]:
    """A stack in whose functions faults happen, while the block runs."""
    project = folder / "project"
    shutil.copytree(ROOT / "functions", project / "functions", ignore=shutil.ignore_patterns("__pycache__", "tests"))
    shutil.copytree(ROOT / "infra" / "state_machines", project / "infra" / "state_machines")
    shutil.copy(ROOT / "template.yaml", project)
    inside = Path(__file__).with_name("inside.py").read_text()
    (project / "functions" / "inside.py").write_text(inside.replace('FOLDER = ""', f"FOLDER = {str(folder)!r}"))
    with (project / "functions" / "__init__.py").open("a") as package:
        package.write("from functions import inside as inside\n")
    hiding = project / "functions" / "shared" / "runtime" / "hiding.py"
    for waits, shorter in WAITS.items():
        assert waits in hiding.read_text()
        hiding.write_text(hiding.read_text().replace(waits, shorter))
    with embedded_aws("chaos", root=project, parameters={"ScheduleState": "DISABLED"}) as stack:
        yield Stage(stack, folder)
