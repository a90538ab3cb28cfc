"""Models of CatBoost that others trained, adopted from its own files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from catboost import CatBoostClassifier

from functions.retraining.event import ReproduceRequest
from functions.retraining.reproduction import reproduce
from tests.fakes.versions import MODEL
from tests.integration.retraining.test_model_files import BOTH, adopt, scores, truth
from tests.integration.retraining.world import sold


@pytest.mark.parametrize("form", ["cbm", "json"])
def test_a_file_of_catboost_serves_as_the_library_scores_and_comes_out_again(form: str, tmp_path: Path) -> None:
    rows = sold(0, 30)
    table = pd.DataFrame(rows)[BOTH]
    theirs = CatBoostClassifier(iterations=5, cat_features=["shop"], class_weights=[1, 2], verbose=False, allow_writing_files=False)
    theirs.fit(table, truth(rows)).save_model(tmp_path / "model", format=form)
    world, decision = adopt((tmp_path / "model").read_bytes(), rows, name=f"model.{form}")
    assert (decision.engine, (decision.library or "").partition(" ")[0]) == ("native", "CatBoost")
    np.testing.assert_allclose(scores(world, rows)[:, 0], theirs.predict_proba(table)[:, 1], rtol=1e-12)
    odd = [{"price": 0.5, "shop": "east"}, {"price": None, "shop": "north"}, {"price": 0.5, "shop": None}]
    expected = theirs.predict_proba(pd.DataFrame(odd).fillna({"shop": "nan"}).astype({"price": float}))[:, 1]
    np.testing.assert_allclose(scores(world, odd)[:, 0], expected, rtol=1e-12)
    again = reproduce(ReproduceRequest(model=MODEL, version="1"), world.ports())
    assert again.identical, again.difference
