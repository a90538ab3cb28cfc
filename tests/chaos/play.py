"""One run from beginning to end: a stack is used and hurt, is left in peace, and is audited."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from tests.chaos.auditor import Auditor, Findings
from tests.chaos.faults import INSIDE, Faults
from tests.chaos.files import MODEL
from tests.chaos.inside import DEADLY
from tests.chaos.scenario import Scenario
from tests.chaos.stage import Stage, hurt_stack

MOST_WAITING = {"ScoringQueue": 15, "MetricQueue": 150}
"""Messages in a queue above which nothing new happens."""
MOST_TO_REPEAT = 40
"""Messages to measure above which no event comes again: first those that wait are measured."""
PAUSE_S = 1.5


@dataclass(frozen=True, slots=True)
class Played:
    """What was done, how it was hurt, and what was found."""

    acts: dict[str, int]
    faults: dict[str, int]
    sent_back: dict[str, int]
    people_erased: int
    found: Findings


def play(folder: Path, *, seed: int, seconds: float, faults: int, progress: Callable[[str], None]) -> Played:
    """Use and hurt a stack until there were that many faults or the time is over, and audit it.

    Args:
        folder: an empty one, for the stack's project and notes.
        seed: of all that is done; what it meets is also the machine's chance.
        seconds: of faults at most; the beginning, the rest and the audit come in addition.
        faults: to stop after.
        progress: gets a line now and then.
    """
    with hurt_stack(folder) as stage:
        scenario, hurting = Scenario(stage, Random(seed), datetime.now(UTC).date()), Faults(stage, Random(seed + 1))
        progress("training two versions")
        scenario.begin()
        _trouble(stage, scenario, hurting, time.monotonic() + seconds, faults, progress)
        progress("waiting until all is quiet")
        hurting.end()
        scenario.end()
        hurting.kill_aws()
        stage.wait_until_quiet()
        stage.end_dead_leases()
        explained = stage.sent_back.total()
        left = scenario.erase_again()
        stage.wait_until_quiet()
        progress("auditing")
        auditor = Auditor(stage.s3, stage.stack.inbox, stage.stack.store, stage.tables().rows)
        found = auditor.audit(scenario.sent, scenario.labels, scenario.erased, left=left, failed=[f"batches/{MODEL}/{DEADLY}.csv"])
        unexplained = stage.sent_back.total() - explained
        found.expect(not unexplained, f"{unexplained} dead letters came when nothing was hurt any more")
        return Played(dict(scenario.acts), dict(hurting.counted()), dict(stage.sent_back), len(scenario.erased), found)


def _trouble(stage: Stage, scenario: Scenario, hurting: Faults, end: float, faults: int, progress: Callable[[str], None]) -> None:
    stage.odds(INSIDE)
    scenario.upload_deadly()
    said = time.monotonic()
    while time.monotonic() < end and hurting.counted().total() < faults:
        waiting = {queue: stage.depth(queue) for queue in MOST_WAITING}
        if all(waiting[queue] < most for queue, most in MOST_WAITING.items()):
            scenario.act()
            hurting.strike(repeat=waiting["MetricQueue"] < MOST_TO_REPEAT)
        time.sleep(PAUSE_S)
        if time.monotonic() > said + 20:
            said = time.monotonic()
            stage.send_back()
            progress(f"{hurting.counted().total():,} faults, {len(scenario.sent):,} uploads, waiting: {stage.waiting()}")
