"""Stores of earlier versions get what this one finds batches and truths by, once, when a model is first measured."""

from functions.metric_emission.ports import Model
from functions.metric_emission.truth import hold_against_labels
from functions.shared.repositories.batch_index import BatchIndex
from functions.shared.repositories.performances import gather_months


def index_batches(model: Model) -> None:
    """Have all batches of a model in the index, and its labelled days in months."""
    if model.name in model.ports.indexed:
        return
    if BatchIndex(model.store).complete(model.name, also=lambda manifest: hold_against_labels([manifest], model)):
        gather_months(model.name, model.store)
    model.ports.indexed.add(model.name)
