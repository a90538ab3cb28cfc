"""The README's pictures, made from the demo: `make pictures`.

A page of the report in both languages, and the terminal with `everscore status`, each for light and for dark surroundings.
"""

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO, StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.progress import Progress
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME, TerminalTheme

from infra.cli.operator import embedded
from infra.cli.screens.status import status_screen
from infra.demo.flights import MODEL
from infra.demo.story import Length, Story
from infra.local.embedded import embedded_aws
from infra.places import ROOT
from infra.report.report import make_report
from infra.words import CHINESE, ENGLISH, speaking

type ColorScheme = Literal["light", "dark"]

FOLDER = ROOT / "docs/pictures"
SCHEMES: Mapping[ColorScheme, TerminalTheme] = {"light": DEFAULT_TERMINAL_THEME, "dark": SVG_EXPORT_THEME}
PAGE, SHARPNESS, COLOURS = (1100, 1000), 1.5, 128
COLUMNS = 132


def main() -> None:
    """Play the demo's whole loop with fewer weeks, and draw what it leaves."""
    FOLDER.mkdir(exist_ok=True)
    console = Console(stderr=True)
    options: dict[str, Any] = {"parameters": {"ScheduleState": "DISABLED"}, "await_mlflow": False}
    with TemporaryDirectory() as folder:
        with embedded_aws("pictures", **options) as stack, Progress(console=console, transient=True) as progress:
            operator = embedded(stack)
            report = Path(folder, "report.html")
            totals = Story(stack, operator, progress, console, length=Length.FAST, report=report).play()
            pages = {language: _page(language, operator.store, Path(folder)) for language in (ENGLISH, CHINESE)}
        _draw_terminal(totals["final"])
        found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        with sync_playwright() as driver, driver.chromium.launch(executable_path=found) as browser:
            for language, page in pages.items():
                for scheme in SCHEMES:
                    _photograph(browser, page, scheme, FOLDER / f"report-{language}-{scheme}.png")


def _page(language: str, store: Any, folder: Path) -> Path:
    file = folder / f"report-{language}.html"
    with speaking(language):
        file.write_text(make_report(MODEL, store, datetime.now(UTC)), encoding="utf-8")
    return file


def _photograph(browser: Browser, page: Path, scheme: ColorScheme, target: Path) -> None:
    """Take the top of a page, in few enough colours that the file stays small."""
    width, height = PAGE
    with browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=SHARPNESS, color_scheme=scheme) as tab:
        tab.goto(page.as_uri())
        shot = Image.open(BytesIO(tab.screenshot())).convert("RGB")
    shot.quantize(COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


def _draw_terminal(state: dict[str, Any]) -> None:
    for scheme, theme in SCHEMES.items():
        console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True, highlight=False)
        console.print(f"$ everscore status {MODEL}", style="bold")
        console.print(status_screen(state))
        drawn = console.export_svg(title="everscore", theme=theme, code_format=FRAME, unique_id="everscore", font_aspect_ratio=0.6)
        (FOLDER / f"terminal-{scheme}.svg").write_text(drawn, encoding="utf-8")


FRAME = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>{lines}</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
"""As rich frames a terminal, but with the reader's own fonts: rich's come from the network, which a README's picture never asks."""

if __name__ == "__main__":
    main()
