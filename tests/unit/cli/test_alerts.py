"""What is open, which person looks after it, and what nobody is sent messages about."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from functions.notification.ports import Ports
from functions.notification.service import notify
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.cause import State, state_of_alert
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import InputError
from functions.shared.domain.message import message_about
from functions.shared.repositories.causes import Sight, causes_of, follow, quiet
from infra.cli import operator
from infra.cli.alerts import ack, alerts, silence
from tests.fakes.versions import MODEL
from tests.unit.cli.stack import Stack
from tests.unit.notification.test_service import Mailbox

HOUR = timedelta(hours=1)


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Stack:
    stack = Stack(MODEL)
    monkeypatch.setattr(operator, "connect", lambda _: stack)
    return stack


def drift(stack: Stack, now: datetime, batch: str = "0a1b2c3d", message: str = "drift in price (PSI 0.31)") -> Alert:
    """Drift is seen at a time."""
    alert = Alert(
        model=MODEL,
        kind=AlertKind.DRIFT,
        window=f"2013-04-01-{batch}",
        message=message,
        evidence={"price": 0.31},
        version="1",
        runbook="docs/runbook.md#drift",
        raised_at=now,
    )
    follow(MODEL, stack.store, now, seen=[Sight(alert)])
    return alert


def messages(stack: Stack, now: datetime) -> list[str]:
    """The subjects of what is sent if all that is stored about alerts is delivered at a time."""
    mail = Mailbox()
    for found in stack.store.list("alerts/"):
        created = StoredObject(bucket="store", key=found.key, version_id="v", etag="", size_bytes=1)
        notify(created, Ports(stack.store, {"mail": mail}, "prod", lambda: now))
    return [message.subject for message in mail.got]


def listed(capsys: pytest.CaptureFixture[str], *, every: bool = False) -> list[dict[str, object]]:
    alerts(MODEL, every=every, as_json=True)
    found: list[dict[str, object]] = json.loads(capsys.readouterr().out)["alerts"]
    return found


def test_an_alert_is_listed_with_how_often_it_was_seen(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    drift(stack, now)
    drift(stack, now + HOUR, "11111111")
    [shown] = listed(capsys)
    assert (shown["name"], shown["state"], shown["seen"]) == ("drift-v1", "open", 2)
    assert (shown["since"], shown["seen_at"]) == (now.isoformat(), (now + HOUR).isoformat())


def test_what_to_do_is_shown_while_an_alert_is_open(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    drift(stack, now)
    alerts(MODEL)
    todo = f"what to do: `everscore messages {MODEL}`; to take one up: `everscore ack {MODEL} ALERT --reason WHY`"
    assert capsys.readouterr().out.splitlines()[-1] == todo
    follow(MODEL, stack.store, now, over=lambda *_: "version 2 serves instead")
    alerts(MODEL, every=True)
    shown = capsys.readouterr().out
    assert "version 2 serves instead" in shown
    assert "what to do" not in shown


def test_an_alert_that_somebody_looks_after_says_who_and_why(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    drift(stack, datetime.now(UTC))
    ack(MODEL, "drift-v1", reason="new prices since Monday")
    assert f"drift-v1 is looked after by {stack.who}: new prices since Monday" in capsys.readouterr().out
    [shown] = listed(capsys)
    assert shown["state"] == "acknowledged"


def test_a_closed_alert_is_shown_when_asked_for(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    drift(stack, now)
    follow(MODEL, stack.store, now + HOUR, over=lambda *_: "version 2 serves instead")
    assert listed(capsys) == []
    [shown] = listed(capsys, every=True)
    assert (shown["state"], shown["closed_by"]) == ("closed", "version 2 serves instead")
    alerts(MODEL, every=True)
    assert "version 2 serves instead" in capsys.readouterr().out


def test_an_alert_whose_cause_was_closed_long_ago_is_closed(stack: Stack) -> None:
    now = datetime.now(UTC)
    before = now - timedelta(days=40)
    alert = drift(stack, before)
    follow(MODEL, stack.store, before + HOUR, over=lambda *_: "version 2 serves instead")
    other = alert.model_copy(update={"kind": AlertKind.QUARANTINE, "raised_at": now})
    follow(MODEL, stack.store, now, seen=[Sight(other)])
    causes = causes_of(MODEL, stack.store)
    assert "drift-v1" not in causes.causes
    assert [state_of_alert(causes, found, now, quiet=()) for found in (alert, other)] == [State.CLOSED, State.OPEN]


def test_an_alert_of_an_earlier_time_stays_closed_when_its_cause_opens_again(stack: Stack) -> None:
    now = datetime.now(UTC)
    first = drift(stack, now)
    follow(MODEL, stack.store, now + HOUR, over=lambda *_: "the last batches look as at training again")
    second = drift(stack, now + 2 * HOUR, "11111111")
    causes = causes_of(MODEL, stack.store)
    assert [state_of_alert(causes, found, now + 3 * HOUR, quiet=()) for found in (first, second)] == [State.CLOSED, State.OPEN]


def test_nothing_is_said_of_the_state_of_an_alert_that_an_earlier_version_raised(stack: Stack) -> None:
    now = datetime.now(UTC)
    alert = drift(Stack(MODEL), now)
    assert state_of_alert(causes_of(MODEL, stack.store), alert, now, quiet=()) is None


def test_what_called_nobody_is_in_the_digest_until_it_calls(stack: Stack) -> None:
    now = datetime.now(UTC)
    unseen = drift(Stack(MODEL), now)
    follow(MODEL, stack.store, now, seen=[Sight(unseen, news=False)])
    assert [*quiet(causes_of(MODEL, stack.store), stack.store)] == ["drift-v1"]
    louder = unseen.model_copy(update={"window": "2013-04-02-11111111"})
    follow(MODEL, stack.store, now + HOUR, seen=[Sight(louder, news=True)])
    assert [*quiet(causes_of(MODEL, stack.store), stack.store)] == []


def test_drift_that_is_back_and_calls_nobody_is_in_the_digest_and_its_earlier_alert_stays_closed(stack: Stack) -> None:
    now = datetime.now(UTC)
    first = drift(stack, now)
    follow(MODEL, stack.store, now + HOUR, over=lambda *_: "the last batches look as at training again")
    back = first.model_copy(update={"window": "2013-04-02-11111111", "message": "drift in shop", "raised_at": now + 2 * HOUR})
    follow(MODEL, stack.store, now + 2 * HOUR, seen=[Sight(back, news=False)])
    causes = causes_of(MODEL, stack.store)
    digest = quiet(causes, stack.store)
    assert [cause.message for cause in digest.values()] == ["drift in shop"]
    assert state_of_alert(causes, first, now + 3 * HOUR, quiet=digest) is State.CLOSED
    louder = back.model_copy(update={"window": "2013-04-03-22222222", "raised_at": now + 4 * HOUR})
    follow(MODEL, stack.store, now + 4 * HOUR, seen=[Sight(louder, news=True)])
    causes = causes_of(MODEL, stack.store)
    assert quiet(causes, stack.store) == {}
    assert [state_of_alert(causes, found, now + 5 * HOUR, quiet=()) for found in (first, louder)] == [State.CLOSED, State.OPEN]


def test_a_failure_whose_alert_was_erased_is_not_in_the_digest_of_drift(stack: Stack) -> None:
    now = datetime.now(UTC)
    evidence = {"code": "missing_column", "key": f"batches/{MODEL}/a.csv"}
    broken = Alert(
        model=MODEL,
        kind=AlertKind.FAILED,
        window="2013-04-01-0a1b2c3d",
        message="a.csv failed",
        evidence=evidence,
        runbook="",
        raised_at=now,
    )
    follow(MODEL, stack.store, now, seen=[Sight(broken)])
    stack.store.delete([layout.alert_key(MODEL, broken.window, AlertKind.FAILED.value)])
    causes = causes_of(MODEL, stack.store)
    assert [*causes.open()] == ["failed-missing_column"]
    assert quiet(causes, stack.store) == {}


def test_one_cause_sends_one_message_and_one_when_it_is_over(stack: Stack) -> None:
    now = datetime.now(UTC)
    for number in range(5):
        drift(stack, now + number * HOUR, f"{number}" * 8)
    follow(MODEL, stack.store, now + 6 * HOUR, over=lambda *_: "version 2 serves instead")
    over, raised = sorted(messages(stack, now + 6 * HOUR))
    assert raised == f"prod, {MODEL}: drift: drift in price (PSI 0.31)"
    assert over.startswith(f"prod, {MODEL}: drift: closed, version 2 serves instead; since ")
    assert messages(stack, now + 7 * HOUR) == []


@pytest.mark.parametrize("named", ["drift", "drift-v1"])
def test_nothing_is_sent_while_an_alert_or_its_kind_is_silenced(stack: Stack, named: str) -> None:
    now = datetime.now(UTC)
    drift(stack, now)
    silence(MODEL, named, reason="known season", days=7)
    assert messages(stack, now + HOUR) == []
    assert messages(stack, now + timedelta(days=8)) == [f"prod, {MODEL}: drift: drift in price (PSI 0.31)"], "if it is delivered then"


def test_what_lasts_beyond_its_silence_calls_again(stack: Stack) -> None:
    now = datetime.now(UTC)
    drift(stack, now)
    assert len(messages(stack, now)) == 1
    silence(MODEL, "drift-v1", reason="known season", days=7)
    for day in (3, 8, 9):
        drift(stack, now + timedelta(days=day), f"{day}" * 8, f"drift in price (PSI 0.{day})")
    assert messages(stack, now + timedelta(days=9)) == [f"prod, {MODEL}: drift: drift in price (PSI 0.8)"]


def test_a_silence_of_no_days_ends_one(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    drift(stack, datetime.now(UTC))
    silence(MODEL, "drift-v1", reason="known season", days=7)
    assert "no messages about drift-v1 until" in capsys.readouterr().out
    silence(MODEL, "drift-v1", reason="not so known", days=0)
    alerts(MODEL)
    assert "no messages" not in capsys.readouterr().out


def test_what_outlasts_a_silence_that_a_person_ended_calls_again(stack: Stack) -> None:
    drift(stack, datetime.now(UTC))
    assert len(messages(stack, datetime.now(UTC))) == 1
    silence(MODEL, "drift", reason="known season", days=7)
    silence(MODEL, "drift", reason="not so known", days=0)
    now = datetime.now(UTC)
    for hours in (1, 2):
        drift(stack, now + hours * HOUR, f"{hours}" * 8, f"drift in shop (PSI 0.{hours})")
    assert messages(stack, now + 3 * HOUR) == [f"prod, {MODEL}: drift: drift in shop (PSI 0.1)"]


def test_the_end_of_a_silence_that_is_none_calls_nobody(stack: Stack) -> None:
    now = datetime.now(UTC)
    drift(stack, now)
    silence(MODEL, "drift", reason="a slip", days=0)
    drift(stack, now + HOUR, "11111111", "drift in shop (PSI 0.5)")
    assert messages(stack, now + HOUR) == [f"prod, {MODEL}: drift: drift in price (PSI 0.31)"]


def test_a_silence_is_known_until_what_it_kept_back_is_seen_again(stack: Stack) -> None:
    now = datetime.now(UTC)
    silence(MODEL, "drift", reason="known season", days=7)
    drift(stack, now + HOUR)
    assert messages(stack, now + 2 * HOUR) == []
    other = Alert(
        model=MODEL, kind=AlertKind.STALE, window="2013-06-01", message="old", evidence={}, runbook="", raised_at=now + timedelta(days=60)
    )
    follow(MODEL, stack.store, now + timedelta(days=60), seen=[Sight(other)])
    drift(stack, now + timedelta(days=90), "11111111", "drift in price (PSI 0.4)")
    assert f"prod, {MODEL}: drift: drift in price (PSI 0.4)" in messages(stack, now + timedelta(days=90))


def test_an_unknown_alert_is_refused_with_those_that_are_open(stack: Stack) -> None:
    drift(stack, datetime.now(UTC))
    with pytest.raises(InputError, match=r"no open alert of 'sales' is called 'drfit'\nremedy: choose from: drift-v1$"):
        ack(MODEL, "drfit", reason="a slip")
    with pytest.raises(InputError, match="choose from: drift-v1, drift, performance"):
        silence(MODEL, "drfit", reason="a slip")


def test_a_failure_is_listed_without_what_it_quotes(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    evidence = {"code": "missing_column", "key": f"batches/{MODEL}/a.csv"}
    plain = {"model": MODEL, "window": "2013-04-01-0a1b2c3d", "runbook": "docs/runbook.md#failed", "raised_at": now}
    broken = Alert(kind=AlertKind.FAILED, message=f"batches/{MODEL}/a.csv failed: no column 'price'", evidence=evidence, **plain)
    follow(MODEL, stack.store, now, seen=[Sight(broken)])
    assert b"price" not in stack.store.read(layout.causes_key(MODEL))
    alerts(MODEL)
    assert "see everscore status" in capsys.readouterr().out


def test_alerts_about_files_that_name_no_model_are_listed_and_taken_up(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(UTC)
    named = {"model": layout.UNNAMED_MODEL, "kind": AlertKind.FAILED, "window": "2013-04-01-0a1b2c3d", "evidence": {"code": "no_model"}}
    alert = Alert(**named, message="batches/april.csv failed", runbook="docs/runbook.md#failed", raised_at=now)
    follow(layout.UNNAMED_MODEL, stack.store, now, seen=[Sight(alert)])
    ack(layout.UNNAMED_MODEL, "failed-no_model", reason="they upload it again")
    silence(layout.UNNAMED_MODEL, "failed-no_model", reason="known", days=1)
    capsys.readouterr()
    alerts(layout.UNNAMED_MODEL, as_json=True)
    [shown] = json.loads(capsys.readouterr().out)["alerts"]
    assert (shown["name"], shown["state"], shown["acknowledged"]["reason"]) == ("failed-no_model", "silenced", "they upload it again")


def test_a_message_about_a_file_that_names_no_model_has_no_command_that_is_refused() -> None:
    named = {"model": layout.UNNAMED_MODEL, "kind": AlertKind.FAILED, "window": "2013-04-01-0a1b2c3d", "evidence": {"code": "no_model"}}
    alert = Alert(**named, message="batches/april.csv failed", runbook="docs/runbook.md#failed", raised_at=datetime.now(UTC))
    said = message_about(alert, stack="prod").text
    assert "everscore score MODEL MENDED.csv --wait --stack prod" in said
    assert "report" not in said
    over = message_about(alert.model_copy(update={"closed": True}), stack="prod").text
    assert [line.strip() for line in over.splitlines() if "everscore" in line] == ["everscore alerts _unnamed --all --stack prod"]
