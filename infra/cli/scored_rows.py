"""Scored rows of one batch or of many, brought here and written to one file."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from functions.shared.domain import layout
from functions.shared.domain.errors import InputError
from functions.shared.domain.manifest import Manifest, StoredFile
from functions.shared.domain.scored_columns import stored_name
from functions.shared.domain.spec import ModelSpec
from functions.shared.foundation.ahead import map_ahead
from functions.shared.ports import ObjectStore
from functions.shared.repositories.manifests import Manifests
from infra.cli.outputs import ending_of

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console

_READS_AT_ONCE = 16
_DOWNLOADS_AT_ONCE = 8

type Download = Callable[[str, Path], object]
"""Writes an object of the store to a file."""
type _Advance = Callable[[int], object]
"""Says that some more of the work is done."""
type _Bars = Callable[[str, int], _Advance]
"""Starts a bar: what is done, and how much work it is."""


@dataclass(frozen=True, slots=True)
class Days:
    """Event days from the first to the last; None is open.

    Of a model without a time column they are days of arrival.
    """

    first: date | None = None
    last: date | None = None

    def __contains__(self, day: date) -> bool:
        return (self.first is None or self.first <= day) and (self.last is None or day <= self.last)

    def rows(self, batch: Manifest) -> int:
        """Return how many rows a batch scored on these days, erased ones too."""
        return sum(rows for day, rows in batch.event_days.items() if day in self)


ALL_DAYS = Days()


def newest_answer(batch: Manifest, seq: int, store: ObjectStore) -> str:
    """Return the batch that stands for an upload, as of release number `seq`.

    It is the batch itself, unless that was scored again by then.
    """
    upload, known = batch.source, Manifests(store).keys(batch.model)
    again = (layout.batch_id(upload.bucket, upload.key, upload.version_id, layout.rescoring(number)) for number in range(seq, 0, -1))
    return next((name for name in again if name in known), batch.batch_id)


def standing_batches(model: str, store: ObjectStore) -> list[Manifest]:
    """Return a model's batches with rows, in the order of their commit.

    Of a batch that was scored again, only the newest answers count.

    What a manifest counts by column is left out: of very many batches it would fill the memory.
    """
    keys = (found.key for found in store.list(layout.manifest_prefix(model)))
    newest: dict[tuple[str, str], Manifest] = {}
    for batch in map_ahead(lambda key: _light(Manifests(store).read(key)), keys, threads=_READS_AT_ONCE):
        upload = batch.source.key, batch.source.version_id
        if upload not in newest or newest[upload].created_at < batch.created_at:
            newest[upload] = batch
    return sorted((batch for batch in newest.values() if batch.outputs), key=lambda batch: batch.created_at)


def _light(batch: Manifest) -> Manifest:
    return batch.model_copy(update={"profiles": {}, "agreement": None})


def write_scored(
    batches: Sequence[Manifest],
    out: Path,
    *,
    download: Download,
    console: "Console | None" = None,
    spec: ModelSpec | None = None,
    days: Days = ALL_DAYS,
) -> int:
    """Write the scored rows of batches to one file, in their order.

    Its ending says its format. It appears when it is whole.

    Event times are written as clocks of the model's zone show them, so a row lies on the day that `days` asked for. Memory is
    bounded; meanwhile the batches' files lie on the disk, next to `out`.

    Args:
        console: shows how far the work is, if it is a terminal.
        spec: names the time column and its zone; without it times stay in UTC, and `days` cannot be chosen.
        days: the rows to write.

    Returns:
        How many rows were written.

    Raises:
        InputError: if the file cannot hold them, or there are none.
    """
    from infra.cli.row_files import begun, united

    parts = [(batch, output) for batch in batches for output in batch.outputs]
    with (
        TemporaryDirectory(dir=out.absolute().parent, prefix=".everscore-") as name,
        _bars(console) as bars,
    ):
        folder = Path(name)
        files = _fetched([output for _, output in parts], folder, download, bars)
        wanted = [None if days == ALL_DAYS or all(day in days for day in batch.event_days) else days for batch, _ in parts]
        stored = united(files)
        schema = _zoned(stored, spec)
        if len(files) == 1 and wanted == [None] and ending_of(out) == ".parquet" and schema == stored:
            files[0].replace(out)
            return parts[0][1].rows
        whole, written = folder / f"whole{ending_of(out)}", 0
        advance = bars("writing", sum(output.rows for _, output in parts))
        with closing(begun(whole, schema, named=out)) as file:
            for (batch, _), part, some in zip(parts, files, wanted, strict=True):
                for rows in _rows_of(part):
                    kept = rows if some is None else _on_days(rows, some, batch, spec)
                    file.write(kept)
                    written += kept.num_rows
                    advance(rows.num_rows)
                part.unlink()
        if not written:
            message = "no scored row is left of these batches: all were erased"
            raise InputError(message, remedy="name other batches or days", code="no_rows")
        whole.replace(out)
    return written


@contextmanager
def _bars(console: "Console | None") -> Iterator[_Bars]:
    """Show bars until the block ends, if there is a terminal.

    What draws them is imported only then, since a script that scores a file has no use for it.
    """
    if console is None or not console.is_terminal:
        yield lambda _what, _total: lambda _done: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(), console=console, transient=True) as progress:
        yield lambda what, total: partial(progress.advance, progress.add_task(what, total=total))


def _fetched(outputs: Sequence[StoredFile], folder: Path, download: Download, bars: _Bars) -> list[Path]:
    """Download files into a folder, several at once, and return where each is."""
    files = [folder / f"{number:06d}" for number in range(len(outputs))]
    advance = bars("downloading", sum(output.bytes for output in outputs))

    def fetch(output: StoredFile, file: Path) -> None:
        download(output.key, file)
        advance(output.bytes)

    with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
        list(pool.map(fetch, outputs, files))
    return files


def _zoned(schema: "pa.Schema", spec: ModelSpec | None) -> "pa.Schema":
    """The columns, with event times in the zone whose days are the model's."""
    import pyarrow as pa

    if spec is None or spec.time_column is None:
        return schema
    name = stored_name(spec.time_column, schema.names, spec)
    return schema.set(schema.get_field_index(name), pa.field(name, pa.timestamp("us", spec.day_zone)))


def _rows_of(part: Path) -> "Iterable[pa.RecordBatch]":
    import pyarrow.parquet as pq

    with pq.ParquetFile(part) as file:
        yield from file.iter_batches()


def _on_days(rows: "pa.RecordBatch", days: Days, batch: Manifest, spec: ModelSpec | None) -> "pa.RecordBatch":
    """Return the rows whose event day is one of these."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from functions.metric_emission.join import event_days

    assert spec is not None, "days need the time column"
    found = event_days(pa.Table.from_batches([rows]), batch, spec).combine_chunks()
    wanted = [day for day in batch.event_days if day in days]
    return rows.filter(pc.is_in(found, value_set=pa.array(wanted, pa.date32())))
