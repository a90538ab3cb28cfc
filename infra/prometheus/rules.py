"""Alert rules for Prometheus, made from the alarms' one definition.

`python -m infra.prometheus.rules [RUNBOOK]` writes them again.

RUNBOOK is where docs/runbook.md can be read from Alertmanager's messages: its address in your copy of this repository.
"""

import sys
from pathlib import Path

import yaml

from infra.alarms import Alarm, ModelAlert, with_rules

RULES = Path(__file__).parent / "rules" / "everscore.yml"
RUNBOOK = "docs/runbook.md"
_HEAD = "# Made by `python -m infra.prometheus.rules` from infra/alarms.py.\n"


def rules_text(runbook: str = RUNBOOK) -> str:
    """Return the rule file in YAML; its links go to that runbook's sections."""
    groups = [{"name": "everscore", "rules": [_rule(alarm, runbook) for alarm in with_rules()]}]
    return _HEAD + yaml.safe_dump({"groups": groups}, sort_keys=False, width=120, allow_unicode=True)


def rule_name(alarm: Alarm | ModelAlert) -> str:
    """Return a rule's name: `Everscore` and the alarm's name or alert's kind."""
    return f"Everscore{alarm.name.removesuffix('Alarm') if isinstance(alarm, Alarm) else alarm.kind.capitalize()}"


def _rule(alarm: Alarm | ModelAlert, runbook: str) -> dict[str, object]:
    whose = "{{ $labels.stack }}" if isinstance(alarm, Alarm) else "{{ $labels.model }} in {{ $labels.stack }}"
    return {
        "alert": rule_name(alarm),
        "expr": alarm.prometheus,
        "labels": {"about": "machinery" if isinstance(alarm, Alarm) else "model"},
        "annotations": {"summary": f"{whose}: {alarm.summary}", "runbook_url": f"{runbook}#{alarm.section}"},
    }


if __name__ == "__main__":
    RULES.parent.mkdir(exist_ok=True)
    RULES.write_text(rules_text(*sys.argv[1:2]))
