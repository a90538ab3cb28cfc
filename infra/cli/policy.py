"""The command that shows and changes a model's thresholds."""

from collections.abc import Sequence
from datetime import UTC, datetime
from getpass import getuser
from typing import Annotated, Any

import typer

from functions.shared.domain.errors import InputError
from functions.shared.domain.policy import Policy
from functions.shared.domain.spec import FeatureKind, ModelSpec
from infra.cli.names import looked_up
from infra.cli.options import AsJson, Model, New, Reason, StackName, pair_of, show
from infra.cli.screens.policy import policy_screen

app = typer.Typer()


@app.command()
def policy(
    model: Model,
    changes: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE by dotted name, repeatable; VALUE is JSON.")] = None,
    reason: Reason = "",
    new: New = False,
    stack: StackName = None,
    as_json: AsJson = False,
) -> None:
    """Show the thresholds of row contract, drift, gate and canary, or change some; with --new before the first training."""
    from functions.shared.domain.spec import checked_model_name
    from functions.shared.repositories.policies import Policies
    from infra.cli.operator import connect, undisputed

    checked_model_name(model)
    operator = connect(stack)
    policies = Policies(operator.store)
    standing, serves = policies.current(model), operator.serves(model)
    if not (new or serves or standing.number):
        looked_up(model, operator.store, otherwise="--new sets the policy of a model that is to be trained")
    named = [pair_of(text) for text in changes or []]

    def change() -> Policy:
        standing = policies.current(model)
        changed = changed_policy(standing, named, who=getuser(), why=reason)
        if serves:
            refuse_unknown_ranges(standing, changed, operator.served_specs(model))
        policies.write(model, changed)
        return changed

    if named:
        standing = undisputed(change)
        if serves:
            operator.ask("Release", {"action": "tick", "model": model, "who": getuser()})
    show(standing.summary(), policy_screen, as_json=as_json)


def refuse_unknown_ranges(standing: Policy, changed: Policy, specs: Sequence[ModelSpec]) -> None:
    """Pass if new ranges are of number features that some version which serves knows.

    Raises:
        InputError: with the names that none knows, and those that they do.
    """
    known = {feature.name for spec in specs for feature in spec.features if feature.kind is FeatureKind.NUMBER}
    unknown = changed.row_contract.ranges.keys() - standing.row_contract.ranges.keys() - known
    if unknown:
        message = (
            f"row_contract.ranges: no number feature is called {', '.join(sorted(unknown))}; there are {', '.join(sorted(known)) or 'none'}"
        )
        raise InputError(message)


def changed_policy(standing: Policy, changes: list[tuple[str, object]], *, who: str, why: str) -> Policy:
    """The next policy: the standing one with some values replaced.

    Args:
        changes: (dotted name, value) pairs, e.g. `("row_contract.ranges.wind_speed", [0, 200])`.

    Raises:
        InputError: if a name is unknown or a value is out of its range.
    """
    from pydantic import ValidationError

    values = standing.model_dump(mode="json")
    for name, value in changes:
        *sections, last = name.split(".")
        section: Any = values
        for part in sections:
            section = section.get(part) if isinstance(section, dict) else None
        if not sections or not isinstance(section, dict):
            message = f"no threshold is called {name!r}; `everscore policy MODEL` lists them"
            raise InputError(message)
        section[last] = value
    values |= {"number": standing.number + 1, "who": who, "why": why, "written_at": datetime.now(UTC).isoformat()}
    try:
        return Policy.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}" for problem in error.errors())
        raise InputError(problems) from error
