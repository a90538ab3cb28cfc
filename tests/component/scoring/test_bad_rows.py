"""Bad rows are set aside, and all others are scored."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.decision_rule import above
from functions.shared.domain.drift.baseline import Baseline
from functions.shared.domain.errors import ConservationError
from functions.shared.domain.manifest import Status
from functions.shared.domain.policy import Costs, DecisionPolicy, RowContract
from functions.shared.domain.release import Role
from functions.shared.domain.spec import Task
from functions.shared.engines.bundle import BASELINE
from functions.shared.engines.engine import EngineKind
from tests.component.scoring.world import HEADER, World, as_csv, good_rows
from tests.fakes.documents import serve
from tests.fakes.memory_store import MemoryStore, MemoryUpload
from tests.fakes.versions import make_version


def test_bad_rows_are_set_aside_with_their_lines_and_the_others_keep_their_order(world: World) -> None:
    rows = [dict(row) for row in good_rows()[:6]]
    rows[1]["price"] = "cheap"
    rows[3]["id"] = None
    rows[5]["note"] = "two\nlines"
    body = as_csv(rows) + b"r6,2013-04-01,1,north\nr7,2013-04-01T10:00:00Z,inf,north,true,1,x\n"
    manifest = world.score(world.upload(body))
    assert (manifest.status, manifest.rows_in, manifest.rows_scored, manifest.rows_quarantined) == (Status.SUSPECT, 8, 4, 4)
    assert world.table(manifest)["id"].to_pylist() == ["r0", "r2", "r4", "r5"]
    lines = body.split(b"\n")
    quarantined = world.quarantined(manifest)
    # Row 6 of the file holds a line end, so the rows after it stand two lines below their number.
    assert [(row["row"], row["line"]) for row in quarantined] == [(2, 3), (4, 5), (7, 9), (8, 10)]
    assert [row["raw"].encode() for row in quarantined] == [lines[2], lines[4], lines[8], lines[9]]
    assert [row["byte_offset"] for row in quarantined] == [sum(len(line) + 1 for line in lines[:n]) for n in (2, 4, 8, 9)]
    assert Counter(row["code"] for row in quarantined) == manifest.quarantined_by_reason
    assert "price" in quarantined[0]["message"]


def test_a_file_of_bad_rows_only_is_suspect_and_has_no_scored_file(world: World) -> None:
    manifest = world.score(world.upload(as_csv([{**row, "id": ""} for row in good_rows()])))
    assert (manifest.status, manifest.rows_scored, manifest.rows_quarantined, manifest.outputs) == (Status.SUSPECT, 0, 40, ())
    assert [row["row"] for row in world.quarantined(manifest)] == list(range(1, 41))


@pytest.mark.parametrize(("bad", "status"), [(4, Status.SCORED), (5, Status.SUSPECT)])
def test_a_batch_is_suspect_above_the_error_budget(bad: int, status: Status) -> None:
    world = World()
    serve(world.store, make_version(), contract=RowContract(error_budget=0.10))
    rows = [{**row, "price": "x"} if number < bad else row for number, row in enumerate(good_rows())]
    assert world.score(world.upload(as_csv(rows))).status is status


def test_possible_ranges_of_the_pinned_policy_are_obeyed() -> None:
    world = World()
    serve(world.store, make_version(), contract=RowContract(ranges={"price": (0.0, 10.0)}))
    manifest = world.score(world.upload(as_csv(good_rows())))
    assert manifest.quarantined_by_reason == {"out_of_range": sum((row["price"] or 0) > 10 for row in good_rows())}


@pytest.mark.parametrize("engine", [EngineKind.LINEAR, EngineKind.NATIVE])
@pytest.mark.parametrize("threshold", [0.0, 0.12, 0.9, 1.0])
def test_the_threshold_of_the_pinned_policy_decides_whatever_the_versions_own_is(engine: EngineKind, threshold: float) -> None:
    world = World()
    serve(world.store, make_version(engine=engine, threshold=0.4), decision=DecisionPolicy(threshold=threshold))
    manifest = world.score(world.upload(as_csv(good_rows())))
    table = world.table(manifest)
    assert table["prediction"].to_pylist() == ["yes" if score >= threshold else "no" for score in table["score"].to_pylist()]
    assert manifest.release is not None
    assert manifest.release.decision_rules == {Role.CHAMPION: above(threshold, inclusive=True)}


def test_costs_choose_each_versions_own_threshold() -> None:
    world, costs = World(), Costs(false_positive=1, false_negative=20)
    champion, challenger = make_version(), make_version("2", seed=2)
    serve(world.store, champion, challenger, decision=DecisionPolicy(costs=costs))
    manifest = world.score(world.upload(as_csv(good_rows())))
    assert manifest.release is not None
    rules = manifest.release.decision_rules
    curves = [Baseline.from_json(version.files[BASELINE]).error_curve for version in (champion, challenger)]
    assert [rules[role].threshold for role in Role] == [curve.cheapest(costs) for curve in curves if curve]
    table = world.table(manifest)
    for role in Role:
        scores, said = table[f"{role}_score"].to_pylist(), table[f"{role}_prediction"].to_pylist()
        assert said == ["yes" if score >= rules[role].threshold else "no" for score in scores]


def test_a_threshold_means_nothing_to_a_regression() -> None:
    world = World()
    serve(world.store, make_version(task=Task.REGRESSION), decision=DecisionPolicy(threshold=0.2))
    table = world.table(world.score(world.upload(as_csv(good_rows()))))
    assert table["prediction"].equals(table["score"])


FAULTS = st.sampled_from(["good", "word", "no id", "short", "not a time"])


@given(faults=st.lists(FAULTS, min_size=1, max_size=30))
def test_no_row_is_lost_or_made_up_and_each_is_where_it_belongs(faults: list[str]) -> None:
    world = World()
    serve(world.store, make_version())
    lines = []
    for number, fault in enumerate(faults):
        price, name, at = ("x" if fault == "word" else "1.5"), ("" if fault == "no id" else f"r{number}"), "2013-04-01"
        lines.append(f"{name},{'soon' if fault == 'not a time' else at},{price}" + (",north,true,1,x" if fault != "short" else ""))
    manifest = world.score(world.upload("\n".join([",".join(HEADER), *lines]).encode()))
    scored = world.table(manifest)["id"].to_pylist() if manifest.outputs else []
    quarantined = world.quarantined(manifest)
    assert manifest.rows_in == len(faults) == manifest.rows_scored + manifest.rows_quarantined
    assert scored == [f"r{number}" for number, fault in enumerate(faults) if fault == "good"]
    assert [(row["row"], row["raw"]) for row in quarantined] == [(n + 1, lines[n]) for n, fault in enumerate(faults) if fault != "good"]


class LosingStore(MemoryStore):
    """A store whose files are described with a row less than they were given."""

    def upload(self, key: str) -> MemoryUpload:
        upload = super().upload(key)
        finish = upload.finish
        upload.finish = lambda *, rows: finish(rows=rows - 1)  # type: ignore[method-assign]
        return upload


def test_a_batch_whose_rows_do_not_add_up_is_not_committed() -> None:
    world = World(store=LosingStore())
    serve(world.store, make_version())
    with pytest.raises(ConservationError, match="40 rows in, 40 scored and 0 quarantined, 39 and 0 stored"):
        world.score(world.upload(as_csv(good_rows())))
    assert not any(key.startswith("manifests/") for key in world.written())
