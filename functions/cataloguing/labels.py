"""Tables of what labels said of a model."""

from functions.cataloguing.followed import bring
from functions.cataloguing.labelled_rows import LabelledRows
from functions.cataloguing.performance_rows import PerformanceRows
from functions.cataloguing.ports import Ports
from functions.shared.domain.labelled_columns import ID, stored_identity
from functions.shared.domain.spec import ModelSpec
from functions.shared.engines.bundle import SPEC
from functions.shared.ports import ObjectStore
from functions.shared.repositories.releases import Releases


def catalogue_labels(model: str, ports: Ports) -> int:
    """Bring the tables of labels to what is stored; return how many files changed.

    These are the labelled rows, and performance. A model has them from its first labels on.
    """
    changed = bring(model, PerformanceRows(model), ports)
    spec = served_spec(model, ports.store)
    return changed + (bring(model, LabelledRows(model, spec), ports) if spec else 0)


def readmit_ids(model: str, ports: Ports) -> None:
    """Show ids of labelled rows where an earlier Everscore's numbers left them out.

    All files have them as text by now.
    """
    if (spec := served_spec(model, ports.store)) is None or not ports.tables.exists(model, LabelledRows.kind):
        return
    table = ports.tables.open(model, LabelledRows.kind)
    name = stored_identity(table.columns.met, spec)[ID]
    if name in table.columns.left_out:
        table.commit(table.columns.settled(name, "string"), added=[], removed=[])


def served_spec(model: str, store: ObjectStore) -> ModelSpec | None:
    """Return the spec of the champion, or None if nothing serves."""
    release = Releases(store).current(model)
    return ModelSpec.from_json(store.read(release.champion.prefix + SPEC)) if release else None
