"""What a person may set: either refused in plain words, or stored so that every reader can use it."""

import json
import math
import re

import pytest

from functions.shared.domain.errors import InputError
from functions.shared.domain.policy import Policy, RowContract
from functions.shared.domain.thresholds import RANGES, thresholds, unknown, value_of
from functions.shared.repositories.policies import Policies
from infra.cli.policy import changed_policy, setting_of
from infra.policy_page import PAGE, page
from tests.fakes.extremes import extreme
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL


def set_to(standing: Policy, name: str, value: object) -> Policy:
    return changed_policy("weather", standing, [(name, value)], number=standing.number + 1, who="ann", why="")


def stored(policy: Policy) -> Policy:
    """The policy as the next reader finds it."""
    policies = Policies(MemoryStore())
    policies.write(MODEL, policy)
    assert not policies.standing(MODEL).unreadable
    return policies.current(MODEL)


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
