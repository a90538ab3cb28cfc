"""Score each model's newest batch again with new code, and compare the bytes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, takewhile

from functions.code_check.ports import Ports, Verify
from functions.shared.domain.errors import DeploymentRefusedError, NotFoundError, ThrottledError
from functions.shared.domain.manifest import Manifest, Status
from functions.shared.foundation.ahead import map_ahead
from functions.shared.repositories.manifests import Manifests

LARGEST_BYTES = 64 * 2**20
"""Limit for a batch that is scored again: it takes seconds, and a deployment waits."""
LOOKED_AT = 20
"""Newest batches of a model, among which one is chosen."""
MODELS_AT_ONCE = 3
"""Comparisons at a time: a new account may run only ten functions at once, and scoring continues."""


@dataclass(frozen=True, slots=True)
class ScoredAgain:
    """A batch that was scored again, and its files that have different bytes now."""

    model: str
    batch_id: str
    different: tuple[str, ...]


def compare_batches(
    models: Callable[[], Iterator[str]], ports: Ports, *, has_time: Callable[[], bool], pause: Callable[[], None]
) -> tuple[ScoredAgain, ...]:
    """Compare one suitable batch of each model, while there is time to start another.

    Args:
        models: returns the names of all models.
        ports: the store, new code and serving code. If new code does not find a batch, serving code shows whether it is gone.
        has_time: returns whether another comparison may start.
        pause: returns after a moment, in which the account may have room again.

    Raises:
        DeploymentRefusedError: if the new code does not find a batch that serving code finds.
        ThrottledError: if the account had no room for a comparison until the time was over.
    """
    patient = replace(ports, by_new=_patient(ports.by_new, has_time, pause), by_old=_patient(ports.by_old, has_time, pause))
    compared = map_ahead(partial(_compared, patient), takewhile(lambda _: has_time(), models()), threads=MODELS_AT_ONCE)
    return tuple(comparison for comparison in compared if comparison is not None)


def _patient(verify: Verify, has_time: Callable[[], bool], pause: Callable[[], None]) -> Verify:
    """Return a way to score again that waits for room in the account."""

    def verified(model: str, batch_id: str) -> tuple[str, ...]:
        while True:
            try:
                return verify(model, batch_id)
            except ThrottledError:
                if not has_time():
                    raise
                pause()

    return verified


def _compared(ports: Ports, model: str) -> ScoredAgain | None:
    """Compare the newest suitable batch of a model; None if there is none."""
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
