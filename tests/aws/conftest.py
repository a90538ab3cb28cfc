"""A deployed stack, embedded or on AWS, a model of its own to try on it, and a report of what was seen.

Run it with `make test-aws STACK=NAME`. It costs cents, and takes its model out of the stack again.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from functions.shared.domain.errors import EverscoreError
from infra.cli.operator import Operator, connect
from infra.trial.removal import AFTER_A_BREAK, forget_tables, remove_model
from tests.aws.report import Finding, Report, is_embedded

EVERSCORE = Path(sys.executable).with_name("everscore")
PATIENCE_S = 600.0
"""How long something may take on AWS, where functions start cold and metrics arrive by the minute."""


@dataclass(frozen=True, slots=True)
class Account:
    """What a test needs of the stack: its operator, the model that is tried, and a folder for files."""

    stack: str
    operator: Operator
    model: str
    folder: Path
    profile: str | None = None

    @property
    def copy(self) -> str:
        """The name under which the model is imported again."""
        return f"{self.model}-copy"

    @property
    def embedded(self) -> bool:
        """Whether the stack is on no AWS."""
        return is_embedded(self.operator)

    def everscore(self, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
        """Run a command as a person does, and return its answer."""
        command = [EVERSCORE, *map(str, arguments), "--stack", self.stack, "--json"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(command, cwd=self.folder, env=self._environment, text=True, **pipes) as running:
            try:
                out, err = running.communicate(timeout=PATIENCE_S)
            finally:  # it ends where the run is broken off too
                running.kill()
                running.wait()
        typed = " ".join(["everscore", *map(str, arguments), "--stack", self.stack])
        assert running.returncode == code, f"`{typed}` ended with {running.returncode}, not {code}:\n{out}{err}"
        answer: dict[str, Any] = json.loads(out)
        return answer

    @property
    def _environment(self) -> dict[str, str]:
        """What a command inherits: credentials of the operator's profile where one is named, else those of this process."""
        if self.profile is None:
            return dict(os.environ)
        own = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        return {**{name: value for name, value in os.environ.items() if name not in own}, "AWS_PROFILE": self.profile}

    def resources(self, kind: str) -> list[str]:
        """Return the physical ids of the stack's resources of a type."""
        pages = self.operator.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack)
        found = [resource for page in pages for resource in page["StackResourceSummaries"]]
        return [resource["PhysicalResourceId"] for resource in found if resource["ResourceType"] == kind]


def eventually[T](look: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """Look until there is something, and return it; fail with `what` was waited for."""
    end = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < end, f"after {patience_s:.0f} s there was still not {what}"
        time.sleep(0.5)
    return found


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stack", default=os.environ.get("EVERSCORE_STACK"), help="Stack to try: an embedded one, or one on AWS.")
    parser.addoption(
        "--operator-profile",
        default=os.environ.get("EVERSCORE_OPERATOR_PROFILE"),
        help="Profile of AWS with OperatorsPolicyArn alone, by which commands are tried (default: your own credentials).",
    )
    parser.addoption("--report", default="build/aws-report.md", help="File to write the report to.")


def pytest_configure(config: pytest.Config) -> None:
    # Whatever ends the run, what it made is removed first.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    config.pluginmanager.register(Reporting(config), "everscore-report")


@pytest.fixture(scope="session")
def account(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    name = request.config.getoption("--stack")
    if not name:
        pytest.exit("name the stack to try: make test-aws STACK=everscore-dev", returncode=2)
    try:
        operator = connect(name)
    except EverscoreError as error:
        pytest.exit(f"{error.message}\n{error.remedy}", returncode=2)
    profile = request.config.getoption("--operator-profile")
    account = Account(name, operator, f"trial-{uuid4().hex[:8]}", tmp_path_factory.mktemp("files"), profile)
    reporting: Reporting = request.config.pluginmanager.get_plugin("everscore-report")  # type: ignore[assignment]
    reporting.report = Report.of(account.stack, operator, account.model)
    yield account
    quiet_rounds = 1 if reporting.all_is_done else AFTER_A_BREAK
    for model in (account.model, account.copy):
        reporting.report.removed += remove_model(model, operator.inbox, operator.store, quiet_rounds=quiet_rounds)
        forget_tables(model, operator.name, operator.client)


class Reporting:
    """Pytest's plugin that notes what each test found, and writes the report at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._file = Path(config.getoption("--report"))
        self._findings: list[Finding] = []
        self.report: Report | None = None

    @property
    def all_is_done(self) -> bool:
        """Whether the stack has nothing more to do: each test saw the end of what it asked for."""
        return self.report is not None and not self.report.broken_off and all(finding.kept for finding in self._findings)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test once: after it ran, or where its preparation failed."""
        if report.when == "call" or (report.when == "setup" and report.failed) or (report.when == "teardown" and report.failed):
            sentence = report.location[2].removeprefix("test_").replace("_", " ")
            seen = [f"{name}: {value}" for name, value in report.user_properties]
            self._findings.append(Finding(sentence, report.passed, report.duration, seen, report.longreprtext))

    def pytest_keyboard_interrupt(self) -> None:
        """Say that what was made is still removed, so that nobody interrupts that too."""
        if self.report is not None:
            self.report.broken_off = True
            terminal: Any = self._config.pluginmanager.get_plugin("terminalreporter")
            terminal.write_line("\ninterrupted: removing what was made; please wait, it takes a minute or two")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Write the report, and say where it is."""
        if self.report is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(self.report.as_markdown(self._findings))
        terminalreporter.write_line(
            f"\nThe report is {self._file}. Attach it to an issue, whatever it says: nobody has seen this run on AWS."
        )
