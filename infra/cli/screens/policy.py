"""The screen of a model's thresholds."""

import json
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from functions.shared.domain.thresholds import thresholds, value_of
from infra.cli.screens.drawing import person, table_of
from infra.cli.screens.prose import Prose
from infra.words import _, stored, unit

_PLAIN = {"share", "shares", "probability", "score"}
"""Units of numbers that stand alone: what they are shares of, their meanings say."""


def policy_screen(policy: dict[str, Any]) -> RenderableType:
    """Show each threshold by its name for `--set`; changed ones are marked."""
    table = table_of("", _("name"), _("value"), title=_title(policy))
    for threshold in thresholds().values():
        value = value_of(policy, threshold.name)
        changed = value != threshold.default
        takes = _(" It takes {values}.", values=stored(threshold.takes))
        default = _(" Default: {value}.", value=_written(threshold.default)) if changed else ""
        style = "bold" if changed else ""
        name = Group(Text(threshold.name, style), Padding(Text(f"{stored(threshold.meaning)}{takes}{default}", "dim"), (0, 0, 0, 2)))
        measured = "" if value is None or threshold.unit in _PLAIN else f" {unit(threshold.unit, value)}"
        table.add_row("*" if changed else "", name, Text(f"{_written(value)}{measured}", style))
    mended = _(
        "`everscore policy {model} --set NAME=VALUE` writes a new one from policy {number}", model=policy["model"], number=policy["number"]
    )
    damaged = [
        Prose(_("warning: policy {number} cannot be read and is not in force: {problem}; {mended}", **found, mended=mended), "yellow")
        for found in policy["unreadable"]
    ]
    return Group(*damaged, table, Prose(_("* differs from the default; `--set NAME=VALUE` changes a value"), "dim"))


def _title(policy: dict[str, Any]) -> str:
    if not policy["number"]:
        return _("{model}: the default policy", model=policy["model"])
    by = _(" by {who}", who=person(policy["who"])) if policy["who"] else ""
    why = f"{_(': ')}{policy['why']}" if policy["why"] else ""
    return _("{model}: policy {number}{by}{why}", model=policy["model"], number=policy["number"], by=by, why=why)


def _written(value: object) -> str:
    """Return a value as `--set` takes it.

    >>> _written("all"), _written({"fee": [0.0, None]}), _written(1000000), _written(7.0)
    ('all', '{"fee": [0, null]}', '1000000', '7')
    """
    return value if isinstance(value, str) else json.dumps(_short(value), ensure_ascii=False)


def _short(value: Any) -> Any:
    """Return numbers without a fraction as whole ones."""
    match value:
        case float():
            return int(value) if value.is_integer() else value
        case list():
            return [_short(part) for part in value]
        case dict():
            return {name: _short(part) for name, part in value.items()}
        case _:
            return value
