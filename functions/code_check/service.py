"""Have new code score the newest batch of each model again, and compare byte by byte with what stands."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from functions.shared.domain.manifest import Manifest, Status
from functions.shared.ports import ObjectStore
from functions.shared.repositories.manifests import Manifests

LARGEST_BYTES = 64 * 2**20
"""Of a batch that is scored again: it takes seconds, and a deployment waits."""
LOOKED_AT = 20
"""Newest batches of a model among which one is chosen."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A batch that was scored again, and which of its files came out with other bytes."""

    model: str
    batch_id: str
    different: tuple[str, ...]


def compare_batches(
    models: Callable[[], Iterator[str]], *, store: ObjectStore, verify: Callable[[str, str], tuple[str, ...]]
) -> tuple[Comparison, ...]:
    """Compare one batch of each model that has a fitting one.

    Args:
        models: names of all models.
        verify: scores a batch of a model again by the new code, keeps nothing, and names the files that differ.
    """
    chosen = [batch for model in models() if (batch := _golden(Manifests(store), model)) is not None]
    return tuple(Comparison(batch.model, batch.batch_id, verify(batch.model, batch.batch_id)) for batch in chosen)


def _golden(manifests: Manifests, model: str) -> Manifest | None:
    """The newest batch that can be scored again and is small enough, if there is one among the newest."""
    newest = (batch for _, batch in zip(range(LOOKED_AT), manifests.newest(model), strict=False))
    return next((batch for batch in newest if _fits(batch)), None)


def _fits(batch: Manifest) -> bool:
    whole = batch.partitions is None and not batch.rows_erased
    return batch.status is not Status.FAILED and whole and batch.source.bytes <= LARGEST_BYTES
