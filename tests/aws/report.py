"""What a run of the suite saw, as a page that can be attached to an issue. It names no bucket and no account in full."""

import platform
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from urllib.parse import urlsplit

from infra.cli.operator import Operator
from infra.cost.prices import listed_prices

_ACCOUNT = re.compile(r"\b\d{12}\b")
_CALLS = 2_000
"""More requests of each kind than a run makes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise, and what was seen of it."""

    sentence: str
    kept: bool
    seconds: float
    seen: Sequence[str]
    failure: str


@dataclass(slots=True)
class Report:
    """A run on one stack. `dollars_a_second` is what all its functions would cost if each worked all the time."""

    stack: str
    model: str
    where: str
    log_group: str
    dollars_a_second: float
    removed: int = 0
    broken_off: bool = False
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, stack: str, operator: Operator, model: str) -> "Report":
        """Return a report that begins now."""
        functions = [operator.client("lambda").get_function_configuration(FunctionName=name) for name in _functions(operator)]
        gigabytes = sum(function["MemorySize"] for function in functions) / 1024
        price = listed_prices().lambda_x86_64_gb_second.dollars
        where = "an embedded AWS" if is_embedded(operator) else f"AWS, {operator.client('s3').meta.region_name}"
        return cls(stack, model, where, operator.outputs["LogGroup"], gigabytes * price)

    @property
    def most_dollars(self) -> float:
        """What the run cost at most: every function busy all the time, and thousands of requests."""
        prices = listed_prices()
        requests = (prices.s3_put, prices.s3_get, prices.sqs_request, prices.lambda_request, prices.step_functions_transition)
        return (time.monotonic() - self.began) * self.dollars_a_second + sum(price.dollars for price in requests) * _CALLS

    def as_markdown(self, findings: Sequence[Finding]) -> str:
        """Return the page."""
        kept = sum(finding.kept for finding in findings)
        lines = [
            f"# Everscore on {self.where}: {kept} of {len(findings)} promises kept",
            "",
            f"- When: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, for {time.monotonic() - self.began:.0f} s",
            f"- Stack: `{self.stack}`, tried with the model `{self.model}`",
            f"- Everscore {version('everscore')}, Python {platform.python_version()}, boto3 {version('boto3')}",
            f"- Cost: at most ${self.most_dollars:.2f}",
            f"- Removed afterwards: {self.removed} objects. What stays: the model's metrics in CloudWatch, for 15 months, and its versions in MLflow, if the stack has one.",
            "",
            *(["**Broken off**: what comes after was not tried.", ""] if self.broken_off else []),
            "| promise | kept | seconds | seen |",
            "| --- | --- | --- | --- |",
        ]
        for finding in findings:
            seen = "; ".join(finding.seen).replace("|", "\\|")
            lines.append(f"| {finding.sentence} | {'yes' if finding.kept else '**no**'} | {finding.seconds:.0f} | {seen} |")
        for finding in findings:
            if not finding.kept:
                lines += ["", f"## {finding.sentence}", "", "```", finding.failure.strip(), "```"]
        if kept < len(findings):
            lines += [
                "",
                f"What the functions logged: `aws logs tail {self.log_group} --since 1h`. It holds no rows, but models' and files' names.",
            ]
        return _ACCOUNT.sub("(account)", "\n".join(lines)) + "\n"


def _functions(operator: Operator) -> list[str]:
    return [name for output, name in operator.outputs.items() if output.endswith("Function")]


def is_embedded(operator: Operator) -> bool:
    """Whether the stack is on this machine."""
    return urlsplit(operator.client("s3").meta.endpoint_url).hostname in {"127.0.0.1", "localhost"}
