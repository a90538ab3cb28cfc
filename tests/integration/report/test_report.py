"""The page as text; what a browser makes of it is asked in tests/e2e/test_report.py."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from functions.shared.domain import layout
from functions.shared.domain.advice import ADVICE
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.decision import Fold, Reason
from functions.shared.domain.drift.detection import ColumnDrift, DriftReport
from functions.shared.domain.judgement import BatchJudgement
from functions.shared.domain.manifest import BatchError, PinnedRelease, Status
from functions.shared.domain.performance.days import DayPerformance, GroupPerformance
from functions.shared.domain.performance.estimate import Estimate
from functions.shared.domain.release import Role
from functions.shared.domain.spec import Task
from functions.shared.ports import ObjectStore
from functions.shared.repositories.causes import Sight, follow
from functions.shared.repositories.decisions import Decisions
from infra.report.charts import figures_of
from infra.report.drawing import Figure
from infra.report.estimate_chart import comparisons
from infra.report.gather import gather
from infra.report.report import make_report
from infra.report.summary import summarize
from tests.fakes.documents import make_decision, make_release
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL, make_version
from tests.unit.report.story import (
    FIRST_DAY,
    NOW,
    batch,
    estimate_of,
    on_trial,
    rejected,
    served,
    whole_story,
    write_alert,
    write_batch,
    write_day,
    write_quarantine,
    write_releases,
)

HOSTILE = """</title></svg></style>"'><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7 * 7 }}"""


class Page(HTMLParser):
    """What a browser would find on a page: its elements, its ids, its text by element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags = Counter[str]()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.handlers: list[str] = []
        self.headings: list[int] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        named = dict(attrs)
        self.ids += [str(named["id"])] if "id" in named else []
        self.links += [str(named[name]) for name in ("href", "src", "xlink:href") if name in named]
        self.headings += [int(tag[1])] if re.fullmatch(r"h[1-6]", tag) else []
        self.handlers += [name for name in named if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        self.words += " "

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(make_report(MODEL, whole_story(), NOW))


@pytest.fixture(scope="module")
def figures() -> Mapping[str, tuple[Figure, ...]]:
    return figures_of(gather(MODEL, whole_story(), NOW))


def report_on(store: ObjectStore) -> Page:
    return Page(make_report(MODEL, store, NOW))


def flat(page: Page) -> str:
    return re.sub(r"\s+", " ", page.words)


def test_the_page_says_what_is_predicted_and_which_class_the_score_is_about() -> None:
    store = whole_story()
    assert "predicts" not in flat(report_on(store)), "the bundle is gone"
    key = f"{layout.version_prefix(MODEL, '1')}spec.json"
    store.write(key, make_version(positive="no").spec.to_json())
    assert "It predicts bought (binary): the score is the probability that bought is no" in flat(report_on(store)).replace(" :", ":")
    store.write(key, make_version(task=Task.REGRESSION).spec.to_json())
    assert "It predicts bought (regression)" in flat(report_on(store))


def test_doubts_about_a_training_file_are_marked_on_its_version() -> None:
    store = whole_story()
    doubt = Reason(code="nearly_distinct", message="note: holds another text in nearly every row", warning=True)
    Decisions(store).write(make_decision("7", reasons=(doubt,)))
    html = make_report(MODEL, store, NOW)
    assert '<span class="chip warn">nearly distinct</span> note: holds another text in nearly every row' in html


def test_every_section_of_a_whole_story_has_its_chart(figures: Mapping[str, tuple[Figure, ...]]) -> None:
    assert {section: [figure.name for figure in drawn] for section, drawn in figures.items()} == {
        "serving": ["answered"],
        "versions": ["judgement"],
        "performance": ["performance-log_loss", "performance-auc", "estimates"],
        "drift": ["drift-map", "movers", "predicted"],
        "quarantine": ["quarantined"],
        "batches": ["timings"],
    }


def test_a_chart_says_in_words_what_it_shows(figures: Mapping[str, tuple[Figure, ...]]) -> None:
    words = {figure.name: figure.alt for drawn in figures.values() for figure in drawn}
    assert words["answered"] == "Rows answered, 1 Apr 2013 to 10 Apr 2013: 900 by version 1, 80 by version 2"
    assert words["quarantined"] == "Rows quarantined, 1 Apr 2013 to 10 Apr 2013: missing id 20"
    assert (
        words["judgement"]
        == "version 2 against 1: 0.0500 (0.0200 to 0.0800), let in, version 3 against 1: \N{MINUS SIGN}0.100 (\N{MINUS SIGN}0.200 to \N{MINUS SIGN}0.0500), kept out"
    )
    assert words["drift-map"].endswith("1 of 2 columns drifted at some time. Highest: price 0.180, shop 0.0100")
    assert words["predicted"] == "Share of the rows predicted positive, 1 Apr 2013 to 10 Apr 2013. Last batch: 29 %"
    assert "version 2 as challenger from 0.400 to 0.445" in words["performance-log_loss"]


def test_the_page_needs_neither_network_nor_script(page: Page) -> None:
    assert page.tags["script"] == page.tags["link"] - 1 == 0
    assert [link for link in page.links if not link.startswith("#")] == ["data:,"]


def test_ids_are_unique_and_every_link_has_its_place(page: Page) -> None:
    assert [name for name, count in Counter(page.ids).items() if count > 1] == []
    assert {link.removeprefix("#") for link in page.links if link.startswith("#")} <= set(page.ids)


def test_headings_go_down_one_level_at_a_time(page: Page) -> None:
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(page.headings))


def test_every_table_has_a_caption(page: Page) -> None:
    assert page.tags["table"] == page.tags["caption"] > 0


def test_the_head_says_who_serves_and_that_all_rows_are_accounted_for(page: Page) -> None:
    words = flat(page)
    assert "Version 1 is served since 1 Apr 2013, 12:00 UTC: the first version." in words
    assert "Version 2 is on trial and answers 10 %." in words
    assert "1,000 rows in = 980 scored + 20 quarantined every row of every batch accounted for" in words


def test_rows_that_were_erased_are_a_term_of_their_own() -> None:
    store = MemoryStore()
    write_batch(store, batch(0, rows_in=2132, rows_scored=2106, rows_quarantined=20, rows_erased=6))
    page = flat(report_on(store))
    assert "2,132 rows in = 2,106 scored + 20 quarantined + 6 erased every row of every batch accounted for" in page


def test_lost_rows_are_said_aloud() -> None:
    store = MemoryStore()
    write_batch(store, batch(0))
    write_batch(store, batch(1, rows_in=103))
    words = flat(report_on(store))
    assert "rows are missing in 1 batch" in words
    assert "3 missing" in words
    assert "every row of every batch" not in words


def test_a_versions_card_has_the_gates_figures_and_reasons(page: Page) -> None:
    assert (
        "better gains at least 0.02 gain 0.0500 (0.0200 to 0.0800) minimum effect 0.0100 log loss 0.450 against 0.500 of version 1"
        in flat(page)
    )


def test_a_failed_batch_is_listed_with_its_error() -> None:
    store = MemoryStore()
    failed = batch(
        12,
        status=Status.FAILED,
        release=None,
        served={},
        error=BatchError(code="missing_column", message="no column 'price'", remedy="add it"),
        rows_in=0,
        rows_scored=0,
        rows_quarantined=0,
        quarantined_by_reason={},
        event_days={},
    )
    write_batch(store, failed)
    assert "missing column: no column 'price'" in flat(report_on(store))


def test_alerts_come_with_advice_for_their_kind_only(page: Page) -> None:
    assert "runbook-drift" in page.ids
    assert "runbook-performance" not in page.ids
    assert f"everscore retrain {MODEL}" in flat(page)


def test_the_page_says_how_alerts_stand_and_what_drifts_without_calling_anybody() -> None:
    store = whole_story()
    plain = Alert(
        model=MODEL, kind=AlertKind.DRIFT, window="2013-04-01-0a", message="", evidence={}, runbook="", version="1", raised_at=NOW
    )
    over = plain.model_copy(update={"message": "drift in price", "kind": AlertKind.QUARANTINE})
    follow(MODEL, store, NOW, seen=[Sight(over), Sight(plain.model_copy(update={"message": HOSTILE}), news=False)])
    follow(MODEL, store, NOW, over=lambda name, _: "few rows were quarantined" if name == "quarantine" else "")
    words = flat(report_on(store))
    assert re.search(r"quarantine closed [^·]+ · about 2013-04-01-0a", words)
    assert f"drift too small to send a message: {HOSTILE}" in words


def test_the_page_does_not_say_that_there_is_nothing_where_drift_calls_nobody() -> None:
    store = MemoryStore()
    write_releases(store, make_release())
    assert "None so far." in flat(report_on(store))
    small = Alert(
        model=MODEL, kind=AlertKind.DRIFT, window="2013-04-01-0a", message="shop", evidence={}, runbook="", version="1", raised_at=NOW
    )
    follow(MODEL, store, NOW, seen=[Sight(small, news=False)])
    words = flat(report_on(store))
    assert "drift too small to send a message: shop" in words
    assert "None so far." not in words


def test_every_kind_of_alert_has_advice() -> None:
    assert set(ADVICE) == set(AlertKind)


def test_names_and_rows_of_others_are_shown_and_never_obeyed() -> None:
    store = MemoryStore()
    write_releases(store, make_release(reason=HOSTILE, decided_by=HOSTILE))
    Decisions(store).write(
        make_decision(
            reasons=(Reason(code=HOSTILE, message=HOSTILE),),
            engine_reason=HOSTILE,
            metric="log_loss",
            difference=1.0,
            ci_low=0.5,
            ci_high=2.0,
        )
    )
    release = PinnedRelease(seq=1, champion=HOSTILE)
    rows = [rejected(2, HOSTILE, HOSTILE, HOSTILE)]
    manifest = batch(0, release=release, served={Role.CHAMPION: 98}, quarantined_by_reason={HOSTILE: 2})
    manifest = manifest.model_copy(update={"source": manifest.source.model_copy(update={"key": f"batches/{MODEL}/{HOSTILE}"})})
    write_batch(store, write_quarantine(store, manifest, rows), {HOSTILE: 0.5})
    write_day(store, FIRST_DAY, {(Role.CHAMPION, HOSTILE): 0.5})
    write_alert(store, AlertKind.DRIFT, HOSTILE, **{HOSTILE: HOSTILE})
    html = make_report(MODEL, store, NOW)
    found = Page(html)
    assert found.tags["script"] == found.tags["img"] == 0
    assert found.handlers == []
    assert found.tags["title"] == 1
    assert "<script>alert(1)</script>" in found.words
    assert "{{ 7 * 7 }}" in found.words


def test_a_model_that_was_only_trained_has_a_page_that_says_what_comes_next() -> None:
    store = MemoryStore()
    write_releases(store, make_release())
    Decisions(store).write(make_decision("1", champion_version=None))
    assert not any(figures_of(gather(MODEL, store, NOW)).values())
    words = flat(report_on(store))
    assert "No batch has come yet. Upload one: everscore score sales FILE --wait" in words
    assert "No labels have come yet." in words
    assert "No drift has been measured yet" in words
    assert "No row has been quarantined." in words
    assert "None so far." in words


def test_batches_alone_have_a_page() -> None:
    store = MemoryStore()
    write_batch(store, batch(0, release=None, served={}))
    words = flat(report_on(store))
    assert "Nothing is served yet." in words
    assert "No version has met the gate." in words


def test_labels_without_batches_have_a_page() -> None:
    store = MemoryStore()
    write_releases(store, make_release())
    write_day(store, FIRST_DAY, {(Role.CHAMPION, "1"): 0.5})
    assert "All metrics of 1 event day " in flat(report_on(store))


def test_drift_of_too_few_rows_is_shown_and_not_judged() -> None:
    store = MemoryStore()
    write_batch(store, batch(0))
    column = ColumnDrift(feature="price", column="feature", value=0.9, jensen_shannon=0.4)
    drift = DriftReport(alert=False, rows=98, too_few=True, columns=(column,))
    emitted = BatchJudgement(batch_id=batch(0).batch_id, model=MODEL, version="1", drift=drift, emitted_at=NOW)
    store.write(layout.emitted_key(MODEL, emitted.batch_id), emitted.to_json())
    words = flat(report_on(store))
    assert "98 rows pooled: too few to judge" in words
    assert "price not judged 0.900 n/a n/a 0.400" in words
    assert "Drift unknown too few rows: 98" in words
    assert "Drift by column" not in words


def test_recent_loss_is_of_the_champion_over_its_last_28_mature_days_next_to_training() -> None:
    store = MemoryStore()
    write_releases(store, make_release(champion=served("2"), challenger=on_trial("3", 0.1)))
    Decisions(store).write(make_decision("2", challenger={"log_loss": 0.3}))
    first = date(2013, 1, 1)
    write_batch(store, batch(0, event_days={first + timedelta(days=75): 98}))
    for number, loss in {0: 9.0, 40: 0.4, 67: 0.6, 69: 9.0}.items():
        write_day(
            store, first + timedelta(days=number), {(Role.CHAMPION, "2"): loss, (Role.CHALLENGER, "3"): 5.0, (Role.CHAMPION, "1"): 7.0}
        )
    recent = summarize(gather(MODEL, store, NOW)).recent
    assert recent is not None
    assert (recent.version, recent.days, recent.rows, recent.at_training) == ("2", 2, 100, 0.3)
    assert recent.loss == pytest.approx(0.5)


def test_a_regression_is_reported_by_its_root_mean_squared_error_and_judged_by_its_square() -> None:
    store = MemoryStore()
    write_releases(store, make_release())
    write_batch(store, batch(20))
    Decisions(store).write(make_decision("1", challenger={"rmse": 3.0}))
    Decisions(store).write(make_decision("2", challenger={"rmse": 2.9}, difference=0.5, ci_low=0.1, ci_high=0.9, minimum_effect=0.2))
    group = GroupPerformance(role=Role.CHAMPION, version="1", rows=50, metrics={"rmse": 4.0}, loss_sum=50 * 16.0, loss_sum_squares=1e5)
    day = DayPerformance(model=MODEL, day=FIRST_DAY, rows_predicted=50, rows_labelled=50, groups=(group,))
    store.write(layout.performance_key(MODEL, FIRST_DAY), day.to_json())
    words = flat(report_on(store))
    assert "RMSE lately 4 3 at training" in words
    assert "Mean squared error of the champion less the challenger's" in words
    assert "log loss" not in words.lower()


def test_the_recent_error_of_a_regression_is_not_cut_at_the_ceiling_as_that_at_training_is_not() -> None:
    store = MemoryStore()
    write_releases(store, make_release())
    write_batch(store, batch(20))
    Decisions(store).write(make_decision("1", challenger={"rmse": 3.0}))
    for number, (rows, error) in enumerate([(30, 1.0), (10, 9.0)]):
        cut = {"loss_sum": rows * min(error**2, 4.0), "loss_sum_squares": rows * min(error**2, 4.0) ** 2}
        group = GroupPerformance(role=Role.CHAMPION, version="1", rows=rows, metrics={"rmse": error}, **cut)
        day = FIRST_DAY + timedelta(days=number)
        performance = DayPerformance(model=MODEL, day=day, rows_predicted=rows, rows_labelled=rows, groups=(group,))
        store.write(layout.performance_key(MODEL, day), performance.to_json())
    recent = summarize(gather(MODEL, store, NOW)).recent
    assert recent is not None
    assert recent.loss == pytest.approx(math.sqrt((30 * 1 + 10 * 81) / 40))


def test_the_head_and_the_timeline_say_that_a_model_was_retired() -> None:
    store = MemoryStore()
    retired = make_release(seq=2, retired=True, reason="replaced by rules")
    write_releases(store, make_release(), retired)
    words = flat(report_on(store))
    assert "The model was retired on 1 Apr 2013, 12:00 UTC: replaced by rules. Its last champion was version 1." in words
    assert "Version 1 is served since" not in words
    assert "The model is retired" in words


def test_a_versions_card_shows_how_both_models_did_on_earlier_days() -> None:
    store = MemoryStore()
    write_releases(store, make_release())
    may = {"first_day": date(2013, 5, 1), "last_day": date(2013, 5, 28), "rows": 25_000}
    fold = Fold(**may, champion={"log_loss": 0.4321}, challenger={"log_loss": 0.4123})
    Decisions(store).write(make_decision("2", challenger={"log_loss": 0.45}, cross_validation=(fold,)))
    assert "Days Version 2 Version 1 1 May 2013 to 28 May 2013 0.412 0.432" in flat(report_on(store))


def test_a_batch_that_was_committed_late_stands_among_those_of_its_days() -> None:
    store = MemoryStore()
    for number in (0, 5):
        write_batch(store, batch(number))
    write_batch(store, batch(2, created_at=batch(6).created_at))
    for figure in (drawn[0] for drawn in figures_of(gather(MODEL, store, NOW)).values() if drawn):
        assert re.findall(r">(\d Apr)</t(?:ext|span)>", figure.page) == ["1 Apr", "3 Apr", "6 Apr"], figure.name


def test_an_alert_names_the_features_that_move_the_scores(page: Page) -> None:
    assert "What moves the scores, all else staying as it was: price by 0.018; PSI 0.180 drifted" in flat(page)


def test_features_are_charted_by_what_they_move() -> None:
    store = MemoryStore()
    write_batch(store, batch(0), {"hour": 0.05, "price": 0.3, "shop": 0.2})
    [_, movers] = figures_of(gather(MODEL, store, NOW))["drift"]
    assert (movers.name, movers.alt) == ("movers", "The scores are moved by price 0.03, shop 0.02, hour 0.005")


def test_estimates_are_held_against_the_labels_of_their_rows() -> None:
    store = MemoryStore()
    for number, doubt in enumerate((0.2, 0.01, 0.2)):
        write_batch(store, batch(number), {"price": 0.01}, estimate=estimate_of(0.5, doubt))
    refused = Estimate(rows=98, refusals=(Reason(code="few_rows", message="98 rows, at least 300 are needed"),))
    write_batch(store, batch(3), {"price": 0.01}, estimate=refused)
    write_batch(store, batch(10))
    for number in range(2):
        write_day(store, FIRST_DAY + timedelta(days=number), {(Role.CHAMPION, "1"): 0.6, (Role.CHALLENGER, "2"): 0.5})
    history = gather(MODEL, store, NOW)
    assert [(each.truth, each.borne_out) for each in comparisons(history)] == [(0.6, True), (0.6, False), (None, None)]
    [chart] = [chart for chart in figures_of(history)["performance"] if chart.name == "estimates"]
    assert "Labels bore out 1 of 2 estimates" in chart.note
    assert "Of 1 batch no estimate was given: few rows." in chart.note


@pytest.mark.parametrize(("rows", "later_days", "truth"), [(100, 7, 0.6), (101, 7, None), (100, 6, None)])
def test_a_truth_takes_mature_labels_of_half_the_rows(rows: int, later_days: int, truth: float | None) -> None:
    store = MemoryStore()
    write_batch(store, batch(0, event_days={FIRST_DAY: rows}), {"price": 0.01}, estimate=estimate_of(0.5, 0.2))
    write_batch(store, batch(later_days))
    write_day(store, FIRST_DAY, {(Role.CHAMPION, "1"): 0.6})
    assert [each.truth for each in comparisons(gather(MODEL, store, NOW))] == [truth]
