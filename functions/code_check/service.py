"""Have new code score the newest batch of each model again, and compare byte by byte with what stands."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile

from functions.code_check.ports import Ports, Verify
from functions.shared.domain.errors import DeploymentRefusedError, NotFoundError
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.foundation.ahead import map_ahead
from functions.shared.repositories.manifests import Manifests

LARGEST_BYTES = 64 * 2**20
"""Of a batch that is scored again: it takes seconds, and a deployment waits."""
LOOKED_AT = 20
"""Newest batches of a model among which one is chosen."""
MODELS_AT_ONCE = 3
"""A new account may run ten functions at once in all, and scoring goes on."""


@dataclass(frozen=True, slots=True)
class ScoredAgain:
    """A batch that was scored again, and which of its files came out with other bytes."""

    model: str
    batch_id: str
    different: tuple[str, ...]


def compare_batches(models: Callable[[], Iterator[str]], ports: Ports, *, has_time: Callable[[], bool]) -> tuple[ScoredAgain, ...]:
    """Compare one batch of each model that has a fitting one, for as long as there is time to begin another.

    Args:
        models: names of all models.
        ports: where batches stand, and what scores them; the code that serves says whether a batch that the new code finds no
            more is really gone.
        has_time: whether another comparison may begin.

    Raises:
        DeploymentRefusedError: if the new code does not find what the old one does.
    """
    compared = map_ahead(partial(_compared, ports), takewhile(lambda _: has_time(), models()), threads=MODELS_AT_ONCE)
    return tuple(comparison for comparison in compared if comparison is not None)


def _compared(ports: Ports, model: str) -> ScoredAgain | None:
    """The comparison of the newest of the model's last batches that fits and can be scored again, if there is one."""
    for batch in filter(_fits, islice(Manifests(ports.store).newest(model), LOOKED_AT)):
        try:
            return ScoredAgain(model, batch.batch_id, ports.by_new(model, batch.batch_id))
        except NotFoundError as error:
            _require_gone(batch, ports.by_old, error)
    return None


def _require_gone(batch: Manifest, by_old: Verify, error: NotFoundError) -> None:
    try:
        by_old(batch.model, batch.batch_id)
    except NotFoundError:
        return
    message = f"new code does not find what batch {batch.batch_id} of {batch.model} needs, and the code that serves does"
    raise DeploymentRefusedError(message) from error


def _fits(batch: Manifest) -> bool:
    whole = batch.partitions is None and not batch.rows_erased
    return batch.status is not Status.FAILED and whole and batch.source.bytes <= LARGEST_BYTES
