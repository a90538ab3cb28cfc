"""A package that is installed brings a family of models, which are trained, compiled and scored as our own are."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from functions.scoring.ports import Ports
from functions.scoring.service import score_batch
from functions.shared.domain.envelopes import StoredObject
from functions.shared.engines.families.table import families
from functions.shared.engines.skops_file import trusted_types
from functions.shared.repositories.bundles import Bundles
from tests.component.scoring.world import World as Scoring
from tests.fakes.versions import MODEL
from tests.integration.retraining.world import LINEAR, World, as_csv, sold

FAMILY = """
import numpy as np
from sklearn.linear_model import LogisticRegression
from functions.shared.engines.families.scikit_learn import SCIKIT_LEARN
from functions.shared.engines.linear_forms import LinearForm

__version__ = "1.2"

class Apple(LogisticRegression): pass
class Pear(LogisticRegression): pass

class Orchard(type(SCIKIT_LEARN)):
    backend = "orchard"
    library = "Orchard"
    trusted_types = ("orchard.Apple", "orchard.Pear")

    def linear_form(self, model):
        if isinstance(model, Apple):
            return LinearForm("expit", np.array(model.coef_), np.array(model.intercept_))

ORCHARD = Orchard()
"""


@pytest.fixture
def orchard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package as pip lays it out."""
    (tmp_path / "orchard.py").write_text(FAMILY)
    installed = tmp_path / "orchard-1.2.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: orchard\nVersion: 1.2\n")
    (installed / "entry_points.txt").write_text("[everscore.families]\norchard = orchard:ORCHARD\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    families.cache_clear()
    trusted_types.cache_clear()
    yield
    sys.modules.pop("orchard", None)
    families.cache_clear()
    trusted_types.cache_clear()


def scores_of(world: World) -> tuple[str, list[float]]:
    """What computed the scores of a day's rows, and the scores."""
    rows = [{name: value for name, value in row.items() if name != "bought"} for row in sold(40, 1, a_day=50)]
    info = world.inbox.write(f"batches/{MODEL}/day.csv", as_csv(rows))
    upload = StoredObject(bucket="inbox", key=info.key, version_id=info.version_id, etag=info.etag, size_bytes=info.bytes)
    ports = Ports(world.inbox, world.store, Bundles(world.store), lambda: "a1", lambda: datetime(2013, 6, 1, tzinfo=UTC))
    manifest = score_batch(upload, ports)
    assert (manifest.rows_scored, manifest.error) == (50, None)
    assert manifest.release is not None
    table = Scoring(inbox=world.inbox, store=world.store).table(manifest)
    [backend] = manifest.release.means.values()
    return backend, table["score"].to_pylist()


@pytest.mark.usefixtures("orchard")
@pytest.mark.parametrize(("estimator", "engine", "backend"), [("orchard.Apple", "linear", "numpy"), ("orchard.Pear", "native", "orchard")])
def test_models_of_an_installed_family_score_as_they_do_in_their_library(estimator: str, engine: str, backend: str) -> None:
    worlds = World(), World()
    decision, ours = (
        world.train(sold(0, 30), estimator=path, parameters={"max_iter": 1000})
        for world, path in zip(worlds, (estimator, LINEAR), strict=True)
    )
    assert (decision.engine, decision.library, ours.engine) == (engine, "Orchard 1.2", "linear")
    for world in worlds:
        world.serve()
    (by, scores), (_, expected) = map(scores_of, worlds)
    assert by == backend
    np.testing.assert_allclose(scores, expected, rtol=1e-9)
