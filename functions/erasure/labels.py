"""Erase labelled rows, waiting labels, and the rows of days used to find labels.

Each file is replaced in place.
"""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq

from functions.erasure.files import lighter
from functions.erasure.people import Subject
from functions.erasure.ports import Ports
from functions.erasure.units import Found, WorkUnit
from functions.shared.domain import layout
from functions.shared.repositories.swap import swap


def labels(subject: Subject, ports: Ports) -> Iterator[WorkUnit]:
    """Yield files of labelled rows, waiting labels and rows of days."""
    for prefix in layout.replaced_prefixes(subject.model):
        for found in ports.store.list(prefix):
            yield WorkUnit(found.key, partial(_erase_from_file, found.key, subject, ports))


def _erase_from_file(key: str, subject: Subject, ports: Ports) -> Found:
    """Erase people's rows from a file that metric_emission may change meanwhile.

    Raises:
        ConflictError: if the file changed at every try.
    """

    def lightened(body: bytes | None) -> tuple[bytes | None, tuple[int, bool]]:
        if body is None:
            return None, (0, False)
        light = lighter(key, body, subject.spec, subject.people)
        if light is None:
            return None, (0, not pq.read_metadata(pa.BufferReader(body)).num_rows)
        return light.body, (light.removed, not light.rows)

    removed, is_empty = swap(ports.store, key, lightened)
    if is_empty:  # emptied by this erasure, or by one that stopped at this point
        ports.store.delete([key])
    return Found(rows=Counter({key.split("/", 1)[0]: removed}) if removed else Counter())
