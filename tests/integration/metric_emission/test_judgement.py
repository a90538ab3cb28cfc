"""The bench that judges drift and decay with other packages: its truth, its rules and its counting, on figures worked by hand."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from functions.shared.domain.alert import AlertKind
from functions.shared.domain.spec import Task
from tests.bench.judgement.ours import Lived, live
from tests.bench.judgement.stages import Estimated
from tests.bench.judgement.streams import TARGET, TIME, Stream, cut
from tests.bench.judgement.thresholds import by_accuracy, by_auc, by_psi, psi
from tests.bench.judgement.truth import Course, Spell, Verdict, verdict

MONDAY = date(2024, 1, 1)
ROWS = 10


def day(number: int) -> date:
    """A day of the stream by its number, from 0, which is the first that is scored."""
    return MONDAY + timedelta(days=7 + number)


def stream_of(days: int, **columns: Sequence[Any]) -> Stream:
    """A week to learn from, and some days of ten rows each, daily."""
    times = [
        pd.Timestamp(MONDAY) + pd.Timedelta(days=number // ROWS, hours=9, minutes=number % ROWS) for number in range((7 + days) * ROWS)
    ]
    return cut("s", "made here", pd.DataFrame({TIME: times, TARGET: "no", "x": 0.0} | columns), train_days=7)


def lived(stream: Stream, losses: Sequence[float], **columns: Any) -> Lived:
    """A stream that was scored: each day's rows lost that much, where 1 was usual at training."""
    rows = pd.concat([batch.rows.assign(batch=number) for number, batch in enumerate(stream.batches)], ignore_index=True)
    plain = {"loss": np.repeat(losses, ROWS), "score": 0.2, "predicted": 0, "truth": 0.0}
    held = pd.DataFrame({"predicted": [0] * 10, "truth": [0.0] * 10, "score": [0.2] * 10})
    learnt = stream.training.assign(x=np.arange(len(stream.training), dtype=float))
    return Lived((), (), frozenset(), rows.assign(**plain | columns), held, learnt, 1.0, [], ["x"])


def test_a_stream_is_cut_into_days_that_arrive_on_the_next_and_are_labelled_a_week_later() -> None:
    stream = stream_of(3)
    assert len(stream.training) == 70
    assert [len(batch.rows) for batch in stream.batches] == [10, 10, 10]
    assert [batch.arrives for batch in stream.batches] == [day(1), day(2), day(3)]
    assert stream.batches[0].labelled == day(8)


def test_weeks_begin_on_mondays_and_the_last_one_is_left_out_unless_it_is_whole() -> None:
    times = pd.date_range("2024-01-03", "2024-02-01", freq="D")  # a Wednesday to a Thursday
    stream = cut("s", "made here", pd.DataFrame({TIME: times, TARGET: "no"}), train_days=7, batch_days=7)
    assert stream.training[TIME].min().date() == date(2024, 1, 8)
    assert [batch.arrives for batch in stream.batches] == [date(2024, 1, 22), date(2024, 1, 29)]


def test_harm_begins_on_the_day_from_which_a_week_and_four_weeks_are_up_by_more_than_5_percent() -> None:
    stream = stream_of(120)
    found = Course.of(stream, lived(stream, [1.0] * 40 + [1.2] * 30 + [1.0] * 50))
    # A week from day 38 on has five of seven days at 1.2, one from day 39 on six: 1 + .2 * 2 / 7 > 1.05 from day 35 on. Four weeks from there
    # have 23 such days of 28. Four weeks from day 63 on have seven: 1 + .2 * 7 / 28 is 1.05, which is not more; from day 62 on they have eight.
    assert found.harm == (Spell(day(35), day(62 + 27)),)


def test_no_harm_is_a_loss_that_is_up_by_4_percent_or_for_a_week_alone() -> None:
    stream = stream_of(100)
    assert Course.of(stream, lived(stream, [1.0] * 40 + [1.2] * 7 + [1.0] * 53)).harm == ()
    assert Course.of(stream, lived(stream, [1.04] * 100)).harm == ()


def course(days: int, *harm: Spell) -> Course:
    """What happened in some days."""
    return Course(tuple(day(number + 1) for number in range(days)), 1, harm, None)


def test_harm_is_found_by_a_call_before_four_weeks_of_it_have_their_labels() -> None:
    harm = course(200, Spell(day(50), day(120)))
    assert harm.deadline(harm.harm[0]) == day(50 + 28 + 1 + 7)
    assert verdict(harm, [day(49), day(60)]).delays == (10,)
    assert verdict(harm, [day(87)]).delays == (None,)
    assert verdict(harm, [], open_on=[day(70)]).delays == (20,)


def test_calls_are_idle_unless_harm_is_there_or_was_so_lately_that_its_labels_still_come() -> None:
    harm = course(200, Spell(day(50), day(120)))
    said = verdict(harm, [day(49), day(50), day(120), day(128), day(129)])
    assert (said.idle_calls, said.idle_days) == (2, 200 - 79)
    assert said.a_year == pytest.approx(2 * 365.25 / 121)
    assert not said.always
    assert verdict(harm, harm.arrives).always


def test_a_spell_that_began_too_late_for_its_deadline_is_not_judged_and_excuses_calls() -> None:
    harm = course(100, Spell(day(80), day(99)))
    assert verdict(harm, [day(90)]) == Verdict(0, 79, (), always=False)


def test_psi_is_what_its_formula_says() -> None:
    # (.6 - .5) ln(.6/.5) + (.4 - .5) ln(.4/.5) = .1 * .18232 + .1 * .22314
    assert psi(np.array([0.5, 0.5]), np.array([0.6, 0.4])) == pytest.approx(0.040547, abs=1e-6)


def test_the_rules_call_on_the_days_on_which_they_know() -> None:
    stream = stream_of(20)
    moved = lived(stream, [1.0] * 20)
    assert by_psi(stream, moved)["PSI > 0.1"] == [batch.arrives for batch in stream.batches]  # all values are 0, where 0 to 69 were learnt
    wrong = lived(stream, [1.0] * 20, truth=[1.0] * 10 + [0.0] * 190)
    assert by_accuracy(stream, wrong) == [stream.batches[0].labelled]


def test_a_weeks_auc_is_held_against_that_at_training() -> None:
    stream = stream_of(20)
    truth = np.tile([0.0, 1.0], 100)
    ranked = lived(stream, [1.0] * 20, truth=truth, score=truth)
    held = pd.DataFrame({"predicted": [0, 1], "truth": [0.0, 1.0], "score": [0.1, 0.9]})
    known = Lived((), (), frozenset(), ranked.rows.assign(score=1 - ranked.rows["score"]), held, ranked.learnt, 1.0, [], ["x"])
    assert by_auc(stream, known) == []  # a week has 70 rows, of which 100 are asked for
    assert stream.task is Task.BINARY


def test_estimates_are_held_against_the_sampling_error_of_their_truth() -> None:
    estimates = Estimated([[0.9, 0.85, 0.95], None, [0.7, 0.6, 0.75]])
    # √(.8 * .2 / 100) = .04
    assert list(estimates.against([(0.8, 100), (0.5, 100), (0.7, 0)])) == [(pytest.approx(2.5), False)]


def shop(days: int, turned: int) -> Stream:
    """Who sees a low price buys, mostly; from a day of the stream on it is the other way round. Four weeks are learnt."""
    rng = np.random.default_rng(1)
    number = np.arange((28 + days) * 60)
    price, place = rng.normal(size=number.size), rng.choice(["north", "south"], number.size)
    bought = (price + rng.normal(size=number.size) < 0) == (number // 60 < 28 + turned)
    times = pd.Timestamp(MONDAY) + pd.to_timedelta(number // 60, unit="D") + pd.to_timedelta(number % 60, unit="min")
    return cut(
        "shop",
        "made here",
        pd.DataFrame({TIME: times, "price": price, "place": place, TARGET: np.where(bought, "yes", "no")}),
        train_days=28,
    )


def test_everscore_calls_for_a_loss_that_grows_once_its_labels_have_come_and_only_then() -> None:
    stream = shop(24, turned=8)
    found = live(stream)
    first = stream.batches[8]
    assert {call.kind for call in found.calls} == {AlertKind.PERFORMANCE}
    [called] = [call.day for call in found.calls]
    assert first.labelled <= called <= first.labelled + timedelta(days=7)
    assert min(found.open) == called
    assert found.rows["loss"].notna().all()
    assert len(found.estimates) == len(stream.batches)


def test_everscore_calls_nobody_where_nothing_changes() -> None:
    assert live(shop(16, turned=99)).calls == []
