"""Catalogue manifests and labels that come together.

The tables are brought to each model's day once, however many of its manifests came, and once to all of its labels.
"""

from collections.abc import Callable
from functools import partial
from types import TracebackType

from functions.cataloguing.labels import catalogue_labels
from functions.cataloguing.ports import Ports
from functions.cataloguing.service import catalogue
from functions.shared.domain import layout
from functions.shared.domain.envelopes import StoredObject

type _Failure = tuple[Exception, TracebackType | None]


class TableDelivery:
    """A delivery of manifests and labels, all written before it began."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._ended: dict[object, _Failure | None] = {}

    def catalogue(self, created: StoredObject) -> None:
        """Bring the tables to a manifest's day or to a model's labels, once.

        What failed once in a delivery fails for all messages about the same, without another try.
        """
        if created.key.startswith(layout.MANIFESTS):
            self._manifest(created.key)
        elif model := layout.labels_model(created.key):
            self._once(model, partial(catalogue_labels, model, self._ports))

    def _manifest(self, key: str) -> None:
        model, day = place = layout.manifest_place(key)
        if model != layout.UNNAMED_MODEL:
            self._once(place, partial(catalogue, model, {day}, self._ports))

    def _once(self, place: object, bring: Callable[[], object]) -> None:
        if place not in self._ended:
            self._ended[place] = _ends(bring)
        if ended := self._ended[place]:
            error, traceback = ended
            raise error.with_traceback(traceback)  # else it grows with each message, and so does what is logged of it


def _ends(bring: Callable[[], object]) -> _Failure | None:
    try:
        bring()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is raised for each message about the same
        return error, error.__traceback__
    return None
