"""Where things lie in the two buckets.

Each prefix has one writer (docs/architecture.md lists them).
"""

import hashlib
import re
from datetime import date

from functions.shared.domain.errors import InputError
from functions.shared.domain.spec import checked_model_name

BATCHES, TRAINING, LABELS = "batches", "training", "labels"
UNNAMED_MODEL = "_unnamed"
"""Where the failed manifest of an upload goes whose key names no model; no model can have this name."""

MESSAGES = "messages/"
"""All records of messages that were sent to people."""

WAITING = "waiting/"
"""All labels that wait for their rows."""

IDENTITIES = "identities/"
"""Identities of scored rows, of all models."""

ALERTS, CAUSES = "alerts/", "causes/"
"""Alerts, and what causes them, of all models."""

RELEASES, DECISIONS, LEASES, TOTALS = "releases/", "decisions/", "leases/", "totals/"
"""Releases, decisions, leases and totals of all models."""

FLEET = "_fleet"
"""Whose totals are of no model; no model can have this name."""

_CLOSING = "-closed.json"
_REPLAY = re.compile(rf"{BATCHES}/[^/]+/replays/([0-9a-f]{{32}})/.+", re.DOTALL)
_OF_ATTEMPT = re.compile(r"(?:scored|quarantine)/[^/]+/[^/]+/[^/]+/part-[0-9]{5,}\.(?:parquet|jsonl)")
_MANIFEST = re.compile(r"manifests/([^/]+)/dt=([0-9]{4}-[0-9]{2}-[0-9]{2})/[0-9a-f]{32}\.json")
_OF_LABELS = re.compile(r"(?:labelled/([^/]+)/dt=[^/]+|performance/([^/]+))/[^/]+")
_PARTITION_RESULT = re.compile(r"partitions/[^/]+/[^/]+/results/[^/]+\.json")
_PARTITIONS_FAILED = re.compile(r"partitions/.+/FAILED_\d+\.json")
_POLICY = re.compile(r"policies/[^/]+/([0-9]{6,12})\.json")
_PARTITIONED = re.compile(rf"{BATCHES}/[^/]+/partitioned/([1-9][0-9]{{0,14}})/.+", re.DOTALL)


def model_of(key: str) -> str:
    """The model an inbox key belongs to: `<kind>/<model>/<anything>`.

    Raises:
        InputError: if the key has no such shape.
        InvalidNameError: if the second part is no model name.

    >>> model_of("batches/flights/2013/april 1.csv")
    'flights'
    """
    parts = key.split("/", 2)
    if len(parts) != 3 or not parts[2]:
        message = f"{key!r}: put files under batches/<model>/, labels/<model>/ or training/<model>/"
        raise InputError(message)
    return checked_model_name(parts[1])


def model_or_unnamed(key: str) -> str:
    """The model an inbox key belongs to, or `UNNAMED_MODEL`.

    >>> model_or_unnamed("batches/april.csv")
    '_unnamed'
    """
    try:
        return model_of(key)
    except InputError:
        return UNNAMED_MODEL


def in_inbox(kind: str, model: str, name: str) -> str:
    """Where a file is uploaded; `kind` is `BATCHES`, `TRAINING` or `LABELS`."""
    return f"{kind}/{model}/{name}"


def replay_key(model: str, batch: str, name: str) -> str:
    """Where mended rows of a batch's quarantine are uploaded."""
    return in_inbox(BATCHES, model, f"replays/{batch}/{name}")


def replays_prefix(model: str) -> str:
    """Where a model's mended rows are uploaded, in a folder per batch."""
    return in_inbox(BATCHES, model, "replays/")


def import_key(model: str, name: str) -> str:
    """Where a sealed version is uploaded that is to be imported."""
    return in_inbox(TRAINING, model, f"import/{name}")


def is_import(key: str) -> bool:
    """Whether an upload is a sealed version.

    >>> is_import(import_key("flights", "flights-1.everscore")), is_import(in_inbox(TRAINING, "flights", "import.csv"))
    (True, False)
    """
    kind, _, name = key.split("/", 2)
    return kind == TRAINING and name.startswith("import/")


def replayed_batch(key: str) -> str | None:
    """The batch whose mended rows an upload holds, if it lies where those do.

    >>> replayed_batch("batches/flights/replays/0123456789abcdef0123456789abcdef/mended.csv")
    '0123456789abcdef0123456789abcdef'
    """
    found = _REPLAY.fullmatch(key)
    return found[1] if found else None


def upload_name(key: str) -> str:
    """Return an upload's name for people: its path below the model's folder.

    Of mended rows it says which batch they are of.

    >>> upload_name("batches/flights/june/1.csv"), upload_name("batches/flights/replays/0123456789abcdef0123456789abcdef/a.csv")
    ('june/1.csv', 'mended rows of 01234567')
    """
    batch = replayed_batch(key)
    return f"mended rows of {batch[:8]}" if batch else key.split("/", 2)[-1]


def partitioned_key(model: str, partition_bytes: int, name: str) -> str:
    """Return where to upload a file to score in partitions of about that many bytes.

    It is scored in partitions however small it is.
    """
    return in_inbox(BATCHES, model, f"partitioned/{partition_bytes}/{name}")


def wanted_partition_bytes(key: str) -> int | None:
    """The size of partitions that an upload asks for by where it lies, if it does.

    >>> wanted_partition_bytes("batches/flights/partitioned/1048576/april.csv")
    1048576
    """
    found = _PARTITIONED.fullmatch(key)
    return int(found[1]) if found else None


def batch_id(bucket: str, key: str, version_id: str, purpose: str = "score") -> str:
    """Return the name of a batch: 32 hex digits.

    It is the same for every delivery of one version of one object for one purpose.
    """
    text = f"{bucket}\0{key}\0{version_id}\0{purpose}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def rescoring(seq: int) -> str:
    """The purpose of a batch that is scored again by a release."""
    return f"rescore:{seq}"


MANIFESTS = "manifests/"
"""All manifests, of all models."""


def manifest_prefix(model: str) -> str:
    """All manifests of a model."""
    return f"{MANIFESTS}{model}/"


def manifest_day_prefix(model: str, day: date) -> str:
    """All manifests of uploads that arrived on a UTC day."""
    return f"{MANIFESTS}{model}/dt={day.isoformat()}/"


def manifest_key(model: str, day: date, batch: str) -> str:
    """Return the key of a batch's commit.

    `day` is the UTC day on which its source version was last modified.
    """
    return f"{manifest_day_prefix(model, day)}{batch}.json"


def attempts_prefixes() -> tuple[str, str]:
    """All that attempts write, of all models."""
    return "scored/", "quarantine/"


def batches_prefixes(model: str) -> tuple[str, ...]:
    """Return where a model's batches leave rows, a folder per batch."""
    return f"scored/{model}/", f"quarantine/{model}/", f"partitions/{model}/"


def batch_of(key: str) -> str:
    """Return the batch that left a file below `batches_prefixes`.

    >>> batch_of("scored/flights/5d41402abc4b2a76b9719d911017c592/0-1.parquet")
    '5d41402abc4b2a76b9719d911017c592'
    """
    return key.split("/")[2]


def manifest_place(key: str) -> tuple[str, date]:
    """Return the model of a manifest's key, and its upload's UTC day of arrival.

    >>> manifest_place("manifests/flights/dt=2013-04-04/5d41402abc4b2a76b9719d911017c592.json")
    ('flights', datetime.date(2013, 4, 4))
    """
    found = _MANIFEST.fullmatch(key)
    if found is None:
        message = f"{key!r} is no manifest's key"
        raise InputError(message)
    return found[1], date.fromisoformat(found[2])


def scored_prefix(model: str, batch: str) -> str:
    """All attempts' outputs of a batch."""
    return f"scored/{model}/{batch}/"


def quarantine_prefix(model: str, batch: str) -> str:
    """All attempts' quarantined rows of a batch."""
    return f"quarantine/{model}/{batch}/"


def scored_key(model: str, batch: str, attempt: str, part: int) -> str:
    """One Parquet file of one attempt."""
    return f"scored/{model}/{batch}/{attempt}/part-{part:05d}.parquet"


def quarantine_key(model: str, batch: str, attempt: str, part: int) -> str:
    """One JSON-lines file of one attempt's quarantined rows."""
    return f"quarantine/{model}/{batch}/{attempt}/part-{part:05d}.jsonl"


def is_of_attempt(key: str) -> bool:
    """Return whether an attempt wrote the object at a key.

    The key lies below `scored/` or `quarantine/`. Anything else there is not ours to delete.

    >>> is_of_attempt("scored/m/b/a1/part-00000.parquet"), is_of_attempt("scored/m/b/notes.txt")
    (True, False)
    """
    return _OF_ATTEMPT.fullmatch(key) is not None


def of_attempt(key: str, attempt: str) -> str:
    """Where another attempt keeps the same file of a batch.

    >>> of_attempt("scored/m/b/a1/part-00000.parquet", "a2")
    'scored/m/b/a2/part-00000.parquet'
    """
    batch, _, name = key.rsplit("/", 2)
    return f"{batch}/{attempt}/{name}"


def partitions_prefix(model: str, batch: str) -> str:
    """What the work on a batch in partitions leaves until it is committed."""
    return f"partitions/{model}/{batch}/"


def plan_key(model: str, batch: str, turn: int) -> str:
    """Return the key of a batch's partitions.

    They are cut in the first turn, or again in the second.
    """
    return f"partitions/{model}/{batch}/plan-{turn}.json"


def partition_result_key(model: str, batch: str, start: int, stop: int) -> str:
    """Return the key of what became of a partition.

    Its name is where the partition lies in the file, so that a later plan finds what is done already.
    """
    return f"partitions/{model}/{batch}/results/{start:015d}-{stop:015d}.json"


def is_partition_result(key: str) -> bool:
    """Return whether a key is of what became of a partition.

    >>> is_partition_result(partition_result_key("flights", "b", 0, 7)), is_partition_result(plan_key("flights", "b", 1))
    (True, False)
    """
    return _PARTITION_RESULT.fullmatch(key) is not None


def is_of_failed_partitions(key: str) -> bool:
    """Return whether Step Functions wrote at a key which partitions failed and why.

    >>> is_of_failed_partitions("partitions/flights/b/run-1/FAILED_0.json"), is_of_failed_partitions("partitions/flights/b/plan-1.json")
    (True, False)
    """
    return _PARTITIONS_FAILED.fullmatch(key) is not None


def partition_quarantine_key(model: str, batch: str, attempt: str, part: int) -> str:
    """Quarantined rows of a partition, not numbered in the file yet."""
    return f"partitions/{model}/{batch}/{attempt}/part-{part:05d}.jsonl"


def resumption_key(model: str, batch: str, redrives: int) -> str:
    """Claim that a redriven execution took up a batch again."""
    return f"partitions/{model}/{batch}/resumed-{redrives}.json"


def arrivals_prefix(model: str) -> str:
    """The batches of a model, the newest first. Names say all, the objects are empty."""
    return f"index/{model}/arrivals/"


def days_prefix(model: str) -> str:
    """The batches of a model by the event days of their rows, by level and block."""
    return f"index/{model}/days/"


def block_prefix(model: str, level: int, block: int) -> str:
    """The batches whose rows lie on days of a block."""
    return f"index/{model}/days/{level:02}/{block:07}/"


def again_prefix(model: str) -> str:
    """The batches of a model that supersede others."""
    return f"index/{model}/again/"


def held_prefix(model: str, version: str) -> str:
    """Return the prefix of a version's estimates, with what labels showed later."""
    return f"index/{model}/held/{version}/"


def indexed_key(model: str) -> str:
    """How far the index of a model's batches goes back."""
    return f"index/{model}/indexed.json"


def release_prefix(model: str) -> str:
    """Everything about what a model serves."""
    return f"{RELEASES}{model}/"


def release_key(model: str) -> str:
    """The document scoring reads."""
    return f"{RELEASES}{model}/release.json"


def release_history_key(model: str, seq: int) -> str:
    """Return the key of a release as it was decided, written once.

    It is zero-padded, so that a listing is in order.
    """
    return f"{RELEASES}{model}/history/{seq:06d}.json"


def rollout_key(model: str, seq: int) -> str:
    """What the batches of the rollout that began with a release add up to."""
    return f"{RELEASES}{model}/rollouts/{seq:06d}.json"


def refusal_key(model: str) -> str:
    """The last wish, made by an alias, that was refused."""
    return f"{RELEASES}{model}/refused.json"


def alias_turn_key(model: str) -> str:
    """Whose turn it is to set the model's aliases in the registry."""
    return f"{RELEASES}{model}/aliases.json"


def versions_prefix(model: str) -> str:
    """All bundles of a model."""
    return f"{RELEASES}{model}/versions/"


def version_prefix(model: str, version: str) -> str:
    """A version's bundle."""
    return f"{versions_prefix(model)}{version}/"


def lease_key(model: str) -> str:
    """Held by the one retraining of a model that runs."""
    return f"{LEASES}{model}.json"


def answers_prefix(model: str) -> str:
    """All answers to calls about a model."""
    return f"answers/{model}/"


def answer_key(model: str, token: str) -> str:
    """Return the key of the answer to a call whose caller watches for it.

    The caller drew the token.
    """
    return f"{answers_prefix(model)}{token}.json"


def emitted_key(model: str, batch: str) -> str:
    """Claim that a batch's metrics were printed."""
    return f"emitted/{model}/{batch}.json"


def counted_key(name: str, once: str) -> str:
    """Mark that a batch or a file of labels is part of the totals."""
    return f"emitted/{name}/counted/{once}"


def totals_key(name: str) -> str:
    """What a model's metrics add up to, or, for `FLEET`, those that are of no model."""
    return f"{TOTALS}{name}.json"


def labelled_prefix(model: str, day: date | None = None) -> str:
    """Rows with their labels, by event day."""
    return f"labelled/{model}/" + (f"dt={day.isoformat()}/" if day else "")


def labelled_key(model: str, day: date, labels: str) -> str:
    """The rows of one day that one file of labels labelled."""
    return f"{labelled_prefix(model, day)}{labels}.parquet"


def labelled_day(key: str) -> date:
    """Return the event day of a file of labelled rows.

    >>> labelled_day("labelled/flights/dt=2013-04-04/5d41402abc4b2a76b9719d911017c592.parquet")
    datetime.date(2013, 4, 4)
    """
    return date.fromisoformat(key.split("/")[2].removeprefix("dt="))


def labels_model(key: str) -> str | None:
    """Return whose labels changed, by a key of labelled rows or a day's metrics.

    >>> labels_model("labelled/flights/dt=2013-04-04/5d41402a.parquet"), labels_model("performance/flights/2013-04-04.json")
    ('flights', 'flights')
    >>> labels_model("performance/flights/months/2013-04.json"), labels_model("manifests/flights/x")
    (None, None)
    """
    found = _OF_LABELS.fullmatch(key)
    return (found[1] or found[2]) if found else None


def waiting_prefix(model: str) -> str:
    """Labels that wait for their rows to be scored."""
    return f"{WAITING}{model}/"


def waiting_key(model: str, labels: str) -> str:
    """What is left of one file of labels."""
    return f"{waiting_prefix(model)}{labels}.parquet"


def identities_prefix(model: str) -> str:
    """Identities of a model's scored rows and its labelled rows, by event day."""
    return f"{IDENTITIES}{model}/"


def identities_key(model: str, day: date) -> str:
    """Identities of the rows of an event day, each with its batch."""
    return f"{identities_prefix(model)}{day.isoformat()}.parquet"


def arrived_rows_key(model: str, day: date) -> str:
    """Return the key of the rows that arrived on a UTC day.

    They are the identities of all batches' rows, each with its batch.
    """
    return f"{identities_prefix(model)}arrived/{day.isoformat()}.parquet"


def labelled_rows_key(model: str, day: date) -> str:
    """The labelled rows of an event day, from all files of labels."""
    return f"{identities_prefix(model)}labelled/{day.isoformat()}.parquet"


def replaced_prefixes(model: str) -> tuple[str, ...]:
    """Where metric_emission keeps rows in files that it replaces."""
    return labelled_prefix(model), waiting_prefix(model), identities_prefix(model)


def table_metadata_prefix(model: str, kind: str) -> str:
    """Return the prefix of a table's metadata."""
    return f"{table_prefix(model, kind)}metadata/"


def copied_prefixes(model: str) -> tuple[str, str]:
    """Return the prefixes of rows that tables have in files of their own.

    These are labelled rows, and scored rows of many batches.
    """
    return table_files_prefix(model, "labelled"), table_files_prefix(model, "scored")


def performance_prefix(model: str) -> str:
    """All of a model's event days."""
    return f"performance/{model}/"


def performance_key(model: str, day: date) -> str:
    """Metrics of one event day, restated when labels come late."""
    return f"performance/{model}/{day.isoformat()}.json"


def performance_months_prefix(model: str) -> str:
    """All of a model's event days, gathered by month."""
    return f"performance/{model}/months/"


def performance_month_key(model: str, month: str) -> str:
    """The event days of a month, such as `2013-04`."""
    return f"performance/{model}/months/{month}.json"


def alert_prefix(model: str) -> str:
    """All alerts about a model."""
    return f"{ALERTS}{model}/"


def alert_key(model: str, window: str, kind: str) -> str:
    """One alert, written once."""
    return f"{alert_prefix(model)}{window}-{kind}.json"


def closing_key(model: str, window: str, kind: str) -> str:
    """That an alert is over, written once."""
    return f"{alert_prefix(model)}{window}-{kind}{_CLOSING}"


def is_closing(key: str) -> bool:
    """Return whether an alert's key is of one that says that another is over."""
    return key.endswith(_CLOSING)


def causes_key(model: str) -> str:
    """Which alerts about a model are open, and what people said of them."""
    return f"{CAUSES}{model}/open.json"


def message_prefix(model: str) -> str:
    """All messages about a model."""
    return f"{MESSAGES}{model}/"


def message_key(model: str, message: str) -> str:
    """That a message was sent, and to whom."""
    return f"{message_prefix(model)}{message}.json"


def source_of_message(key: str) -> str:
    """Where lies what a message is about, by the key of the message's record.

    >>> source_of_message("messages/churn/2013-04-01-silent.json")
    'alerts/churn/2013-04-01-silent.json'
    >>> source_of_message("messages/churn/decision-7.json"), source_of_message("messages/churn/release-12.json")
    ('decisions/churn/7.json', 'releases/churn/history/000012.json')
    """
    model, name = key.removeprefix(MESSAGES).removesuffix(".json").split("/", 1)
    match name.partition("-"):
        case ("decision", _, version):
            return decision_key(model, version)
        case ("release", _, seq):
            return release_history_key(model, int(seq))
    return f"{alert_prefix(model)}{name}.json"


def decision_prefix(model: str) -> str:
    """All decisions on a model's versions."""
    return f"{DECISIONS}{model}/"


def decision_key(model: str, challenger: str) -> str:
    """The gate's decision on one version."""
    return f"{decision_prefix(model)}{challenger}.json"


def erasure_prefix(model: str) -> str:
    """All erasures from a model."""
    return f"erasures/{model}/"


def erasure_key(model: str, erasure: str) -> str:
    """The record of one erasure."""
    return f"{erasure_prefix(model)}{erasure}.json"


def tables_prefix(model: str) -> str:
    """Return the prefix of the tables of what was scored.

    It has their metadata, and files that are in no other prefix.
    """
    return f"tables/{model}/"


def table_prefix(model: str, kind: str) -> str:
    """Return the prefix of a table's metadata and own rows."""
    return f"{tables_prefix(model)}{kind}/"


def table_file_key(model: str, kind: str, period: date, name: str) -> str:
    """Return the key of a table's rows of a period, by what they follow from."""
    return f"{table_files_prefix(model, kind)}{period.isoformat()}-{name}.parquet"


def table_files_prefix(model: str, kind: str) -> str:
    """Return the prefix of a table's own rows."""
    return f"{table_prefix(model, kind)}data/"


def policy_prefix(model: str) -> str:
    """All policies of a model."""
    return f"policies/{model}/"


def policy_number(key: str) -> int | None:
    """The number of the policy at a key; None for anything else that lies there.

    >>> policy_number("policies/flights/000012.json"), policy_number("policies/flights/notes.txt")
    (12, None)
    """
    found = _POLICY.fullmatch(key)
    return int(found[1]) if found else None


def policy_key(model: str, number: int) -> str:
    """One numbered policy. Zero-padded, so that a listing is in order."""
    return f"policies/{model}/{number:06d}.json"


SNAPSHOT_FILES = "snapshots/files/md5"


def snapshot_key(md5: str) -> str:
    """Return the key of a training file in DVC's remote layout.

    The layout is addressed by content; the remote's URL is `s3://<store>/snapshots`.
    """
    return f"{SNAPSHOT_FILES}/{md5[:2]}/{md5[2:]}"
