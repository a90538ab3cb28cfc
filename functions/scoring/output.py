"""Files of an attempt: scored rows as Parquet, quarantined rows as JSON Lines."""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from typing import Self

import pyarrow as pa

from functions.scoring.scored_file import ScoredFile
from functions.shared.batches.quarantined import quarantine_line
from functions.shared.domain.manifest import StoredFile
from functions.shared.domain.policy import RowContract
from functions.shared.domain.scored_columns import free_name
from functions.shared.domain.spec import ModelSpec
from functions.shared.ports import ObjectStore, Upload
from functions.shared.reading.rows import RejectedRow


class AttemptOutputs:
    """The files of one attempt: invisible before `finish`, unused before a commit."""

    def __init__(self, store: ObjectStore, *, scored: str, quarantine: str) -> None:
        """Take the keys of the two files."""
        self._store = store
        self._scored_key = scored
        self._quarantine_key = quarantine
        self._open = ExitStack()
        self._scored: ScoredFile | None = None
        self._quarantined: Upload | None = None
        self._quarantined_rows = 0

    def add_scored(self, rows: pa.RecordBatch) -> None:
        """Append scored rows."""
        if rows.num_rows == 0:
            return
        if self._scored is None:
            upload = self._open.enter_context(self._store.upload(self._scored_key))
            self._scored = self._open.enter_context(ScoredFile(upload, rows))
        self._scored.add(rows)

    def add_quarantined(self, rows: Iterable[RejectedRow]) -> None:
        """Append rejected rows, one JSON object per line."""
        for row in rows:
            if self._quarantined is None:
                self._quarantined = self._open.enter_context(self._store.upload(self._quarantine_key))
            self._quarantined.write(quarantine_line(row))
            self._quarantined_rows += 1

    def finish(self) -> tuple[tuple[StoredFile, ...], tuple[StoredFile, ...]]:
        """Make the files visible, and return them: scored ones, quarantined ones."""
        scored: tuple[StoredFile, ...] = ()
        quarantined: tuple[StoredFile, ...] = ()
        if self._scored is not None:
            scored = (self._scored.finish(),)
        if self._quarantined is not None:
            quarantined = (self._quarantined.finish(rows=self._quarantined_rows),)
        return scored, quarantined

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Discard unfinished files."""
        self._open.close()


def scored_rows(rows: pa.RecordBatch, answers: Mapping[str, pa.Array], spec: ModelSpec, contract: RowContract) -> pa.RecordBatch:
    """Return the carried input columns in order, then the answers.

    An input column with an answer's name becomes `input_…`.
    """
    carried = _carried(rows.schema.names, spec, contract)
    taken = {*carried, *answers}
    columns = {free_name(name, taken) if name in answers else name: rows.column(name) for name in carried}
    return pa.RecordBatch.from_pydict({**columns, **answers})


def _carried(names: list[str], spec: ModelSpec, contract: RowContract) -> list[str]:
    if contract.carry == "all":
        return names
    wanted = {spec.id_column, spec.time_column} | set(() if contract.carry == "id" else contract.carry)
    return [name for name in names if name in wanted]
