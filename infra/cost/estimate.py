"""Turn measured seconds and listed prices into dollars, idle and per row.

With 1,769 MB, Lambda gives one processor, so processor seconds equal wall time. Assumptions: more memory is not faster, less memory
is slower in proportion, and stages grow with rows and columns. AWS's free amounts are listed separately. What a deployment may have
in addition (a key, secrets, a VPC) is listed apart. Not included: data that leaves AWS, an MLflow server, and people.
"""

from dataclasses import dataclass

from infra.cost.deployed import HOURS_A_MONTH, Deployed
from infra.cost.prices import Price, Prices
from infra.cost.series import all_series, ticked_series
from infra.cost.speed import ONCE, Measured
from infra.repository import KEPT_IMAGES

MEMORY_OF_A_CPU_MB = 1769
POLLERS = 5
"""Connections with which Lambda polls a queue (AWS Lambda, "Using Lambda with Amazon SQS"), each every 20 s."""
POLL_S = 20
COMPRESSED = 0.4
"""Share of the image's unpacked size that a registry stores. An assumption.

The repository keeps the newest images. They share most layers, so counting each in full is more than it will be.
"""
LOG_BYTES_A_CALL = 2_000
OUTPUT_SHARE = 0.5
"""Size of scored Parquet as a share of the input. An assumption: it depends on how well columns compress."""
PUTS_A_BATCH, GETS_A_BATCH, SQS_A_BATCH, EVENTS_A_BATCH, CALLS_A_BATCH = 13, 15, 8, 3, 2
"""Requests about a batch besides reading and writing its parts: the manifest, its names in the index, and what its measuring asks
for where it is delivered alone, as counted by a test; two messages sent,
received, hidden and deleted; the file, the manifest and another document announced; two functions called."""
PUTS_A_LABEL_FILE, GETS_A_LABEL_FILE, SQS_A_LABEL_FILE = 15, 20, 4
"""Requests about a file of labels for rows of one batch and event day, as counted by a test; a message sent, received, hidden and
deleted."""
PUTS_A_COMMIT, GETS_A_COMMIT, GLUE_A_COMMIT = 10, 31, 8
"""Requests of cataloguing about a batch that comes alone, as counted by a test; many of a minute come together and ask for less."""
PUTS_A_LABEL_COMMIT, GETS_A_LABEL_COMMIT, GLUE_A_LABEL_COMMIT = 16, 91, 10
"""Requests of cataloguing about a file of labelled rows and its day's metrics, as counted by a test with 25 such files at most.

Each commit lists all files of labelled rows of the model three times. A listing costs as much as a write, so each further thousand files
make three writes more.
"""
PUTS_A_COMPARISON, GETS_A_COMPARISON, GLUE_A_COMPARISON = 10, 22, 6
"""Requests of the hourly comparison of a model's tables, as counted by a test whose tables have one commit each. Those with more commits
have more manifests, and each may ask for one more read."""
SQS_A_MANIFEST, SQS_A_LABEL_COMMIT, EVENTS_A_LABEL_COMMIT = 4, 8, 2
"""A message sent, received, hidden and deleted; a file of labels makes two, of its rows and of its day's metrics."""
TRANSITIONS_A_PARTITION, TRANSITIONS_A_BATCH, CALLS_TO_PARTITION = 3, 10, 2
"""State transitions per partition, and per partitioned batch, which is also planned and committed."""
PUTS_A_PARTITION, GETS_A_PARTITION = 3, 8
"""Apart from parts: scored rows, quarantined rows, result; the result that may stand, the release, four files of a bundle, the header,
the object's description."""
READ_BYTES, PART_BYTES = 4 << 20, 8 << 20
"""Bytes of a ranged read, and of a part of a multipart upload."""


@dataclass(frozen=True, slots=True)
class BillLine:
    """A line of a bill: an amount at a price."""

    what: str
    amount: float
    price: Price

    @property
    def dollars(self) -> float:
        """Return amount times price."""
        return self.amount * self.price.dollars

    @property
    def dollars_beyond_free(self) -> float:
        """Return the price after the free amount, if nothing else uses that."""
        return max(0.0, self.amount - self.price.free) * self.price.dollars


@dataclass(frozen=True, slots=True)
class Load:
    """What is scored in a month.

    It is the rows in all, columns per row, files, the benchmark's model that is as fast, and how many models.

    `label_files` come later, each for rows of one file and one event day.
    """

    rows: int
    columns: int
    files: int = 30
    model: str = "boosting"
    models: int = 1
    label_files: int = 0


@dataclass(frozen=True, slots=True)
class Basis:
    """The basis of every estimate."""

    measured: Measured
    prices: Prices
    deployed: Deployed


@dataclass(frozen=True, slots=True)
class Bill:
    """Lines and their sum."""

    lines: tuple[BillLine, ...]

    @property
    def dollars(self) -> float:
        """Return the sum."""
        return sum(line.dollars for line in self.lines)

    @property
    def dollars_beyond_free(self) -> float:
        """Return the sum without free amounts; no two lines have the same price."""
        return sum(line.dollars_beyond_free for line in self.lines)


def bytes_in(load: Load, measured: Measured) -> float:
    """Return the bytes of all files together, as text."""
    stages = measured.stages
    return stages.input_bytes * (load.rows / stages.rows) * (load.columns / stages.columns)


def scoring_seconds(load: Load, measured: Measured, memory_mb: int, *, partitions: int = 0) -> float:
    """Return the billed seconds of `scoring` for all files, on warm functions."""
    stages = measured.stages
    growing = sum(seconds for stage, seconds in stages.seconds[load.model].items() if stage not in ONCE)
    loading = stages.seconds[load.model]["load the model"] * (partitions or load.files)
    work = growing * (load.rows / stages.rows) * (load.columns / stages.columns) + loading
    return work * max(1.0, MEMORY_OF_A_CPU_MB / memory_mb)


def idle_month(basis: Basis, models: int) -> Bill:
    """Return the bill of an idle month.

    `models` are monitored in it, but nothing is scored.
    """
    prices, stack = basis.prices, basis.deployed
    starts = sum(function.starts for function in stack.functions.values())
    measured = basis.measured.cold_starts.seconds
    slowest = max(measured.values())  # for a function that is newer than the measurement
    gb_seconds = sum(
        function.starts * measured.get(name, slowest) * function.memory_mb / 1024
        for name, function in stack.functions.items()
        if function.starts
    )
    image_gb = basis.measured.cold_starts.image_mb * COMPRESSED / 1000
    polls = stack.polled_queues * POLLERS * HOURS_A_MONTH * 3600 / POLL_S
    return Bill(
        (
            BillLine("alarms, by metrics that they look at", stack.alarm_metrics, prices.cloudwatch_alarm_month),
            BillLine("metrics of the hourly tick", ticked_series(models), prices.cloudwatch_metric_month),
            BillLine("waiting at the queues, requests", polls, prices.sqs_request),
            BillLine("ticks, GB-seconds, each a cold start", gb_seconds, prices.gb_second(stack.architecture)),
            BillLine("ticks, calls", starts, prices.lambda_request),
            BillLine("ticks, schedules", starts, prices.scheduler_invocation),
            BillLine("ticks, traces", starts * stack.traced, prices.xray_trace),
            BillLine("ticks, GB of logs", starts * LOG_BYTES_A_CALL / 1e9, prices.cloudwatch_logs_gb),
            BillLine("images in the repository, GB at most", image_gb * KEPT_IMAGES, prices.ecr_gb_month),
        )
    )


def scoring_bill(load: Load, basis: Basis, *, partitions: int = 0) -> Bill:
    """Return the cost of scoring the rows, in addition to an idle month.

    It covers everything from the upload to the measured manifest.

    Args:
        load: the rows to score.
        basis: measured speed, prices and the deployment.
        partitions: total partitions of all files; 0 if each is scored whole.
    """
    prices, stack = basis.prices, basis.deployed
    scoring, measuring = (stack.functions[name].memory_mb for name in ("scoring", "metric_emission"))
    input_bytes = bytes_in(load, basis.measured)
    scoring_s = scoring_seconds(load, basis.measured, scoring, partitions=partitions)
    measuring_s = basis.measured.cold_starts.seconds["metric_emission"] * load.files
    parted = load.files if partitions else 0
    calls = CALLS_A_BATCH * load.files + CALLS_TO_PARTITION * parted + partitions
    puts = PUTS_A_BATCH * load.files + PUTS_A_PARTITION * partitions
    gets = GETS_A_BATCH * load.files + GETS_A_PARTITION * partitions
    transitions = TRANSITIONS_A_BATCH * parted + TRANSITIONS_A_PARTITION * partitions
    return Bill(
        (
            BillLine("scoring, GB-seconds", scoring_s * scoring / 1024, prices.gb_second(stack.architecture)),
            BillLine("measuring, GB-seconds", measuring_s * measuring / 1024, prices.gb_second(stack.architecture)),
            BillLine("calls", calls, prices.lambda_request),
            BillLine("traces at most", calls * stack.traced, prices.xray_trace),
            BillLine("state transitions of partitions", transitions, prices.step_functions_transition),
            BillLine("writes to S3", puts + input_bytes * OUTPUT_SHARE / PART_BYTES, prices.s3_put),
            BillLine("reads from S3", gets + input_bytes / READ_BYTES, prices.s3_get),
            BillLine("input and output kept a month, GB", input_bytes * (1 + OUTPUT_SHARE) / 1e9, prices.s3_gb_month),
            BillLine("messages", SQS_A_BATCH * load.files, prices.sqs_request),
            BillLine("events", EVENTS_A_BATCH * load.files, prices.eventbridge_event),
            BillLine("GB of logs", calls * LOG_BYTES_A_CALL / 1e9, prices.cloudwatch_logs_gb),
        )
    )


def labels_bill(load: Load, basis: Basis) -> Bill:
    """Return the cost of joining labels with their rows and measuring by them.

    Each file is measured by a function that starts for it.
    """
    prices, stack, files = basis.prices, basis.deployed, load.label_files
    gigabytes = stack.functions["metric_emission"].memory_mb / 1024
    seconds = basis.measured.cold_starts.seconds["metric_emission"] * files
    return Bill(
        (
            BillLine("measuring, GB-seconds", seconds * gigabytes, prices.gb_second(stack.architecture)),
            BillLine("calls", files, prices.lambda_request),
            BillLine("traces at most", files * stack.traced, prices.xray_trace),
            BillLine("writes to S3", PUTS_A_LABEL_FILE * files, prices.s3_put),
            BillLine("reads from S3", GETS_A_LABEL_FILE * files, prices.s3_get),
            BillLine("messages", SQS_A_LABEL_FILE * files, prices.sqs_request),
            BillLine("events", files, prices.eventbridge_event),
            BillLine("GB of logs", files * LOG_BYTES_A_CALL / 1e9, prices.cloudwatch_logs_gb),
        )
    )


def tables_bill(load: Load, basis: Basis) -> Bill:
    """Return the cost of keeping the tables.

    Each batch and each file of labels comes alone, to a function that starts for it. Every hour each model's tables are compared. Not
    included: the night's sweep, and the copies that it makes of small files.
    """
    prices, stack, tables = basis.prices, basis.deployed, basis.measured.tables
    gigabytes = stack.functions["cataloguing"].memory_mb / 1024
    calls, comparisons = load.files + load.label_files, load.models * HOURS_A_MONTH
    seconds = calls * (tables.start_s + tables.commit_s) + comparisons * tables.compare_s

    def requests(commit: int, label_commit: int, comparison: int) -> int:
        return commit * load.files + label_commit * load.label_files + comparison * comparisons

    return Bill(
        (
            BillLine("cataloguing, GB-seconds", seconds * gigabytes, prices.gb_second(stack.architecture)),
            BillLine("calls", calls, prices.lambda_request),
            BillLine("traces at most", calls * stack.traced, prices.xray_trace),
            BillLine("writes to S3", requests(PUTS_A_COMMIT, PUTS_A_LABEL_COMMIT, PUTS_A_COMPARISON), prices.s3_put),
            BillLine("reads from S3", requests(GETS_A_COMMIT, GETS_A_LABEL_COMMIT, GETS_A_COMPARISON), prices.s3_get),
            BillLine("requests to AWS Glue", requests(GLUE_A_COMMIT, GLUE_A_LABEL_COMMIT, GLUE_A_COMPARISON), prices.glue_request),
            BillLine("messages", SQS_A_MANIFEST * load.files + SQS_A_LABEL_COMMIT * load.label_files, prices.sqs_request),
            BillLine("events", load.files + EVENTS_A_LABEL_COMMIT * load.label_files, prices.eventbridge_event),
            BillLine("GB of logs", calls * LOG_BYTES_A_CALL / 1e9, prices.cloudwatch_logs_gb),
        )
    )


def watching_bill(load: Load, prices: Prices) -> Bill:
    """Return the cost of batch metrics.

    Each is billed per hour in which it has a value.
    """
    series = all_series(load.models, load.columns) - ticked_series(load.models)
    return Bill((BillLine("metrics of batches, months", series * min(1.0, load.files / HOURS_A_MONTH), prices.cloudwatch_metric_month),))


def additions(prices: Prices) -> Bill:
    """Return the monthly cost of one of each addition.

    A parameter makes it, or whoever an output lets read.
    """
    return Bill(
        (
            BillLine("a key of your own (KmsKeyArn), without its requests", 1, prices.kms_key_month),
            BillLine("a secret (MlflowSecret, PrometheusSecret, NotificationSecret)", 1, prices.secret_month),
            BillLine("an interface endpoint in a zone (MlflowSubnets), hours", HOURS_A_MONTH, prices.vpc_endpoint_hour),
            BillLine("a NAT gateway instead (MlflowSubnets), hours", HOURS_A_MONTH, prices.nat_gateway_hour),
            BillLine("a terabyte that queries read in Amazon Athena (AnalystsPolicyArn)", 1, prices.athena_tb),
            BillLine("a thousand emails (AlarmEmail)", 1000, prices.sns_email),
            BillLine("a person who edits pages (ManagedGrafana)", 1, prices.grafana_editor_month),
        )
    )
