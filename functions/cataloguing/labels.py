"""Tables of what labels said of a model."""

from functions.cataloguing.followed import bring
from functions.cataloguing.labelled_rows import LabelledRows
from functions.cataloguing.performance_rows import PerformanceRows
from functions.cataloguing.ports import Ports
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.bundle import SPEC
from functions.shared.repositories.releases import Releases


def catalogue_labels(model: str, ports: Ports) -> int:
    """Bring the tables of labels to what is stored; return how many files changed.

    These are the labelled rows, and performance. A model has them from its first labels on.
    """
    changed = bring(model, PerformanceRows(model), ports)
    release = Releases(ports.store).current(model)
    if release is None:
        return changed
    spec = ModelSpec.from_json(ports.store.read(release.champion.prefix + SPEC))
    return changed + bring(model, LabelledRows(model, spec), ports)
