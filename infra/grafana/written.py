"""Gather all generated files by their place below this folder.

Pages are made from the catalogue and the runbook, alert rules from the alarms.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from infra.grafana.alerting import rules_yaml
from infra.grafana.dashboards import SOURCES, dashboard_json, page_json
from infra.grafana.fleet import FLEET
from infra.grafana.model import MODEL_PAGE
from infra.grafana.runbook import runbook_page

FOLDER = Path(__file__).parent
RUNBOOK = FOLDER.parents[1] / "docs/runbook.md"
PAGES = (FLEET, MODEL_PAGE)


def files() -> Mapping[str, str]:
    """Text by name."""
    runbook = dashboard_json(runbook_page(RUNBOOK.read_text(encoding="utf-8")))
    return {
        **{f"pages/{source.type}/{page.name}.json": page_json(page, source) for source in SOURCES for page in PAGES},
        "pages/prometheus/runbook.json": runbook,
        "provisioning/alerting/everscore.yaml": rules_yaml(json.loads(runbook)["panels"]),
    }
