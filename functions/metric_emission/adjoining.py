"""Batches that adjoin each other in the index, the newest first.

They are read once, and only as far as they are asked for.
"""

from collections.abc import Iterator, Sequence
from itertools import count, islice

from functions.shared.domain.arrival import Arrival


class Adjoining:
    """Batches from one on, the newest first."""

    def __init__(self, entries: Iterator[Arrival]) -> None:
        self._entries, self._read = entries, list[Arrival]()

    def place(self, arrival: Arrival, *, within: int) -> int | None:
        """Return the place of a batch, if it is among the first ones."""
        for number, found in enumerate(islice(self.since(0), within)):
            if found == arrival:
                return number
            if (found.day, found.created_at) < (arrival.day, arrival.created_at):
                return None
        return None

    def since(self, place: int) -> Iterator[Arrival]:
        """Yield the batches from a place on."""
        for number in count(place):
            while len(self._read) <= number:
                following = next(self._entries, None)
                if following is None:
                    return
                self._read.append(following)
            yield self._read[number]


def found_in(several: Sequence[Adjoining], arrival: Arrival, *, within: int) -> Iterator[Arrival] | None:
    """Return a batch and those before it.

    It is None if no run has the batch among its first ones.
    """
    for batches in several:
        place = batches.place(arrival, within=within)
        if place is not None:
            return batches.since(place)
    return None
