"""`everscore policy`: show and change a model's thresholds."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import reduce
from operator import getitem
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from functions.shared.domain.errors import InputError
from functions.shared.domain.policy import DecisionPolicy, Policy
from functions.shared.domain.spec import FeatureKind, ModelSpec, Task
from functions.shared.domain.thresholds import RANGES, refuse_senseless, sentences, thresholds, unknown
from infra.cli.names import looked_up
from infra.cli.options import AsJson, Model, New, Reason, StackName, pair_of, show
from infra.cli.screens.policy import policy_screen

if TYPE_CHECKING:
    from infra.cli.operator import Operator

app = typer.Typer()

_RANGE = f"{RANGES}."
_EXAMPLE = "row_contract.error_budget=0.05"
_INFINITE = re.compile(r"\binf(?:inity)?\b", re.IGNORECASE)


@app.command()
def policy(
    model: Model,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE, repeatable: a name that this command lists, and a value as JSON.")
    ] = None,
    reason: Reason = "",
    new: New = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Show a model's thresholds, or change some."""
    from functions.shared.domain.spec import checked_model_name
    from functions.shared.repositories.policies import Policies
    from infra.cli.operator import connect

    checked_model_name(model)
    operator = connect(stack)
    policies = Policies(operator.store)
    standing, serves = policies.standing(model), operator.serves(model)
    if not (new or serves or standing.newest):
        looked_up(model, operator.store, otherwise="--new sets the policy of a model that is to be trained")
    named = [setting_of(text) for text in changes or []]
    if named:
        write_policy(model, named, reason, operator)
        standing = policies.standing(model)
        if serves:
            operator.ask("Release", {"action": "tick", "model": model, "who": operator.who})
    unreadable = [{"number": number, "problem": problem} for number, problem in standing.unreadable.items()]
    show({**standing.policy.summary(), "model": model, "unreadable": unreadable}, policy_screen, as_json=as_json)


def write_policy(model: str, changes: Iterable[tuple[str, object]], reason: str, operator: "Operator") -> None:
    """Put a model's next policy in force: the standing one with some values replaced.

    Raises:
        InputError: if a value is not possible, or means nothing to the versions that serve.
    """
    from functions.shared.repositories.policies import Policies
    from infra.cli.operator import undisputed

    policies, named = Policies(operator.store), list(changes)

    def change() -> None:
        standing = policies.standing(model)
        changed = changed_policy(model, standing.policy, named, number=standing.newest + 1, who=operator.who, why=reason)
        if operator.serves(model):
            specs = operator.served_specs(model)
            refuse_unknown_ranges(standing.policy, changed, specs)
            refuse_undecidable(changed, specs)
        policies.write(model, changed)

    undisputed(change)


def refuse_impossible(model: str, changes: Iterable[tuple[str, object]], operator: "Operator") -> None:
    """Pass if the standing policy could have some values replaced.

    Raises:
        InputError: if a value is not possible.
    """
    from functions.shared.repositories.policies import Policies

    changed_policy(model, Policies(operator.store).current(model), changes, number=1, who="", why="")


def setting_of(text: str) -> tuple[str, object]:
    """Split `NAME=VALUE`; an infinite number may be written as inf.

    >>> setting_of("row_contract.ranges.fee=[0, inf]")
    ('row_contract.ranges.fee', [0, inf])
    """
    name, value = pair_of(text, example=_EXAMPLE)
    return (name, pair_of(f"{name}={_INFINITE.sub('Infinity', value)}", example=_EXAMPLE)[1]) if isinstance(value, str) else (name, value)


def refuse_unknown_ranges(standing: Policy, changed: Policy, specs: Sequence[ModelSpec]) -> None:
    """Check that new ranges are of number features of a version that serves.

    Raises:
        InputError: with the unknown names, and the known ones.
    """
    known = {feature.name for spec in specs for feature in spec.features if feature.kind is FeatureKind.NUMBER}
    unknown = changed.row_contract.ranges.keys() - standing.row_contract.ranges.keys() - known
    if unknown:
        message = f"row_contract.ranges: there is no number feature {', '.join(sorted(unknown))}"
        raise InputError(message, remedy=f"choose from: {', '.join(sorted(known)) or 'none'}", code="unknown_feature")


def refuse_undecidable(changed: Policy, specs: Sequence[ModelSpec]) -> None:
    """Pass if a policy chooses no threshold, or the versions that serve are binary.

    Raises:
        InputError: with the task that has no threshold.
    """
    task = next((spec.task for spec in specs if spec.task is not Task.BINARY), None)
    if task is not None and changed.decision != DecisionPolicy():
        message = f"decision: a {task} model has no threshold, only a binary one has"
        raise InputError(message, remedy="leave decision.threshold and decision.costs at null", code="unfit_policy")


def changed_policy(model: str, standing: Policy, changes: Iterable[tuple[str, object]], *, number: int, who: str, why: str) -> Policy:
    """Return the next policy: the standing one with some values replaced.

    Args:
        model: the model's name, for remedies.
        standing: the policy in force.
        changes: (name, value) pairs, e.g. `("row_contract.ranges.wind_speed", [0, 200])`. What follows `row_contract.ranges.` is
            a column's name to the last letter, and null takes its range away.
        number: of the next policy.

    Raises:
        InputError: if a name is unknown or a value impossible.
    """
    remedy = f"`everscore policy {model}` lists all thresholds, with what each takes"
    values = standing.model_dump(mode="json")
    for name, value in changes:
        if not name.startswith(_RANGE) and name not in thresholds():
            raise InputError(unknown(name), remedy=remedy, code="unknown_threshold")
        section, key = _place(values, name)
        if name.startswith(_RANGE) and value is None:
            section.pop(key, None)
        else:
            section[key] = value
    values |= {"number": number, "who": who, "why": why, "written_at": datetime.now(UTC).isoformat()}
    try:
        changed = Policy.model_validate(values)
        refuse_senseless(changed)
    except ValidationError as error:
        raise InputError(sentences(error), remedy=remedy, code="unfit_policy") from error
    except ValueError as error:
        raise InputError(str(error), remedy=remedy, code="unfit_policy") from error
    return changed


def _place(values: dict[str, Any], name: str) -> tuple[dict[str, Any], str]:
    """Return the part of a policy that holds a threshold, and its key there."""
    if name.startswith(_RANGE):
        return values["row_contract"]["ranges"], name.removeprefix(_RANGE)
    *sections, key = name.split(".")
    return reduce(getitem, sections, values), key
