"""An input column is found again in a scored file, whatever it is called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.domain.scored_columns import answer_names, free_name, stored_name
from functions.shared.domain.spec import Feature, FeatureKind, ModelSpec, Task

SPEC = ModelSpec(
    name="m",
    task=Task.MULTICLASS,
    target="y",
    id_column="id",
    features=(Feature(name="x", kind=FeatureKind.NUMBER),),
    classes=("a", "b", "c"),
    metric="log_loss",
    estimator="e",
)
ALONE = ("prediction", "score_a", "score_b", "score_c", "model_version", "role")
ROLLOUT = (*ALONE, *(f"{side}_score_{name}" for side in ("champion", "challenger") for name in "abc"))
INPUTS = ("id", "x", "input_x", "role", "prediction", "score_a", "input_score_a", "input_input_score_a", "champion_score_b")


@given(st.sets(st.sampled_from(INPUTS), min_size=1), st.sampled_from([ALONE, ROLLOUT]))
def test_every_input_column_has_a_place_of_its_own_and_is_found_there(inputs: set[str], answers: tuple[str, ...]) -> None:
    taken = {*inputs, *answers}
    places = {name: free_name(name, taken) if name in answers else name for name in inputs}
    assert len({*places.values(), *answers}) == len(inputs) + len(answers), "no column hides another"
    stored = [*places.values(), *answers]
    assert {name: stored_name(name, stored, SPEC) for name in inputs} == places


@pytest.mark.parametrize("answers", [ALONE, ROLLOUT])
def test_all_answers_are_known_by_name(answers: tuple[str, ...]) -> None:
    assert set(answers) <= answer_names(SPEC)
