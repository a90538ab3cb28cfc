"""An alert becomes one message to each target, whoever fails and however often it is delivered."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from functions.notification.ports import Ports
from functions.notification.service import notify
from functions.shared.domain import layout
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.envelopes import StoredObject
from functions.shared.domain.errors import InputError
from functions.shared.domain.message import Message, message_about
from functions.shared.domain.policy import Policy
from functions.shared.repositories.alerts import raise_once
from functions.shared.repositories.messages import Messages
from functions.shared.repositories.policies import Policies
from tests.fakes.documents import NOW
from tests.fakes.memory_store import MemoryStore
from tests.fakes.versions import MODEL
from tests.fakes.watched_store import Crash, CrashAt, Moment, WatchedStore, Watcher

if TYPE_CHECKING:
    from functions.shared.ports import MessageTarget


@dataclass
class Mailbox:
    """`Target` that keeps what it gets, while it takes anything."""

    closed: bool = False
    got: list[Message] = field(default_factory=list)

    def send(self, message: Message) -> None:
        if self.closed:
            raise ConnectionError("closed")
        self.got.append(message)


@dataclass
class World:
    store: MemoryStore = field(default_factory=MemoryStore)
    mail: Mailbox = field(default_factory=Mailbox)
    pager: Mailbox = field(default_factory=Mailbox)

    def alert(self, kind: AlertKind = AlertKind.SILENT, **fields: str) -> Alert:
        plain = {"model": MODEL, "window": "2013-04-01", "message": "no batch for 30 hours, one is due every 24"}
        alert = Alert(**(plain | fields), kind=kind, evidence={}, runbook=f"docs/runbook.md#{kind}", raised_at=NOW)
        raise_once(alert, self.store)
        return alert

    def deliver(self, alert: Alert, watcher: Watcher = lambda _: None) -> None:
        key = layout.alert_key(alert.model, alert.window, alert.kind.value)
        created = StoredObject(bucket=self.store.bucket, key=key, version_id="v", etag="", size_bytes=1)
        targets: dict[str, MessageTarget] = {"mail": self.mail, "pager": self.pager}
        notify(created, Ports(WatchedStore(self.store, watcher), targets, "prod", lambda: NOW))

    def moments(self, alert: Alert) -> list[Moment]:
        seen: list[Moment] = []
        self.deliver(alert, seen.append)
        return seen


def test_a_message_says_what_happened_since_when_and_what_to_type() -> None:
    world = World()
    world.deliver(world.alert())
    [message] = world.mail.got
    assert message.subject == "prod, sales: silent: no batch for 30 hours, one is due every 24"
    assert message.text.splitlines()[0] == "sales: no batch for 30 hours, one is due every 24"
    assert "Since 2013-04-01 12:00 UTC. No batch has come for longer than the policy's rhythm allows." in message.text
    assert "  everscore status sales --stack prod\n" in message.text
    assert message.text.endswith("everscore report sales -o sales.html --stack prod\nMore: docs/runbook.md#silent")


def test_a_message_about_an_approval_names_the_version_in_its_commands() -> None:
    alert = World().alert(AlertKind.APPROVAL).model_copy(update={"version": "7"})
    assert 'everscore approve sales 7 --reason "…" --stack prod' in message_about(alert, stack="prod").text


def test_a_message_about_a_batch_names_it_in_its_commands() -> None:
    alert = World().alert(AlertKind.QUARANTINE).model_copy(update={"window": "2013-04-01-0a1b2c3d-20130408T120000000000Z"})
    commands = [line.strip() for line in message_about(alert, stack="prod").text.splitlines() if line.startswith("  ")]
    assert commands == ["everscore replay sales 0a1b2c3d --stack prod", "everscore replay sales 0a1b2c3d MENDED.csv --stack prod"]


@pytest.mark.parametrize(
    ("key", "typed"),
    [("labels/sales/june.csv", "everscore labels sales MENDED.csv"), ("batches/sales/june.csv", "everscore score sales MENDED.csv --wait")],
)
def test_a_failed_file_is_sent_again_as_what_it_was(key: str, typed: str) -> None:
    alert = World().alert(AlertKind.FAILED).model_copy(update={"evidence": {"code": "missing_column", "key": key}})
    text = message_about(alert, stack="prod").text
    assert [line.strip() for line in text.splitlines() if line.startswith("  ")] == [f"{typed} --stack prod"]
    assert ("No label of this file could be used" in text) is key.startswith("labels/")


@pytest.mark.parametrize("message", ["a\nBcc: everybody", "é" * 300, "\x1b[2J\x00"])
def test_a_subject_is_one_short_line_whatever_an_alert_says(message: str) -> None:
    subject = message_about(World().alert(message=message), stack="prod").subject
    assert subject.isascii()
    assert subject.isprintable()
    assert len(subject) < 100


def test_an_event_that_comes_again_sends_no_second_message() -> None:
    world = World()
    alert = world.alert()
    for _ in range(3):
        world.deliver(alert)
    assert len(world.mail.got) == len(world.pager.got) == 1


def test_a_target_that_is_down_holds_up_no_other_and_gets_its_message_when_it_is_back() -> None:
    world = World(mail=Mailbox(closed=True))
    alert = world.alert()
    for _ in range(2):
        with pytest.raises(ExceptionGroup):
            world.deliver(alert)
    assert (len(world.mail.got), len(world.pager.got)) == (0, 1)
    world.mail.closed = False
    world.deliver(alert)
    assert (len(world.mail.got), len(world.pager.got)) == (1, 1)


def test_after_a_crash_at_any_call_each_target_gets_the_message_and_knows_a_second_one_by_its_id() -> None:
    undisturbed = World()
    moments = undisturbed.moments(undisturbed.alert())
    assert len(moments) > 10
    for moment in moments:
        world = World()
        alert = world.alert()
        with suppress(Crash, ExceptionGroup):
            world.deliver(alert, CrashAt(moment))
        world.deliver(alert)
        assert world.mail.got
        assert world.pager.got
        for target in (world.mail, world.pager):
            assert {message.id for message in target.got} == {"2013-04-01-silent"}
            assert len(target.got) <= 2


def test_a_target_gets_the_kinds_of_alerts_that_the_policy_gives_it_and_all_if_it_is_not_named() -> None:
    world = World()
    kinds = {"pager": ("failed", "silent"), "elsewhere": ("drift",)}
    Policies(world.store).write(MODEL, Policy(number=1, notifications={"kinds": kinds}))  # type: ignore[arg-type]
    for kind in (AlertKind.SILENT, AlertKind.STALE):
        world.deliver(world.alert(kind))
    assert [message.kind for message in world.pager.got] == ["silent"]
    assert [message.kind for message in world.mail.got] == ["silent", "stale"]


def test_a_kind_that_no_alert_has_is_refused() -> None:
    with pytest.raises(InputError, match="no message is of the kind sillent; kinds are drift, performance, "):
        Policies(MemoryStore()).write(MODEL, Policy(number=1, notifications={"kinds": {"pager": ("sillent",)}}))  # type: ignore[arg-type]


def test_an_alert_that_was_erased_meanwhile_is_no_message() -> None:
    world = World()
    alert = world.alert()
    world.store.delete([layout.alert_key(alert.model, alert.window, alert.kind.value)])
    world.deliver(alert)
    assert world.mail.got == []


def test_messages_are_shown_as_they_were_sent_but_for_those_whose_alert_is_gone() -> None:
    world = World()
    first, second = world.alert(), world.alert(AlertKind.STALE)
    world.deliver(first)
    world.deliver(second)
    messages = Messages(world.store)
    shown = list(messages.named(messages.newest(MODEL), stack="prod"))
    assert [message.text for _, message in shown] == [message.text for message in world.mail.got]
    assert [sent.sent for sent, _ in shown] == [{"mail", "pager"}] * 2
    world.store.delete([layout.alert_key(first.model, first.window, first.kind.value)])
    assert [message.kind for _, message in messages.named(messages.newest(), stack="prod")] == ["stale"]
