"""Grafana's alert rules, made from the alarms' one definition.

Each links to its section of the runbook.
"""

import yaml

from infra.alarms import Alarm, ModelAlert, with_rules
from infra.grafana.runbook import link_to
from infra.prometheus.rules import rule_name

PROMETHEUS = "everscore-prometheus"
"""The data source that provisioning/datasources names so."""

_HEAD = "# Made by `make dashboards` from infra/alarms.py.\n"
_EVERY = "5m"
_LOOKED_AT = {"from": 600, "to": 0}


def rules_yaml(runbook_panels: list[dict[str, object]]) -> str:
    """Return the provisioning file.

    Where PromQL's condition holds it has a result, above 0, and otherwise none.
    """
    rules = [_rule(alarm, runbook_panels) for alarm in with_rules()]
    group = {"orgId": 1, "name": "everscore", "folder": "Everscore", "interval": _EVERY, "rules": rules}
    return _HEAD + yaml.safe_dump({"apiVersion": 1, "groups": [group]}, sort_keys=False, width=140, allow_unicode=True)


def _rule(alarm: Alarm | ModelAlert, runbook_panels: list[dict[str, object]]) -> dict[str, object]:
    # Grafana would take `$labels` in such a file for a variable of its environment.
    whose = "{{ .Labels.stack }}" if isinstance(alarm, Alarm) else "{{ .Labels.model }} in {{ .Labels.stack }}"
    return {
        "uid": f"everscore-{rule_name(alarm).removeprefix('Everscore').lower()}",
        "title": rule_name(alarm),
        "condition": "B",
        "data": [_query(alarm), _threshold()],
        "noDataState": "OK",
        "execErrState": "Error",
        "for": "0s",
        "labels": {"about": "machinery" if isinstance(alarm, Alarm) else "model"},
        "annotations": {
            "summary": f"{whose}: {alarm.summary}",
            "runbook_url": link_to(alarm.section, runbook_panels),
        },
    }


def _query(alarm: Alarm | ModelAlert) -> dict[str, object]:
    model = {"refId": "A", "expr": alarm.prometheus, "instant": True, "range": False}
    return {"refId": "A", "relativeTimeRange": dict(_LOOKED_AT), "datasourceUid": PROMETHEUS, "model": model}


def _threshold() -> dict[str, object]:
    condition = {"evaluator": {"type": "gt", "params": [0]}}
    model = {"refId": "B", "type": "threshold", "expression": "A", "conditions": [condition]}
    return {"refId": "B", "relativeTimeRange": dict(_LOOKED_AT), "datasourceUid": "__expr__", "model": model}
