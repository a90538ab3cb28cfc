"""The screen of a model's thresholds."""

from typing import Any

from rich.console import RenderableType

from infra.cli.screens.drawing import table_of


def policy_screen(policy: dict[str, Any]) -> RenderableType:
    """Every threshold by its dotted name, as `--set` takes it."""
    table = table_of("name", "value", title=f"Policy {policy['number']}" + (f": {policy['why']}" if policy["why"] else ""))
    for name, value in flattened({key: value for key, value in policy.items() if isinstance(value, dict)}):
        table.add_row(name, str(value))
    return table


def flattened(nested: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Leaves by dotted name; an empty object is a leaf.

    >>> flattened({"gate": {"alpha": 0.05, "vetoes": {}}})
    [('gate.alpha', 0.05), ('gate.vetoes', {})]
    """
    leaves: list[tuple[str, Any]] = []
    for name, value in nested.items():
        leaves += flattened(value, f"{prefix}{name}.") if isinstance(value, dict) and value else [(prefix + name, value)]
    return leaves
