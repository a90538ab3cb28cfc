"""Two models score the rows of a rollout."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from functions.shared.domain.rollout.canary import answered_by_challenger
from functions.shared.engines.engine import EngineKind
from tests.component.scoring.world import HEADER, World, as_csv, as_jsonl, as_parquet, by_scikit_learn, good_rows, scores, without
from tests.fakes.documents import serve
from tests.fakes.versions import DISTANCE, FEATURES, MODEL, Version, make_version

WITH_DISTANCE = (*FEATURES, DISTANCE)


def rollout(share: float = 0.5, mode: Any = "canary", challenger: Version | None = None) -> World:
    world = World()
    serve(world.store, make_version(), challenger or make_version("2", EngineKind.BITVECTOR, seed=2), share=share, mode=mode)
    return world


def test_in_a_rollout_both_models_score_all_rows_and_each_answers_its_own() -> None:
    world = rollout()
    manifest = world.score(world.upload(as_csv(good_rows())))
    table = world.table(manifest)
    champion, challenger = (
        by_scikit_learn(version, good_rows())[:, 0] for version in (make_version(), make_version("2", EngineKind.BITVECTOR, seed=2))
    )
    theirs = answered_by_challenger(pa.array([row["id"] for row in good_rows()]), salt="rollout 1", share=0.5)
    assert 0 < theirs.sum() < 40
    np.testing.assert_allclose(table["champion_score"].to_numpy(), champion, rtol=0, atol=1e-9)
    np.testing.assert_allclose(table["challenger_score"].to_numpy(), challenger, rtol=0, atol=1e-9)
    served = np.where(theirs, challenger, champion)
    np.testing.assert_allclose(table["score"].to_numpy(), served, rtol=0, atol=1e-9)
    assert table["prediction"].to_pylist() == ["yes" if score > 0.5 else "no" for score in served]
    assert table["model_version"].to_pylist() == ["2" if chosen else "1" for chosen in theirs]
    assert table["role"].to_pylist() == ["challenger" if chosen else "champion" for chosen in theirs]
    assert manifest.served == {"challenger": int(theirs.sum()), "champion": 40 - int(theirs.sum())}
    assert {role: profile.rows for role, profile in manifest.profiles.items()} == {"champion": 40, "challenger": 40}
    assert manifest.agreement is not None
    assert manifest.agreement.rows == 40
    assert manifest.agreement.difference_sum == pytest.approx(float((challenger - champion).sum()))
    assert manifest.release is not None
    assert manifest.release.challenger is not None
    assert (manifest.release.challenger.version, manifest.release.challenger.share) == ("2", 0.5)
    assert 0 < manifest.timings.challenger_predict_s < manifest.timings.predict_s


def test_the_same_ids_stay_with_the_challenger_when_its_share_grows() -> None:
    by_share = []
    for share in (0.1, 0.4, 1.0):
        world = rollout(share)
        table = world.table(world.score(world.upload(as_csv(good_rows()))))
        by_share.append({row["id"] for row in table.to_pylist() if row["role"] == "challenger"})
    assert by_share[0] < by_share[1] < by_share[2]
    assert len(by_share[2]) == 40


def test_a_shadow_scores_every_row_and_answers_none() -> None:
    world = rollout(1.0, "shadow")
    manifest = world.score(world.upload(as_csv(good_rows())))
    table = world.table(manifest)
    assert set(table["role"].to_pylist()) == {"champion"}
    assert table["challenger_score"].null_count == 0
    assert manifest.served == {"champion": 40}


def test_a_challenger_may_use_a_column_that_the_champion_does_not() -> None:
    challenger = make_version("2", features=WITH_DISTANCE)
    world = rollout(challenger=challenger)
    table = world.table(world.score(world.upload(as_csv(good_rows()))))
    np.testing.assert_allclose(scores(table, "challenger_score"), by_scikit_learn(challenger, good_rows()), rtol=0, atol=1e-9)


@pytest.mark.parametrize("as_file", [as_csv, as_parquet, as_jsonl])
def test_a_challenger_whose_column_is_missing_sits_this_batch_out(as_file: Callable[..., bytes]) -> None:
    world = rollout(challenger=make_version("2", features=WITH_DISTANCE))
    columns = [name for name in HEADER if name != "distance"]
    manifest = world.score(world.upload(as_file(good_rows(), columns), f"batches/{MODEL}/april"))
    table = world.table(manifest)
    assert manifest.release is not None
    assert manifest.release.challenger_suspended is not None
    assert "distance" in manifest.release.challenger_suspended
    assert not manifest.release.challenger_damaged
    assert (manifest.rows_scored, manifest.served, set(manifest.profiles)) == (40, {"champion": 40}, {"champion"})
    assert "challenger_score" not in table.column_names
    np.testing.assert_allclose(scores(table, "score"), by_scikit_learn(make_version(), good_rows()), rtol=0, atol=1e-9)


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_a_challenger_that_cannot_be_loaded_is_left_out_and_the_champion_serves(damage: str) -> None:
    world = World()
    challenger = make_version("2", seed=2)
    serve(world.store, make_version("1"), challenger)
    arrays = challenger.served.prefix + "engine.npz"
    if damage == "gone":
        world.store.delete([arrays])
    else:
        world.store.write(arrays, b"other bytes")
    manifest = world.score(world.upload(as_csv(good_rows())))
    assert (manifest.status, manifest.served) == ("scored", {"champion": 40})
    assert manifest.release is not None
    assert manifest.release.challenger_suspended is not None
    assert "version 2 cannot be loaded" in manifest.release.challenger_suspended
    assert manifest.release.challenger_damaged


def test_columns_have_one_type_inside_a_rollout_and_outside(world: World) -> None:
    outside = world.table(world.score(world.upload(as_csv(good_rows()))))
    serve(world.store, make_version("1"), make_version("2", seed=2), share=0.5)
    inside = world.table(world.score(world.upload(as_csv(good_rows()), f"batches/{MODEL}/later.csv")))
    assert {name: inside.schema.field(name).type for name in outside.column_names} == dict(
        zip(outside.column_names, outside.schema.types, strict=True)
    )


def test_a_batch_that_lacks_the_champions_column_fails_even_if_the_challenger_could() -> None:
    world = World()
    serve(world.store, make_version("1", features=WITH_DISTANCE), make_version("2"))
    manifest = world.score(world.upload(without("distance")))
    assert manifest.error is not None
    assert (manifest.error.code, "distance" in manifest.error.message) == ("missing_column", True)
