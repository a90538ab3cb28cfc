"""Why a file or a row is refused.

Manifests, quarantined rows, metrics and messages hold these codes: they are a public interface.
"""

from enum import StrEnum

from functions.shared.domain.described import Described


class FileCode(Described):
    """Why a whole file is refused, and what usually helps.

    >>> FileCode("empty_file").remedy
    'upload a file with at least one row'
    """

    @property
    def remedy(self) -> str:
        """Return what usually helps."""
        return self.text

    NO_MODEL = "no_model", "upload to batches/<model>/<file>"
    NO_RELEASE = "no_release", "train a first version by `everscore train`, then upload the file again"
    RETIRED = "retired", "promote a version by `everscore promote`, then upload the file again"
    WORKBOOK = (
        "workbook",
        "send it by the command, which reads sheets (`everscore score MODEL FILE.xlsx`), or save the sheet as CSV in UTF-8",
    )
    UPLOAD_GONE = "upload_gone", "upload it again"
    EMPTY_FILE = "empty_file", "upload a file with at least one row"
    UNKNOWN_FORMAT = "unknown_format", "write CSV, JSON Lines (one object per line), either of them gzipped, or Parquet"
    INVALID_ENCODING = "invalid_encoding", "save it as UTF-8 and upload it again"
    NO_HEADER = "no_header", "write the columns' names into the first line"
    MISSING_COLUMN = "missing_column", "add what is missing; names must match exactly"
    DUPLICATE_COLUMN = "duplicate_column", "rename or remove one of them"
    WRONG_TYPE = "wrong_type", "write the column as text"
    TRUNCATED_GZIP = "truncated_gzip", "upload the whole file again"
    CORRUPT_GZIP = "corrupt_gzip", "compress the file again and upload it"
    TRUNCATED_JSON = "truncated_json", "upload the whole file again, or write JSON Lines: one object per line"
    TRUNCATED_PARQUET = "truncated_parquet", "upload the whole file again"
    CORRUPT_PARQUET = "corrupt_parquet", "write the file again and upload it"
    UNREADABLE = (
        "unreadable",
        "write the rows in another way, as CSV or plain Parquet, and report this: the function's log has the traceback",
    )
    INDIVISIBLE = (
        "indivisible",
        "upload it as plain UTF-8 text with a byte order mark (--encoding of score writes it so), as Parquet, or in smaller files",
    )
    BARE_QUOTE = "bare_quote", 'write fields with quotes as "5"" pipe", or upload the rows as Parquet or in smaller files'
    PARTITIONS_FAILED = "partitions_failed", "mend what failed, then redrive the execution"
    TOO_MANY_COLUMNS = "too_many_columns", "leave out columns that the model does not use"
    LINE_TOO_LONG = "line_too_long", "look for a quote that is never closed, or for missing line ends"
    ROW_GROUP_TOO_LARGE = "row_group_too_large", "write smaller row groups"
    DECOMPRESSION_BOMB = "decompression_bomb", "upload the file uncompressed, if it is genuine"


class RowCode(StrEnum):
    """Why a row of a file that can be read is set aside."""

    MISSING_ID = "missing_id"
    MISSING_TIME = "missing_time"
    MISSING_VALUE = "missing_value"
    UNPARSEABLE_NUMBER = "unparseable_number"
    UNPARSEABLE_BOOLEAN = "unparseable_boolean"
    UNPARSEABLE_TIME = "unparseable_time"
    IMPLAUSIBLE_TIME = "implausible_time"
    INEXACT_ID = "inexact_id"
    INFINITE = "infinite"
    OUT_OF_RANGE = "out_of_range"
    WRONG_FIELD_COUNT = "wrong_field_count"
    UNCLOSED_QUOTE = "unclosed_quote"
    MISPLACED_QUOTE = "misplaced_quote"
    MALFORMED_JSON = "malformed_json"
    NOT_AN_OBJECT = "not_an_object"
    UNEXPECTED_FIELD = "unexpected_field"
    INVALID_UTF8 = "invalid_utf8"
