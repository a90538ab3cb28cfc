"""What `everscore status MODEL` says of a model, from its stored documents."""

import io
import json
from datetime import timedelta
from typing import Any

import pyarrow as pa
from rich.console import Console

from functions.cataloguing.columns import Columns
from functions.shared.domain import layout
from functions.shared.domain.decision import Reason
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.spec import Task
from functions.shared.repositories.decisions import Decisions
from functions.shared.repositories.releases import Releases
from infra.cli.screens.status import status_screen
from infra.cli.state import model_status
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL, make_version
from tests.unit.report.story import batch, whole_story, write_batch

RISING = "▁▂▃▃▄▅▆▆▇█"
"""Nine equal steps from nothing in seven of height: 0, .78, 1.56, 2.33, 3.11, 3.89, 4.67, 5.44, 6.22, 7."""


def state_of(store: MemoryStore) -> dict[str, Any]:
    release = Releases(store).current(MODEL)
    assert release is not None
    return model_status(release, store)


def test_columns_that_the_table_of_scored_rows_does_not_show_are_named() -> None:
    store = whole_story()
    assert state_of(store)["left_out"] == {}
    for number, files in enumerate(([], [pa.schema({"note": pa.string()}), pa.schema({"note": pa.int64()})])):
        columns = Columns(own=("arrived_on",)).with_files(files)
        metadata = json.dumps({"properties": {"everscore.columns": columns.model_dump_json()}})
        store.write(f"tables/{MODEL}/scored/metadata/0000{number}-f.metadata.json", metadata.encode())
        store.write(f"tables/{MODEL}/scored/metadata/snap-{number}.avro", b"")
    state = state_of(store)
    assert state["left_out"] == {"note": ["long", "string"]}
    assert "not in the table of scored rows: note, which is long, string" in lines_of(state)


def lines_of(state: dict[str, Any], width: int = 120) -> list[str]:
    printed = io.StringIO()
    Console(width=width, file=printed).print(status_screen(state))
    return [line.rstrip() for line in printed.getvalue().splitlines()]


def line_of(state: dict[str, Any], start: str) -> str:
    [found] = [line for line in (" ".join(line.split()) for line in lines_of(state)) if line.startswith(start)]
    return found


def test_each_column_is_shown_with_its_drift_by_batch_and_what_it_moves() -> None:
    state = state_of(whole_story())
    features = {column["feature"]: column for column in state["drift"]["features"]}
    assert features["price"]["history"] == [0.02 * number for number in range(10)]
    assert line_of(state, "price") == f"price 0.180 0.100 0.018 {RISING} drifted"


def test_batches_of_too_few_rows_to_judge_are_left_out_of_the_history_as_the_report_leaves_them_out() -> None:
    store = whole_story()
    key = layout.emitted_key(MODEL, batch(8).batch_id)
    judged = BatchJudgement.from_json(store.read(key))
    assert judged.drift is not None
    store.write(key, judged.model_copy(update={"drift": judged.drift.model_copy(update={"too_few": True})}).to_json())
    features = {column["feature"]: column for column in state_of(store)["drift"]["features"]}
    assert features["price"]["history"] == [0.02 * number for number in range(10) if number != 8]


def test_a_columns_drift_is_drawn_up_to_where_it_would_count() -> None:
    # Always 0.01 where 0.1 would be drift: a tenth of the way up.
    assert line_of(state_of(whole_story()), "shop") == f"shop 0.010 0.100 0.001 {'▂' * 10}"


def test_the_share_predicted_positive_is_shown_with_what_is_expected_of_it() -> None:
    state = state_of(whole_story())
    assert line_of(state, "predicted positive") == "predicted positive: 25.0%, expected 20.0%"
    # The batch before the newest of the story predicts 28 of its 100 rows positive.
    assert [found["predicted_positive"] for found in state["batches"][:2]] == [0.29, 0.28]
    state["drift"]["features"].append(state["drift"]["features"][0] | {"feature": "predicted_positive", "column": "prediction"})
    assert line_of(state, "share predicted positive").endswith("drifted")


def test_a_share_of_too_few_rows_is_shown_without_a_judgement() -> None:
    state = state_of(whole_story())
    unjudged = {"feature": "predicted_positive", "column": "prediction", "threshold": None, "drifted": False, "effect": None}
    state["drift"]["features"].append(state["drift"]["features"][0] | unjudged)
    assert "too few rows yet" in line_of(state, "share predicted positive")


def test_what_answers_cost_is_shown_by_event_day_where_people_stated_costs() -> None:
    state = state_of(whole_story())
    assert not [line for line in lines_of(state) if "cost per row" in line]
    last = state["performance"][-1]
    last["metrics"]["cost"] = 1.25
    shown = lines_of(state)
    [title] = [number for number, line in enumerate(shown) if line == "Performance: cost per row by event day"]
    assert shown[title + 2].split()[:4] == [last["version"], last["role"], "1.250", "1.250"]


def test_drifted_columns_come_first_and_then_those_that_move_the_scores() -> None:
    store = whole_story()
    write_batch(store, batch(10), {"hour": 0.01, "price": 0.3, "shop": 0.09})
    shown = [line.split()[0] for line in lines_of(state_of(store)) if line.startswith(("hour", "price", "shop"))]
    assert shown == ["price", "shop", "hour"]


def test_rows_and_seconds_are_shown_by_batch_from_nothing_up() -> None:
    store = whole_story()
    for number, rows in enumerate((49, 0), start=10):
        write_batch(store, batch(number, rows_in=rows, rows_scored=rows, created_at=batch(number).created_at + timedelta(days=1)))
    assert line_of(state_of(store), "Batches:").startswith(f"Batches: rows {'█' * 10}▅▁, seconds")


def test_performance_is_shown_by_day_and_version() -> None:
    assert line_of(state_of(whole_story()), "1 champion") == f"1 champion 0.590 0.545 {RISING}"


def test_the_screen_says_what_is_predicted_and_which_class_the_score_is_about() -> None:
    store = whole_story()
    assert state_of(store)["task"] is None, "its bundle is gone"
    prefix = layout.version_prefix(MODEL, "1")
    for version, said, positive in (
        (make_version(), "predicts bought (binary), score = P(bought = yes)", "yes"),
        (make_version(positive="no"), "predicts bought (binary), score = P(bought = no)", "no"),
        (make_version(task=Task.REGRESSION), "predicts bought (regression), score = the predicted bought", None),
    ):
        store.write(f"{prefix}spec.json", version.spec.to_json())
        state = state_of(store)
        assert (state["task"], state["positive"]) == (version.spec.task, positive)
        assert line_of(state, "predicts") == said


def test_warnings_of_served_versions_are_shown_apart_from_why_they_serve() -> None:
    store = whole_story()
    for version in ("1", "2"):
        found = Decisions(store).of(MODEL, version)
        assert found is not None
        doubts = tuple(Reason(code="constant", message=f"c{number}: the same", warning=True) for number in range(7))
        Decisions(store).write(found.model_copy(update={"reasons": (*found.reasons, *doubts)}))
    state = state_of(store)
    assert all(len(version["warnings"]) == 7 and "c0" not in version["explanation"] for version in state["versions"][:2])
    champion = state["champion"]["version"]
    shown = [line for line in lines_of(state) if "the same" in line or "warnings" in line]
    assert shown[0] == f"warning: version {champion}: c0: the same"
    assert shown[-1].endswith("more warnings: --json has them")


def test_on_a_narrow_terminal_no_word_of_a_version_is_cut() -> None:
    state = state_of(whole_story())
    for version, library in zip(state["versions"], ("scikit-learn", "LightGBM"), strict=False):
        version |= {"library": library, "engine": "bitvector", "engine_means": "kernel"}
    lines = lines_of(state, 80)
    [above] = [place for place, line in enumerate(lines) if line == "Versions"]
    shown = " ".join(lines[above : above + 12])
    assert {"scikit-learn,", "LightGBM,", "bitvector", "(kernel)"} <= set(shown.split())
    assert "…" not in shown


def test_one_screen_is_enough() -> None:
    assert len(lines_of(state_of(whole_story()))) <= 40


def test_before_any_batch_the_screen_says_what_is_missing() -> None:
    store = whole_story()
    store.delete([found.key for prefix in ("manifests/", "emitted/", "performance/", "alerts/") for found in store.list(prefix)])
    shown = lines_of(state_of(store))
    assert "Drift: too few scored rows to judge yet." in shown
    assert "Performance: no labels yet. To send some: everscore labels sales FILE" in shown


def test_the_first_labels_of_a_batch_are_shown_until_all_have_come() -> None:
    state = state_of(whole_story())
    early = {"batch_id": "b", "key": f"batches/{MODEL}/june.csv", "value": 0.5, "low": 0.45, "high": 0.55, "labelled": 300, "rows": 1_000}
    shown = line_of(state | {"early": early}, "Log loss of june.csv")
    assert shown == "Log loss of june.csv on 300 labels of 1,000 rows: 0.500 (95 %: 0.450 to 0.550)"
    assert not any("by its first" in line for line in lines_of(state | {"early": early | {"labelled": 1_000}}))


def test_a_version_that_the_gate_refused_is_shown_as_kept_out() -> None:
    state = state_of(whole_story())
    for decision, said in (("keep", "kept out"), ("promote", "let in")):
        state["versions"] = [state["versions"][0] | {"version": "17", "decision": decision}]
        assert line_of(state, "17 ").startswith(f"17 {said} ")


def test_a_failed_batch_says_why_and_what_to_do() -> None:
    state = state_of(whole_story())
    failed = {"status": "failed", "key": f"batches/{MODEL}/june.csv", "error": "the file has no bytes", "remedy": "upload one with rows"}
    state["batches"][0] |= failed
    lines = [" ".join(line.split()) for line in lines_of(state)]
    assert lines[lines.index("june.csv failed: the file has no bytes") + 1] == "remedy: upload one with rows"


def test_open_alerts_come_with_what_to_type() -> None:
    state = state_of(whole_story())
    alert = {"kind": "drift", "window": "2024-06-01", "message": "drift in price", "file": None, "state": "open"}
    state["alerts"] = [alert]
    assert f"what to do: `everscore messages {MODEL}`; to take an alert up: `everscore alerts {MODEL}` has its name" in lines_of(state)
    state["alerts"] = [alert | {"state": "closed"}]
    assert not [line for line in lines_of(state) if line.startswith("what to do")]


def test_of_an_arn_the_name_at_its_end_is_shown() -> None:
    state = state_of(whole_story()) | {"decided_by": "arn:aws:sts::123456789012:assumed-role/Operators/ann@example.org"}
    assert any("UTC by ann@example.org: " in line for line in lines_of(state))
