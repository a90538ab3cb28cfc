"""The runbook as a page of Grafana, so that an alert's link stays there."""

import re

from grafana_foundation_sdk.builders import dashboard, text
from grafana_foundation_sdk.models.text import TextMode

UID = "everscore-runbook"
_PARTS = re.compile(r"^## (.*)\n", re.MULTILINE)
_SECTIONS = re.compile(r"^### (.*)\n", re.MULTILINE)


def runbook_page(markdown: str) -> dashboard.Dashboard:
    """Return a panel for the introduction and one per section, in order."""
    title, body = markdown.removeprefix("# ").split("\n", 1)
    first, *parts = _PARTS.split(body)
    page = dashboard.Dashboard("Everscore: runbook").uid(UID).description(title).tags(["everscore"]).with_panel(_panel(title, first))
    for part, content in zip(parts[::2], parts[1::2], strict=True):
        introduction, *sections = _SECTIONS.split(content)
        page = page.with_row(dashboard.Row(part)).with_panel(_panel(part, introduction))
        for heading, section in zip(sections[::2], sections[1::2], strict=True):
            page = page.with_panel(_panel(heading, section))
    return page


def link_to(section: str, panels: list[dict[str, object]]) -> str:
    """Return where in Grafana a section stands, among the page's numbered panels."""
    [number] = [panel["id"] for panel in panels if str(panel["title"]).lower() == section]
    return f"/d/{UID}?viewPanel={number}"


def _panel(title: str, markdown: str) -> text.Panel:
    return text.Panel().title(title).mode(TextMode.MARKDOWN).content(markdown.strip()).span(24).height(10)
