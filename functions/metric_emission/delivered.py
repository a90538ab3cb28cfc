"""Measure what a delivery brings.

Manifests come from the store, labels from the inbox.
"""

from collections.abc import Callable

from functions.metric_emission.labelling import measure_labels
from functions.metric_emission.ports import Delivery, Ports
from functions.metric_emission.service import measure_batch
from functions.shared.domain.envelopes import StoredObject


def measuring(ports: Ports) -> Callable[[StoredObject], None]:
    """Return a function that measures each object of one delivery.

    What the delivery needs of a model is read once.
    """
    delivery = Delivery(ports)
    by_bucket = {ports.store.bucket: measure_batch, ports.inbox.bucket: measure_labels}
    return lambda created: by_bucket[created.bucket](created, delivery)
