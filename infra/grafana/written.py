"""All files that are made from the catalogue, by their place below this folder."""

from collections.abc import Mapping
from pathlib import Path

from infra.grafana.dashboards import SOURCES, dashboard_json
from infra.grafana.fleet import FLEET
from infra.grafana.model import MODEL_PAGE

FOLDER = Path(__file__).parent
PAGES = (FLEET, MODEL_PAGE)


def files() -> Mapping[str, str]:
    """Text by name."""
    return {f"pages/{source.type}/{page.name}.json": dashboard_json(page, source) for source in SOURCES for page in PAGES}
