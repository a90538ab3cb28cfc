"""What the use cases need of the outside world, as protocols.

Adapters and the tests' fakes implement them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from functions.shared.domain.manifest import StoredFile
from functions.shared.reading.readable import Readable

if TYPE_CHECKING:
    from functions.shared.domain.message import Message


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One version of a stored object."""

    key: str
    bytes: int
    etag: str
    version_id: str
    last_modified: datetime


class Upload(Protocol):
    """A file on its way to the store.

    It is invisible until `finish`, and stays so if that is not reached.
    """

    def write(self, data: bytes) -> int:
        """Append bytes."""

    def finish(self, *, rows: int) -> StoredFile:
        """Make the file visible and describe it."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Drop what was written, unless `finish` was reached."""


class ObjectStore(Protocol):
    """One versioned bucket."""

    @property
    def bucket(self) -> str:
        """The bucket's name."""

    def info(self, key: str, version_id: str | None = None) -> ObjectInfo:
        """Describe an object, or raise NotFoundError."""

    def read(self, key: str, version_id: str | None = None) -> bytes:
        """Return the whole of a small object, or raise NotFoundError."""

    def read_tagged(self, key: str) -> tuple[bytes, str]:
        """Return the newest version's bytes with its ETag, or raise NotFoundError."""

    def open(self, key: str, version_id: str | None = None) -> Readable:
        """Random access to an object, or raise NotFoundError."""

    def write(self, key: str, body: bytes) -> ObjectInfo:
        """Write, whatever stands there."""

    def create(self, key: str, body: bytes) -> bool:
        """Write if nothing is there, else return False.

        What is there may be our own, after a retried request.
        """

    def replace(self, key: str, body: bytes, *, etag: str) -> None:
        """Write if the newest version still has this ETag, or raise ConflictError."""

    def upload(self, key: str) -> Upload:
        """Begin a large file."""

    def list(self, prefix: str, *, after: str = "", most: int | None = None) -> Iterator[ObjectInfo]:
        """Newest versions below a prefix, in order of key.

        Keys come after one, and there are at most that many.
        """

    def folders(self, prefix: str) -> Iterator[str]:
        """Return names one level below a prefix that ends in a slash."""

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; absent ones are no error."""

    def delete_unchanged(self, key: str, *, etag: str) -> bool:
        """Delete an object if its newest version still has this ETag; return whether."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One of an object's versions.

    Of the newest, a listing shows the object; where it is a deletion, none is.
    """

    info: ObjectInfo
    newest: bool


class VersionedStore(ObjectStore, Protocol):
    """A bucket with its past, for whoever must remove something for good."""

    def versions(self, prefix: str) -> Iterator[StoredVersion]:
        """Return all versions of all objects below a prefix, by key, no deletions."""

    def forget(self, versions: Iterable[ObjectInfo]) -> None:
        """Remove versions for good; absent ones are no error."""


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What the registry keeps of one fit.

    `files` are small artifacts by name; `model` is the fitted pipeline.
    """

    model: object
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    libraries: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """A model that somebody trained elsewhere.

    It has what will always mean it, its file (skops, or its library's own), and what wrote that file.

    `package` is the library's; None where only the file knows. So is its `version`.
    """

    uri: str
    body: bytes
    package: str | None = None
    version: str | None = None


class Registry(Protocol):
    """Versions, their lineage, and aliases (`champion`, `challenger`, `previous`).

    Versions have the store's numbers.
    """

    def register(self, model: str, version: str, run: TrainingRun) -> str:
        """Record a run with its model, register that version; return the run's id."""

    def recorded_runs(self, model: str) -> frozenset[str]:
        """Ids of all runs of a model that were ever recorded here."""

    def attach(self, run_id: str, files: Mapping[str, bytes], metrics: Mapping[str, float]) -> None:
        """Add small files and numbers to a run."""

    def logged_model(self, uri: str) -> ForeignModel:
        """Return what was logged under a model's URI.

        A file that would run code when it is loaded raises AdoptionRefusedError.
        """

    def aliases(self, model: str) -> Mapping[str, str]:
        """Version by alias; empty if the model is unknown."""

    def set_aliases(self, model: str, wanted: Mapping[str, str | None]) -> None:
        """Set each alias to its version; remove it if that is None or gone."""

    def sequence(self, model: str) -> int:
        """Return the release sequence the aliases were last set for; 0 if never."""

    def set_sequence(self, model: str, seq: int) -> None:
        """Record that the aliases agree with this release."""

    def record_refusal(self, model: str, reason: str) -> None:
        """Say on the model's page why a wish made there was not granted."""


class EventBus(Protocol):
    """Where one function asks another for work, by data."""

    def request_retraining(self, model: str, *, trigger: str) -> None:
        """Ask for one model's retraining."""


class Visibility(Protocol):
    """From when on others may receive messages that were received before."""

    def hide(self, queue_arn: str, seconds: Mapping[str, int]) -> None:
        """Hide messages of a queue for seconds from now, by receipt handle."""

    def end(self, queue_arn: str, handle: str) -> None:
        """Delete a message from its queue: nobody receives it again."""


class MessageTarget(Protocol):
    """Somebody who gets messages."""

    def send(self, message: "Message") -> None:
        """Send a message, or raise whatever kept it from going."""


class Executions(Protocol):
    """Where work that outlasts one function is handed to."""

    def start(self, name: str, request: Mapping[str, str]) -> bool:
        """Start work under a name; False if there is, or lately was, work of that name."""
