"""What a person may set: either refused in plain words, or stored so that every reader can use it."""

import json
import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.shared.domain.errors import InputError
from functions.shared.domain.policy import Policy, RowContract
from functions.shared.domain.release import Role
from functions.shared.domain.thresholds import RANGES, thresholds, unknown, value_of
from functions.shared.repositories.policies import Policies
from infra.cli.policy import changed_policy, setting_of
from infra.policy_page import PAGE, page
from tests.fakes.extremes import all_at, extreme
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL
from tests.unit.metric_emission.test_batches import like_training
from tests.unit.metric_emission.test_upkeep import decided, run_tick
from tests.unit.metric_emission.world import rows
from tests.unit.release.world import in_canary

PYDANTIC = re.compile(r"[Ii]nput should|[Vv]alue error|valid (?:number|integer|tuple|dict)|type=|Field required|Extra inputs|pydantic|ctx")
SHOWN = re.compile(r"cannot be .*: it takes", re.DOTALL)
HUGE = [math.inf, -math.inf, math.nan, 1e300, -1e300, 1e12, 5e-324, 10**400, -1, 0, 0.5, 1, True, None, "", "inf", "NaN", [], {}]
NUMBERS = st.floats() | st.integers() | st.sampled_from(HUGE)
HOSTILE = st.recursive(
    NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
NAMES = st.sampled_from([*thresholds(), f"{RANGES}.price", f"{RANGES}.a.b"])


def set_to(standing: Policy, name: str, value: object) -> Policy:
    return changed_policy("weather", standing, [(name, value)], number=standing.number + 1, who="ann", why="")


def stored(policy: Policy) -> Policy:
    """The policy as the next reader finds it."""
    policies = Policies(MemoryStore())
    policies.write(MODEL, policy)
    assert not policies.standing(MODEL).unreadable
    return policies.current(MODEL)


def use(policy: Policy) -> None:
    """Measure a batch and labels, tick and release by a policy."""
    world = decided()
    Policies(world.store).write(MODEL, policy)
    world.record(world.scored("a.csv", rows(0.2, 0.7), profiles={Role.CHAMPION: like_training(world.baseline, "price")}))
    world.label("id,bought\nr0,no\nr1,yes\n")
    run_tick(world)
    canary = in_canary()
    Policies(canary.store).write(MODEL, policy)
    for _ in range(3):
        canary.tick()


@given(name=NAMES, value=HOSTILE)
@example(name="labels.look_back_days", value=math.inf)
@example(name="labels.look_back_days", value=1e12)
@example(name="labels.delay_days", value=1e300)
@example(name=f"{RANGES}.price", value=[0, math.inf])
@example(name="gate.alpha", value=5e-324)
@example(name="canary.steps", value=[5e-324, 1])
@example(name="row_contract.carry", value=["\udcff"])
@example(name="row_contract.error_budget", value={"ctx": 0.0})
def test_a_value_is_refused_in_plain_words_or_read_again_as_it_was_and_used(name: str, value: object) -> None:
    try:
        policy = set_to(Policy(), name, value)
        found = stored(policy)
    except InputError as refused:
        refusal = str(refused)
    else:
        assert found == policy
        use(found)
        return
    assert len(refusal) > 30
    assert not PYDANTIC.search(SHOWN.sub("", refusal)), "a value may hold any word, what is said of it may not"


@pytest.mark.parametrize("most", [True, False])
def test_what_a_threshold_says_that_it_takes_it_takes_and_everything_goes_on(most: bool) -> None:  # noqa: FBT001
    use(stored(all_at(most=most)))


@pytest.mark.parametrize("most", [True, False])
def test_what_is_beyond_what_a_threshold_takes_is_refused(most: bool) -> None:  # noqa: FBT001
    for name, threshold in thresholds().items():
        limit = extreme(threshold, most=most)
        if limit is not None:
            step = 1 if "whole" in threshold.takes else abs(limit) * 1e-9 or 1e-300
            with pytest.raises(InputError, match=rf"{name} cannot be .*: it takes {re.escape(threshold.takes)}"):
                set_to(Policy(), name, limit + step if most else limit - step)


# Ranges


@pytest.mark.parametrize(
    ("text", "bounds", "in_json"),
    [
        ("[0, null]", (0.0, math.inf), [0.0, None]),
        ("[0, inf]", (0.0, math.inf), [0.0, None]),
        ("[0,Infinity]", (0.0, math.inf), [0.0, None]),
        ("[-inf, 5]", (-math.inf, 5.0), [None, 5.0]),
        ("[null, null]", (-math.inf, math.inf), [None, None]),
        ("[0, 500]", (0.0, 500.0), [0.0, 500.0]),
    ],
)
def test_a_range_may_be_open(text: str, bounds: tuple[float, float], in_json: list[float | None]) -> None:
    found = stored(set_to(Policy(), *setting_of(f"{RANGES}.fee={text}")))
    assert found.row_contract.ranges == {"fee": bounds}
    assert json.loads(found.to_json())["row_contract"]["ranges"] == {"fee": in_json}


@pytest.mark.parametrize("text", ["[500, 0]", "[inf, 5]", "[inf, inf]", "[NaN, 1]", "[0]", "[0, 1, 2]", "0..5", '["a", 1]', "7"])
def test_a_range_that_is_none_is_refused_with_how_it_is_written(text: str) -> None:
    with pytest.raises(InputError, match=rf"^{RANGES}\.fee: .*(write \[lowest, highest\]|write the smaller bound first)"):
        set_to(Policy(), *setting_of(f"{RANGES}.fee={text}"))


def test_a_columns_name_is_taken_to_the_last_letter() -> None:
    name = "monthly.fee [€] = 1"
    policy = set_to(Policy(), f"{RANGES}.{name}", [0, 5])
    assert policy.row_contract.ranges == {name: (0.0, 5.0)}
    assert set_to(policy, f"{RANGES}.{name}", None).row_contract == RowContract()


# Names


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("gate.alhpa", "gate.alpha?"),
        ("labels.look_back", "labels.look_back_days?"),
        ("row_contract.error_budgt", "row_contract.error_budget?"),
        ("auc", "gate.vetoes.auc, gate.label_probe_margin?"),
        ("quarantine.rate", "canary.guardrails.quarantine, row_contract.error_budget, row_contract.ranges?"),
        ("drift.psi", "drift.floor?"),
        ("drift.nothing_like_it", "drift.pooled_batches, drift.min_rows, drift.false_discovery_rate?"),
        ("alpha", "performance.alpha, gate.alpha, canary.alpha?"),
    ],
)
def test_the_nearest_name_is_suggested_for_a_typo(name: str, meant: str) -> None:
    assert unknown(name) == f"no threshold is called {name!r}; did you mean {meant}"


def test_a_name_like_no_threshold_gets_no_suggestion() -> None:
    assert unknown("weather.forecast") == "no threshold is called 'weather.forecast'"


@pytest.mark.parametrize("name", ["gate", "gate.vetoes", "number", "who", "schema_version", "", ".", "nothing.of.it", "gate.vetoes.auc.x"])
def test_what_is_no_threshold_cannot_be_set(name: str) -> None:
    with pytest.raises(InputError, match="`everscore policy weather` lists all thresholds"):
        set_to(Policy(), name, 1)


def test_each_threshold_has_a_meaning_of_its_own_and_its_default_is_the_policys() -> None:
    defaults = Policy().model_dump(mode="json")
    assert all(threshold.meaning.endswith(".") for threshold in thresholds().values())
    assert len({threshold.meaning for threshold in thresholds().values()}) == len(thresholds())
    assert all(value_of(defaults, name) == threshold.default for name, threshold in thresholds().items())


def test_each_leaf_of_a_policy_is_a_threshold() -> None:
    def leaves(part: object, name: str = "") -> list[str]:
        if isinstance(part, dict) and part:
            return [leaf for key, value in part.items() for leaf in leaves(value, f"{name}.{key}".removeprefix("."))]
        return [name]

    head = {"schema_version", "number", "who", "why", "written_at"}
    assert leaves(Policy().model_dump(mode="json", exclude=head)) == list(thresholds())


def test_the_page_of_thresholds_is_what_they_say_of_themselves() -> None:
    assert PAGE.read_text() == page(), "run `python -m infra.policy_page`"
