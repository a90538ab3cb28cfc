"""The whole loop on real flights: train, score, retrain, release, roll back.

It also shows a canary, a refused challenger, and the automatic withdrawal of a sabotaged version.
"""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, TaskID

from functions.shared.domain import layout
from functions.shared.domain.advice import advice_on
from functions.shared.domain.alert import Alert, AlertKind
from functions.shared.domain.decision import Decision
from functions.shared.domain.errors import EverscoreError
from functions.shared.domain.manifest import Manifest, PinnedRelease
from functions.shared.domain.performance.days import DayPerformance
from functions.shared.domain.policy import GatePolicy, Policy, RowContract
from functions.shared.domain.release import Withdrawal
from functions.shared.repositories.alerts import raised
from functions.shared.repositories.documents import read_document
from functions.shared.repositories.manifests import Manifests
from functions.shared.repositories.policies import Policies
from functions.shared.repositories.releases import Releases
from infra.cli.operator import Operator, wait_for
from infra.cli.screens.drawing import verdict
from infra.cli.state import model_status
from infra.demo import flights
from infra.demo.flights import MODEL
from infra.demo.sabotage import bundle_of_shuffled_labels, force_into_canary, slip_in
from infra.local.stacks import Stack
from infra.report.report import make_report
from infra.words import _, coded, stored

_WAIT_S = 300
_LAST_WEEKS_END = date(2013, 7, 7)
_LONGEST_ROLLOUT = 8
_INDENT = " " * 12


class Length(StrEnum):
    """How much of the demo to play."""

    FULL = "full"
    FAST = "fast"
    """The whole loop, with fewer weeks before the retraining."""
    QUICK = "quick"
    """A first model and two weeks of flights, without retraining."""

    @property
    def weeks(self) -> list[date]:
        """Return the Mondays of the weeks to score before the first retraining."""
        first = {Length.FULL: date(2013, 4, 1), Length.FAST: date(2013, 5, 20), Length.QUICK: date(2013, 6, 24)}[self]
        return [first + timedelta(days=7 * number) for number in range(((_LAST_WEEKS_END - first).days + 1) // 7)]


class DemoFailedError(EverscoreError):
    """The run did not show what the demo promises; the message describes the result."""


def _listed(decided: dict[str, Any]) -> str:
    return _("; ").join(stored(reason["message"]) for reason in decided["reasons"])


@dataclass
class Story:
    """One run of the demo against a stack."""

    stack: Stack
    operator: Operator
    progress: Progress
    console: Console
    length: Length
    report: Path
    manifests: list[Manifest] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    alerts_shown: set[str] = field(default_factory=set)
    kinds_explained: set[AlertKind] = field(default_factory=set)
    withdrawn: Withdrawal | None = None

    def play(self) -> dict[str, Any]:
        """Play it all and return the totals, as `demo --json` prints them."""
        with ThreadPoolExecutor(1) as aside:
            return self._play(aside)

    def _play(self, aside: ThreadPoolExecutor) -> dict[str, Any]:
        started = time.monotonic()
        departures = flights.departures()
        task = self.progress.add_task("2013", total=len(self.length.weeks) + (0 if self.length is Length.QUICK else _LONGEST_ROLLOUT + 4))
        self._write_policy()
        self._train(departures)
        self.progress.advance(task)
        previous = None
        for monday in self.length.weeks:
            previous = self._play_week(flights.week(departures, monday), previous)
            self.progress.advance(task)
        if self.length is not Length.QUICK:
            self._update(departures, previous, task, aside)
        return self._totals(time.monotonic() - started)

    def _update(self, departures: Any, previous: flights.Week | None, task: TaskID, aside: ThreadPoolExecutor) -> None:
        """Promote a better version, refuse a worse one, roll back, withdraw a bad one."""
        won = self._retrain({"action": "retrain"}, _("the nightly schedule asks for a retraining"))
        bad = aside.submit(bundle_of_shuffled_labels, won, self.operator.store)
        self.progress.advance(task)
        monday = self.length.weeks[-1]
        for _week in range(_LONGEST_ROLLOUT):
            monday += timedelta(days=7)
            previous = self._play_week(flights.week(departures, monday), previous)
            self.progress.advance(task)
            if self._tick() in {"promote", "rollback", "none"}:
                break
        window = {"start": "2013-03-01", "end": "2013-03-10"}
        request = {"action": "retrain", "model": MODEL, "trigger": "person", "window": window}
        self._retrain(request, _("a challenger that knows ten days of March only"))
        self.progress.advance(task)
        slip_in(bad.result(), won, self.operator.store)
        released = self.operator.ask(
            "Release", {"action": "rollback", "model": MODEL, "reason": _("the demo returns to version 1"), "who": "demo"}
        )
        served = {"version": released["champion"]["version"], "number": released["seq"]}
        self.say(_("rollback: version {version} serves again (release {number})", **served))
        self._survive_sabotage(won, flights.week(departures, monday + timedelta(days=7)), previous)
        self.progress.advance(task)

    def _survive_sabotage(self, won: Decision, week: flights.Week, previous: flights.Week | None) -> None:
        """Force a version that the gate never saw into a canary, and see it withdrawn.

        Raises:
            DemoFailedError: if it is not withdrawn, or only after its first share.
        """
        version = won.challenger_version
        force_into_canary(won, self.stack)
        self.say(
            _(
                "sabotage: version {version} was trained on shuffled labels, and somebody forces it into a canary",
                version=version,
            )
        )
        self._tick()
        self._play_week(week, previous)
        action = self._tick()
        withdrawn = self.operator.release_of(MODEL).withdrawn
        rows = self.manifests[-1].rows_scored
        if action != "rollback" or withdrawn is None or withdrawn.rows > 2 * withdrawn.share * rows:
            message = f"the sabotaged version {version} was not rolled back by itself within its share: {action}, {withdrawn}"
            raise DemoFailedError(message)
        self.withdrawn = withdrawn
        ended = {"version": version, "answered": withdrawn.rows, "rows": rows, "share": withdrawn.share, "champion": won.champion_version}
        line = _(
            "withdrawn without help: version {version} answered {answered:,} of {rows:,} rows, within its {share:.0%}; "
            "version {champion} scores them again",
            **ended,
        )
        self.say(f"{_INDENT}{line}")
        for batch in withdrawn.answered:
            self.operator.ask("Scoring", {"action": "rescore", "model": MODEL, "batch_id": batch.batch_id})

    def say(self, line: str) -> None:
        """Print one line per step."""
        self.console.print(line, highlight=False, soft_wrap=True)

    def _write_policy(self) -> None:
        contract = RowContract(ranges={"wind_speed": flights.WIND_RANGE})
        policy = Policy(number=1, who="demo", why="no wind blows faster", written_at=datetime.now(UTC), row_contract=contract)
        if self.length is not Length.FULL:  # six fits a retraining, which decide nothing
            policy = policy.model_copy(update={"gate": GatePolicy(folds=0)})
        Policies(self.operator.store).write(MODEL, policy)

    def _train(self, departures: Any) -> None:
        body = io.BytesIO()
        known = flights.between(departures, date(2013, 1, 1), date(2013, 3, 31))
        known.to_parquet(body, index=False)
        uploaded = self.operator.upload(layout.in_inbox(layout.TRAINING, MODEL, "2013-q1.parquet"), body.getvalue())
        request = {
            "action": "train",
            "model": MODEL,
            "key": uploaded.key,
            "version_id": uploaded.version_id,
            "target": flights.TARGET,
            "id_column": flights.ID,
            "time_column": flights.TIME,
        }
        decision = self.operator.ask("Retraining", request)["decision"]
        self.decisions.append(decision)
        wait_for(lambda: Releases(self.operator.store).current(MODEL), _WAIT_S, "release of version 1")
        learnt = {"rows": decision["trained_rows"], "auc": decision["challenger"]["auc"], "engine": decision["engine"]}
        self.say(
            _(
                "version 1 learnt {rows:,} flights of January to March, AUC {auc:.3f} on the newest fifth, engine {engine}",
                **learnt,
            )
        )

    def _play_week(self, week: flights.Week, previous: flights.Week | None) -> flights.Week:
        """Upload a week's flights, and the labels of the week before."""
        uploaded = self.operator.upload(layout.in_inbox(layout.BATCHES, MODEL, f"{week.name}.csv"), week.batch)
        if previous is not None:
            self.operator.upload(layout.in_inbox(layout.LABELS, MODEL, f"{previous.name}.csv"), previous.labels)
        manifest = self.operator.await_manifest(uploaded, timeout_s=_WAIT_S)
        self.manifests.append(manifest)
        if previous is not None:
            self._await_labels(previous)
        release = manifest.release
        if release is None:
            message = f"week {week.name} was not scored: {manifest.error}"
            raise DemoFailedError(message)
        shown = {
            "week": week.name,
            "rows": manifest.rows_scored,
            "version": release.champion,
            "canary": self._canary(release),
            "quarantined": manifest.rows_quarantined,
            "broken": week.broken,
            "seconds": manifest.timings.total_s,
        }
        line = _(
            "{week}  {rows:,} scored by version {version}{canary}, {quarantined} of {broken} broken rows quarantined, {seconds:.2f} s",
            **shown,
        )
        self.say(line + self._performance(previous))
        self._show_alerts()
        return week

    @staticmethod
    def _canary(release: PinnedRelease) -> str:
        if release.challenger is None:
            return ""
        return _(" + version {version} on {share:.0%}", version=release.challenger.version, share=release.challenger.share)

    def _await_labels(self, week: flights.Week) -> None:
        for day in (week.first + timedelta(days=number) for number in range(7)):
            wait_for(lambda day=day: self._day(day), _WAIT_S, f"performance of {day}")  # type: ignore[misc]

    def _day(self, day: date) -> DayPerformance | None:
        return read_document(self.operator.store, DayPerformance, layout.performance_key(MODEL, day))

    def _performance(self, week: flights.Week | None) -> str:
        if week is None:
            return ""
        days = [day for number in range(7) if (day := self._day(week.first + timedelta(days=number)))]
        groups = [group for day in days for group in day.groups if group.role.value == "champion"]
        rows = sum(group.rows for group in groups)
        loss = sum(group.loss_sum for group in groups) / rows
        return _("; the week before: log loss {loss:.3f} on {rows:,} labels", loss=loss, rows=rows)

    def _show_alerts(self) -> None:
        for alert in (Alert.from_json(self.operator.store.read(found.key)) for found in raised(MODEL, self.operator.store)):
            name = f"{alert.kind}-{alert.window}"
            if name not in self.alerts_shown:
                self.alerts_shown.add(name)
                line = _("alert {kind}: {message}", kind=coded(alert.kind.value), message=stored(alert.message))
                self.say(f"{_INDENT}{line}")
                if alert.kind not in self.kinds_explained:
                    self.kinds_explained.add(alert.kind)
                    self.say(f"{_INDENT}  {_(advice_on(alert).meaning)}")

    def _retrain(self, request: dict[str, Any], why: str) -> Decision:
        known = {decision["challenger_version"] for decision in self.decisions}
        answer = self.operator.ask("Retraining", request)
        decision = answer["decision"] or wait_for(lambda: self._new_decision(known), _WAIT_S, "decision")
        self.decisions.append(decision)
        decided = {
            "why": why,
            "version": decision["challenger_version"],
            "decision": verdict(decision["decision"]),
            "reasons": _listed(decision),
        }
        self.say(_("{why}: version {version} → {decision} ({reasons})", **decided))
        if decision["decision"] == "promote":
            wait_for(lambda: self.operator.release_of(MODEL).challenger, _WAIT_S, "canary")
        return Decision.model_validate(decision)

    def _new_decision(self, known: set[str]) -> dict[str, Any] | None:
        from functions.shared.repositories.decisions import Decisions

        fresh = [decision for decision in Decisions(self.operator.store).all(MODEL) if decision.challenger_version not in known]
        return fresh[-1].summary() if fresh else None

    def _tick(self) -> str:
        step = self.operator.ask("Release", {"action": "tick", "model": MODEL, "who": "demo"})
        parts = {"action": coded(step["action"]), "share": step["share"], "reasons": _listed(step)}
        line = _("tick: {action} at {share:.0%} ({reasons})", **parts)
        self.say(f"{_INDENT}{line}")
        return str(step["action"])

    def _totals(self, elapsed_s: float) -> dict[str, Any]:
        stored = list(Manifests(self.operator.store).newest(MODEL))
        for manifest in stored:
            if manifest.rows_in != manifest.rows_scored + manifest.rows_quarantined:
                message = f"batch {manifest.batch_id} lost rows"
                raise DemoFailedError(message)
        self.report.write_text(make_report(MODEL, self.operator.store, datetime.now(UTC)), encoding="utf-8")
        return {
            "elapsed_s": round(elapsed_s, 1),
            "batches": len(stored),
            "rows_in": sum(manifest.rows_in for manifest in stored),
            "rows_scored": sum(manifest.rows_scored for manifest in stored),
            "rows_quarantined": sum(manifest.rows_quarantined for manifest in stored),
            "versions": [decision["challenger_version"] for decision in self.decisions],
            "decisions": self.decisions,
            "withdrawn": self.withdrawn.model_dump(mode="json") if self.withdrawn else None,
            "final": model_status(self.operator.release_of(MODEL), self.operator.store),
            "report": str(self.report),
        }
