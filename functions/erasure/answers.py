"""Remove answers to calls about a model.

An answer to a training quotes its file, and nobody needs it for long.
"""

from collections.abc import Iterator
from functools import partial

from functions.erasure.people import Subject
from functions.erasure.ports import Ports
from functions.erasure.units import Found, WorkUnit
from functions.shared.domain import layout
from functions.shared.ports import ObjectInfo


def answers(subject: Subject, ports: Ports) -> Iterator[WorkUnit]:
    """Yield each version of each answer, whoever it names."""
    for version in ports.store.versions(layout.answers_prefix(subject.model)):
        yield WorkUnit(f"{version.info.key}/{version.info.version_id}", partial(_remove, version.info, ports))


def _remove(info: ObjectInfo, ports: Ports) -> Found:
    ports.store.forget([info])
    return Found(objects=1)
