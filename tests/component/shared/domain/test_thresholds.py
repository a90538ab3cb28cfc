"""Whatever policy is accepted, measuring and releasing go on with it."""

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from functions.shared.domain.errors import InputError
from functions.shared.domain.policy import Policy
from functions.shared.domain.release import Role
from functions.shared.domain.thresholds import RANGES, thresholds
from functions.shared.repositories.policies import Policies
from tests.component.metric_emission.test_batches import like_training
from tests.component.metric_emission.test_upkeep import decided, run_tick
from tests.component.metric_emission.world import rows
from tests.component.release.world import in_canary
from tests.fakes.extremes import all_at
from tests.fakes.versions import MODEL
from tests.unit.shared.domain.test_thresholds import set_to, stored

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
