"""Bring batches of earlier versions of Everscore into the index.

All batches of a model are indexed once, and those without names again by the daily sweep.
"""

from functions.metric_emission.ports import Model
from functions.metric_emission.truth import hold_against_labels
from functions.shared.domain.arrival import Arrival
from functions.shared.domain.manifest import Manifest
from functions.shared.ports import ObjectStore
from functions.shared.repositories.batch_index import BatchIndex
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.performances import gather_months


def index_batch(manifest: Manifest, model: Model) -> None:
    """Have a batch in the index, and all batches before it.

    A crash may have come between its commit and its names.
    """
    index_batches(model)
    if not model.is_indexed(Arrival.of(manifest)):
        BatchIndex(model.store).add(manifest)
        model.batches_came()


def index_batches(model: Model) -> None:
    """Have all batches of a model in the index, and its labelled days in months."""
    if model.name in model.ports.indexed:
        return
    if BatchIndex(model.store).complete(model.name, also=lambda manifest: hold_against_labels([manifest], model)):
        gather_months(model.name, model.store)
    model.ports.indexed.add(model.name)


def index_missing(model: str, store: ObjectStore) -> None:
    """Index the batches of a model that have no names.

    An earlier version of Everscore commits such batches, if it is put back for a while.
    """
    index, manifests = BatchIndex(store), Manifests(store)
    named = {arrival.batch for arrival in index.entries(model)}
    for batch, key in manifests.keys(model).items():
        if batch not in named:
            index.add(manifests.read(key))
