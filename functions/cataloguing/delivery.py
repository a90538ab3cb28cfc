"""Catalogue manifests that come together.

The tables are brought to each model's day once, however many of its manifests came.
"""

from datetime import date
from types import TracebackType

from functions.cataloguing.ports import Ports
from functions.cataloguing.service import catalogue
from functions.shared.domain import layout
from functions.shared.domain.envelopes import StoredObject


class Delivery:
    """A delivery of manifests, all of which were written before it began."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._ended: dict[tuple[str, date], tuple[Exception, TracebackType | None] | None] = {}

    def catalogue(self, created: StoredObject) -> None:
        """Bring the tables to the day of a manifest, if that was not done already.

        What failed once in a delivery fails for all manifests of that day, without another try.
        """
        model, day = place = layout.manifest_place(created.key)
        if model == layout.UNNAMED_MODEL:
            return
        if place not in self._ended:
            self._ended[place] = self._ends(model, day)
        if ended := self._ended[place]:
            error, traceback = ended
            raise error.with_traceback(traceback)  # else it grows with each manifest, and so does what is logged of it

    def _ends(self, model: str, day: date) -> tuple[Exception, TracebackType | None] | None:
        try:
            catalogue(model, {day}, self._ports)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised for each manifest of the day
            return error, error.__traceback__
        return None
