"""Write docs/policy.md: all thresholds and the gate's reasons, from the code."""

import json
from itertools import groupby
from pathlib import Path

from functions.shared.domain.gate.codes import GateCode
from functions.shared.domain.thresholds import Threshold, thresholds

PAGE = Path(__file__).parents[1] / "docs" / "policy.md"
HEAD = """\
# Policy

All thresholds of a model, with the defaults that were measured ([monitoring](monitoring.md), [updating](updating.md)).
`everscore policy MODEL` shows what is in force and marks what was changed; with `--set NAME=VALUE` it writes the next policy.
The highest number is in force; one that cannot be read is passed over, and raises an [alert](runbook.md#policy).

What follows `row_contract.ranges.` is a column's name to the last letter, dots included. In a range `null` is an open end;
in its place it takes the range away:

```sh
everscore policy MODEL --set "row_contract.ranges.monthly.fee=[0, null]" --reason "fees are never negative"
```

`python -m infra.policy_page` writes this page.
"""

REASONS = """
## The gate's reasons

Each decision gives one or several of these reasons, each with a sentence that has the figures: `everscore status MODEL` shows it.
`--json` shows the code as well.
"""


def page() -> str:
    """Return the whole page."""
    sections = groupby(thresholds().values(), key=lambda threshold: threshold.name.rsplit(".", 1)[0])
    return HEAD + "".join(_section(name, list(found)) for name, found in sections) + _reasons()


def _section(name: str, found: list[Threshold]) -> str:
    rows = (
        f"| `{each.name}` | {_default(each)} | {each.unit} | {each.meaning} | {each.takes.replace('|', '&#124;')} |\n" for each in found
    )
    return f"\n## {name}\n\n| name | default | unit | meaning | takes |\n| --- | --- | --- | --- | --- |\n{''.join(rows)}"


def _reasons() -> str:
    rows = (f"| `{code}` | {code.meaning} |\n" for code in GateCode)
    return f"{REASONS}\n| code | meaning |\n| --- | --- |\n{''.join(rows)}"


def _default(threshold: Threshold) -> str:
    default = threshold.default
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


if __name__ == "__main__":
    PAGE.write_text(page())
