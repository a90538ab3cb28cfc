"""A committed batch as the index names it: all that chooses batches."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from functions.shared.domain import layout
from functions.shared.domain.calendar import batch_watermark
from functions.shared.domain.manifest import Manifest

_KEPT = 10_000
_TICK = timedelta(microseconds=1)
_LAST_DAY, _LAST_MOMENT = date.max.toordinal(), datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A batch's place among those of its model.

    `day` is the UTC day on which its upload arrived; `upload` names that upload, so all scorings of one upload have it in common.
    `seq` and `champion` are those of the release that scored it, 0 and empty if none did; `has_rows` says that rows were scored,
    whatever was erased since, and `reached` is the latest event day that these have really reached.
    """

    day: date
    created_at: datetime
    batch: str
    upload: str
    seq: int
    has_rows: bool
    reached: date | None
    champion: str

    @classmethod
    def of(cls, manifest: Manifest) -> "Arrival":
        """Return the place of a batch."""
        source, release = manifest.source, manifest.release
        return cls(
            day=source.last_modified.astimezone(UTC).date(),
            created_at=manifest.created_at.astimezone(UTC),
            batch=manifest.batch_id,
            upload=layout.batch_id(source.bucket, source.key, source.version_id),
            seq=release.seq if release else 0,
            has_rows=bool(manifest.event_days) or manifest.rows_scored > 0,
            reached=batch_watermark(manifest.event_days),
            champion=release.champion if release else "",
        )

    @property
    def name(self) -> str:
        """The place as a part of a key. Keys are in order of arrival, the newest first.

        Within a day of arrival, the last commit comes first.
        """
        reached = self.reached.toordinal() if self.reached else 0
        return f"{self.moment}-{self.batch}-{self.upload}-{self.seq}-{int(self.has_rows)}-{reached}-{self.champion}"

    @property
    def moment(self) -> str:
        """The beginning of the name, which says when.

        In order, it comes before all names of that moment.
        """
        day, moment = _LAST_DAY - self.day.toordinal(), (_LAST_MOMENT - self.created_at) // _TICK
        return f"{day:07}-{moment:018}"

    @staticmethod
    def named(name: str) -> "Arrival":
        """Read a `name`.

        A model's newest names are read for each delivery, so they are kept.
        """
        return _named(name)


@lru_cache(maxsize=_KEPT)
def _named(name: str) -> Arrival:
    day, moment, batch, upload, seq, has_rows, reached, champion = name.split("-", 7)
    return Arrival(
        day=date.fromordinal(_LAST_DAY - int(day)),
        created_at=_LAST_MOMENT - int(moment) * _TICK,
        batch=batch,
        upload=upload,
        seq=int(seq),
        has_rows=has_rows == "1",
        reached=date.fromordinal(int(reached)) if int(reached) else None,
        champion=champion,
    )


def standing(newest_first: Iterable[Arrival]) -> Iterator[Arrival]:
    """Keep the last of several scorings of one upload.

    All of them arrived on the same day, so each comes after the one that supersedes it.
    """
    seen: set[str] = set()
    for arrival in newest_first:
        if arrival.upload not in seen:
            seen.add(arrival.upload)
            yield arrival


@dataclass(frozen=True, slots=True)
class Listed:
    """The standing batches of one day, newest first, and the superseded ones."""

    standing: Sequence[Arrival]
    superseded: frozenset[str]

    @classmethod
    def of(cls, newest_first: Iterable[Arrival]) -> "Listed":
        """Divide all scorings of some uploads."""
        arrivals = [*newest_first]
        last = [*standing(arrivals)]
        return cls(last, frozenset(arrival.batch for arrival in arrivals).difference(arrival.batch for arrival in last))

    def with_rows(self) -> "Listed":
        """Leave out batches without rows; what they superseded stays so."""
        return Listed([arrival for arrival in self.standing if arrival.has_rows], self.superseded)


@dataclass(frozen=True, slots=True)
class DayBlock:
    """Days from a multiple of two to the power of `level` on, as many as that."""

    level: int
    number: int

    @classmethod
    def of(cls, day: date, level: int) -> "DayBlock":
        """Return the block of a level that a day lies in."""
        return cls(level, day.toordinal() >> level)

    @classmethod
    def covering(cls, first: date, last: date) -> "set[DayBlock]":
        """Return the one or two blocks of one size that hold all days of a period.

        >>> sorted(block.number for block in DayBlock.covering(date(2013, 4, 1), date(2013, 4, 1)))
        [734959]
        """
        level = (last - first).days.bit_length()
        return {cls.of(first, level), cls.of(last, level)}
