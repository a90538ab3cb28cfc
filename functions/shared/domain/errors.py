"""Every error this project raises on purpose.

Each says whether a retry can help.

Class names are a public interface: Step Functions, SQS consumers and the command match them.
"""

from functions.shared.domain.rejections import FileCode


class EverscoreError(Exception):
    r"""Root of the tree. Catch a leaf, unless you are the command's last line.

    Its text is the message and, on a line of its own, the remedy, so that both cross the border of a function.

    Args:
        message: what is wrong, and where, for a person.
        remedy: what the person can do; empty where the message says it.
        code: stable machine-readable reason; by default the class's name.

    >>> str(ConflictError("april.csv was changed", remedy="look again")), ConflictError("…").code
    ('april.csv was changed\nremedy: look again', 'conflict')
    """

    def __init__(self, message: str, *, remedy: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code or code_of(type(self).__name__)

    def __str__(self) -> str:
        return f"{self.message}{_REMEDY}{self.remedy}" if self.remedy else self.message


_REMEDY = "\nremedy: "

REFUSED = "refused"
"""Key of a function's answer that is a refusal: `error` (the class' name), `message`, `remedy`, `code`."""


def code_of(kind: str) -> str:
    """The code of an error by the name of its class.

    >>> code_of("ReleaseRefusedError")
    'release_refused'
    """
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind.removesuffix("Error")).lstrip("_")


def message_and_remedy(text: str) -> tuple[str, str]:
    r"""What an error's text was made of.

    >>> message_and_remedy("april.csv was changed\nremedy: look again"), message_and_remedy("april.csv is gone")
    (('april.csv was changed', 'look again'), ('april.csv is gone', ''))
    """
    message, _, remedy = text.partition(_REMEDY)
    return message, remedy


class InputError(EverscoreError):
    """What a person or a file asked for cannot be done as asked; a retry cannot help."""


class InvalidNameError(InputError):
    """A model or column name breaks the naming rule; a retry cannot help."""


class NewerSchemaError(EverscoreError):
    """A stored document was written by a later version of Everscore.

    Update this one, then retry.
    """


class UnreadableDocumentError(EverscoreError):
    """A document was about to be stored that nobody could read again.

    This is our defect. Nothing is stored; report it.
    """


class NotFoundError(EverscoreError):
    """A stored object that was named does not exist.

    A retry helps only if its writer is still at work.
    """


class ConflictError(EverscoreError):
    """A compare-and-swap lost against another writer; read again and retry."""


class BatchRejectedError(InputError):
    """A whole batch cannot be scored. A retry cannot help.

    It becomes a `failed` manifest.

    Args:
        remedy: by default what usually helps.
    """

    def __init__(self, code: FileCode, message: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=code.remedy if remedy is None else remedy, code=code.value)


class PartitionsFailedError(EverscoreError):
    """A batch could not be scored in partitions, and its manifest says so.

    Redriving the execution takes it up again.
    """


class ConservationError(EverscoreError):
    """Rows in differ from rows scored + quarantined.

    This is our defect. Nothing is committed; report it.
    """


class DigestMismatchError(EverscoreError):
    """A bundle's file is not the file that was released.

    Refuse it, and find out who wrote it. A retry cannot help.
    """


class InvalidBundleError(EverscoreError):
    """A bundle's file breaks its own rules, or holds a type that is not loaded.

    It is the file that was released. A retry cannot help.
    """


class NotCompilableError(EverscoreError):
    """A fitted pipeline has no exact compiled form. A retry cannot help.

    It is served natively.
    """


class TrainingError(InputError):
    """A training set cannot give a model. A retry cannot help.

    It has too few rows or one class, for example, or lacks a column.
    """


class ImportRefusedError(InputError):
    """A sealed file cannot become a version here. A retry cannot help.

    It was changed, or gives other scores here.
    """


class AdoptionRefusedError(InputError):
    """A logged model cannot become a version here. A retry cannot help.

    The message says what to change.
    """


class RetrainingBusyError(EverscoreError):
    """A retraining or an erasure of this model holds the lease.

    Retry when it has ended.
    """


class NothingToLearnError(EverscoreError):
    """Too little has come since the champion's training to make a challenger.

    A retry helps when more labels have come.
    """


class RegistryUnavailableError(EverscoreError):
    """The model registry does not answer, or refuses.

    What is served goes on. A retry helps when the registry is back or no longer refuses.
    """


class TablesDifferError(EverscoreError):
    """Tables differ from the manifests even after they were brought to them.

    `everscore table rebuild` makes them again.
    """


class TableLostError(InputError):
    """A table's metadata is not in the stack's store. A retry cannot help.

    An earlier stack of the same name left the table, or the metadata was removed. `everscore table rebuild` makes the table again.
    """


class NotForgottenError(EverscoreError):
    """A version of an object cannot be removed for good.

    It is locked, or a permission is missing. Mend that, then ask for the erasure again.
    """


class NotDeletedError(EverscoreError):
    """S3 kept an object that was to be deleted.

    A permission is missing, or S3 has trouble of its own. A retry helps when that has passed.
    """


class RemoteWriteError(EverscoreError):
    """The Prometheus server does not take samples.

    Everything else goes on. The next tick sends the values of that time.
    """


class NotSentError(EverscoreError):
    """A target did not take a message. The others have it.

    The next delivery tries this target again.
    """


class ReleaseRefusedError(InputError):
    """The requested release is not safe or not possible. A retry cannot help.

    The message says why.
    """


class UnreachableError(EverscoreError):
    """AWS, or an embedded one, does not answer or refuses.

    A retry helps when it is back or no longer refuses.
    """


class NoStackError(InputError):
    """It is not clear which stack is meant.

    No embedded stack runs, or several do. Start or name one, then retry.
    """


class ThrottledError(EverscoreError):
    """The account has no place for a call now, so that it did not begin.

    A retry helps when others have ended.
    """


class DeploymentRefusedError(EverscoreError):
    """New code cannot score what the old code did.

    Look into its log. A retry seldom helps.
    """


class NoImageError(InputError):
    """The functions' image is not on this machine. Build it, then retry."""


class PortTakenError(InputError):
    """The port asked for is in use; choose another or none, then retry."""


class EmbeddedAwsError(EverscoreError):
    """The embedded AWS did not come up, or ended by itself.

    The log files that it names say why. A retry seldom helps.
    """
