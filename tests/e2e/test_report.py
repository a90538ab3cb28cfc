"""The report in a real browser: it loads nothing, shows everything, fits a phone, and can be read in the dark."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from functions.shared.domain.alert import AlertKind
from functions.shared.domain.manifest import BatchError, Status
from infra.report.report import make_report
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL
from tests.unit.report.story import NOW, batch, rejected, whole_story, write_alert, write_batch, write_quarantine

type ColorScheme = Literal["light", "dark"]

DESKTOP, PHONE = (1200, 900), (390, 844)
SCHEMES: tuple[ColorScheme, ...] = ("light", "dark")
READABLE = 4.5
"""WCAG 2.2's contrast for text, level AA."""

MARKS = """plots => plots.filter(plot => plot.checkVisibility()).map(plot => ({
  name: plot.closest("figure").id,
  painted: [...plot.querySelectorAll(".role-mark path, .role-mark line")].filter(mark => {
    const style = getComputedStyle(mark), box = mark.getBoundingClientRect();
    const colours = [style.fill, style.stroke].filter(colour => colour !== "none" && colour !== "rgb(0, 0, 0)");
    return colours.length > 0 && box.width + box.height > 0;
  }).length,
}))"""

FAINT = """least => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d", {willReadFrequently: true});
  const seen = colours => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = rgb => rgb.map(c => c / 255).map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const backgrounds = element => element ? [...backgrounds(element.parentElement), getComputedStyle(element).backgroundColor] : [];
  return [...document.querySelectorAll("body *")].filter(element => !element.closest("svg") && element.checkVisibility()
    && [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())).map(element => {
      const [below, text] = [backgrounds(element), getComputedStyle(element).color];
      const [dark, light] = [luminance(seen(below)), luminance(seen([...below, text]))].sort((a, b) => a - b);
      return {text: element.textContent.trim().slice(0, 40), contrast: (light + .05) / (dark + .05)};
    }).filter(found => found.contrast < least);
}"""

BROKEN = """longest => {
  const lines = (text, start, end) => {
    const range = document.createRange();
    range.setStart(text, start); range.setEnd(text, end);
    return new Set([...range.getClientRects()].filter(box => box.width > 0).map(box => Math.round(box.top))).size;
  };
  const broken = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walk.nextNode(); text; text = walk.nextNode()) {
    const around = text.parentElement;
    if (around.closest("svg, code, style") || !around.checkVisibility()) continue;
    for (const word of text.data.matchAll(/[^\\s-]+/g))
      if (word[0].length <= longest && lines(text, word.index, word.index + word[0].length) > 1) broken.push(word[0]);
    const [shown, high] = [text.data.trim(), lines(text, 0, text.length)];
    if (high > 2 && shown.length / high < 12 && !/\\S{13}/.test(shown)) broken.push(shown);
  }
  return broken;
}"""
"""Words that are broken in two though a phone has room for them, and texts that stand in a column a word wide."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found, "Chromium is missing: tests/e2e/install-chromium.sh installs it"
    with sync_playwright() as driver, driver.chromium.launch(executable_path=found) as running:
        yield running


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a whole story, in which some names are as long and as unbreakable as they come."""
    return written(tmp_path_factory, with_long_names(whole_story()))


@pytest.fixture(scope="module")
def bare_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a model that has scored one batch and no more."""
    store = MemoryStore()
    write_batch(store, batch(0))
    return written(tmp_path_factory, store)


def with_long_names(store: MemoryStore) -> MemoryStore:
    manifest = batch(10, quarantined_by_reason={"unparseable_" * 8: 2})
    source = manifest.source.model_copy(update={"key": f"batches/{MODEL}/{'x' * 200}.csv"})
    manifest = manifest.model_copy(update={"source": source})
    rows = [rejected(2, "unparseable_" * 8, "m" * 300, "r" * 5000)]
    write_batch(store, write_quarantine(store, manifest, rows), {"f" * 120: 0.3, "price": 0.05})
    reason = BatchError(code="missing_column", message=f"column {'c' * 40!r} is missing", remedy="mend the file")
    nowhere: dict[str, Any] = {"status": Status.FAILED, "event_days": {}, "served": {}, "rows_scored": 0, "error": reason}
    write_batch(store, batch(300, **nowhere))
    write_alert(store, AlertKind.FAILED, reason.message, code=reason.code, key=f"batches/{MODEL}/new-customers/berlin/2013-04-12.csv.gz")
    return store


def written(folders: pytest.TempPathFactory, store: MemoryStore) -> Path:
    file = folders.mktemp("report") / "report.html"
    file.write_text(make_report(MODEL, store, NOW), encoding="utf-8")
    return file


@dataclass
class Visit:
    """A page that was opened, what it asked for and what it complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def visit(browser: Browser, file: Path, size: tuple[int, int], scheme: ColorScheme = "light") -> Visit:
    width, height = size
    page = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme).new_page()
    found = Visit(page)
    page.on("request", lambda request: found.requests.append(request.url))
    page.on("console", lambda message: found.complaints.append(message.text))
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.goto(file.as_uri())
    return found


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_nothing_is_asked_of_the_network_and_nothing_complained_of(browser: Browser, file: Path, size: tuple[int, int]) -> None:
    found = visit(browser, file, size)
    for summary in found.page.locator("summary").all():
        summary.click()
    assert [url for url in found.requests if not url.startswith("data:")] == [file.as_uri()]
    assert found.complaints == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_every_plot_is_shown_once_and_has_marks_in_colours_of_the_page(browser: Browser, file: Path, size: tuple[int, int]) -> None:
    page = visit(browser, file, size).page
    marks = page.eval_on_selector_all(".plot", MARKS)
    assert sorted(mark["name"] for mark in marks) == sorted(page.eval_on_selector_all("figure", "all => all.map(figure => figure.id)"))
    assert len(marks) == 10
    assert [mark for mark in marks if mark["painted"] == 0] == []


@pytest.mark.parametrize("size", [PHONE, (320, 600), (768, 1024), DESKTOP])
def test_the_page_never_scrolls_sideways(browser: Browser, file: Path, size: tuple[int, int]) -> None:
    page = visit(browser, file, size).page
    page.eval_on_selector_all("details", "all => all.forEach(details => { details.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("size", [PHONE, DESKTOP])
def test_words_stay_whole_and_no_text_is_squeezed_into_a_column(browser: Browser, file: Path, size: tuple[int, int]) -> None:
    page = visit(browser, file, size).page
    page.eval_on_selector_all("details", "all => all.forEach(details => { details.open = true })")
    assert page.evaluate(BROKEN, 24) == []


def test_days_on_axes_name_the_year_once_and_a_failed_batch_brings_no_day_of_its_own(browser: Browser, file: Path) -> None:
    page = visit(browser, file, PHONE).page
    labels = page.eval_on_selector_all("#answered .plot.phone .role-axis-label tspan", "all => all.map(part => part.textContent)")
    assert [label for label in labels if re.fullmatch(r"\d{4}", label)] == ["2013"]
    assert not [label for label in labels if "Jan" in label or "2014" in label]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_all_text_stands_out_from_what_is_behind_it(browser: Browser, file: Path, scheme: ColorScheme, size: tuple[int, int]) -> None:
    page = visit(browser, file, size, scheme).page
    page.eval_on_selector_all("details", "all => all.forEach(details => { details.open = true })")
    assert page.evaluate(FAINT, READABLE) == []


def test_the_dark_page_is_dark_and_the_light_one_light(browser: Browser, file: Path) -> None:
    backgrounds = [
        visit(browser, file, DESKTOP, scheme).page.evaluate("getComputedStyle(document.body).backgroundColor") for scheme in SCHEMES
    ]
    light, dark = ([int(part) for part in colour.removeprefix("rgb(").rstrip(")").split(",")] for colour in backgrounds)
    assert min(light) > 230
    assert max(dark) < 40


def test_on_paper_the_plots_are_those_of_a_page_in_light_colours(browser: Browser, file: Path) -> None:
    page = visit(browser, file, PHONE, "dark").page
    page.emulate_media(media="print")
    assert page.locator(".plot.page:visible").count() == 10
    assert page.locator(".plot.phone:visible").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_a_page_with_little_to_show_is_as_sound(browser: Browser, bare_file: Path) -> None:
    found = visit(browser, bare_file, PHONE, "dark")
    marks = found.page.eval_on_selector_all(".plot", MARKS)
    assert [mark["name"] for mark in marks if mark["painted"]] == ["answered", "quarantined", "timings"]
    assert found.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert found.page.evaluate(FAINT, READABLE) == []
    assert (found.complaints, found.requests) == ([], [bare_file.as_uri()])
