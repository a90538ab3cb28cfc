"""Embedded stacks on this machine: one state folder each, and which of them run.

A stack lives as long as its keeper does. A process id alone proves nothing, since ids are used again; together with
the time at which the process started it does.
"""

import fcntl
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psutil

from functions.cataloguing.names import database_name
from functions.shared.domain.document import Document
from functions.shared.domain.errors import NoStackError
from infra.local.folders import (
    LOCK,
    STACK,
    checked_stack_name,
    claim_of,
    is_ours,
    make_folder,
    our_folders,
    read_state,
    remove_folder,
    stacks_home,
)
from infra.local.scraping import CONFIGURATION
from infra.local.servers import ACCOUNT, REGION, SECRET
from infra.local.stack_containers import remove_containers

CHOICE = "EVERSCORE_STACK"
"""The environment variable that names the stack which commands work with."""
KEEPER = "keeper.json"
KEEPER_ARGUMENTS = ("-m", "infra.local.keeper")
CLOCK_STEP_S = 60.0
"""Seconds by which the machine's clock may change while a stack runs; start times of processes change with it."""
DEATH_S = 5.0


class Keeper(Document):
    """The process that keeps a stack: its id, also of its group, and its start time."""

    pid: int
    started: float

    def lives(self) -> bool:
        """Return whether that very process still runs."""
        process = self._process()
        return process is not None and process.status() != psutil.STATUS_ZOMBIE

    def kill(self) -> None:
        """End the stack: the keeper and all that it or its servers started.

        If the keeper is gone but something of its group is left, its id cannot have been given to another process, unless
        the machine was started again and counts from the beginning.
        """
        earlier = self.started < psutil.boot_time() - CLOCK_STEP_S
        if earlier or (self._process() is None and psutil.pid_exists(self.pid)):
            return
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        end = time.monotonic() + DEATH_S
        while self._group_lives() and time.monotonic() < end:
            time.sleep(0.01)

    def _process(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
        except psutil.NoSuchProcess:
            return None
        return process if abs(process.create_time() - self.started) < CLOCK_STEP_S else None

    def _group_lives(self) -> bool:
        return any(group_of(process.pid) == self.pid and _is_alive(process) for process in psutil.process_iter())


class Stack(Document):
    """A running embedded AWS with Everscore deployed, as `stack.json` says.

    `outputs` are the template's; `functions` maps scoring, metric_emission, retraining and release to deployed names.
    """

    name: str
    folder: Path
    endpoint: str
    mlflow_uri: str
    metrics_url: str
    inbox: str
    store: str
    functions: Mapping[str, str]
    outputs: Mapping[str, str]

    def env(self) -> dict[str, str]:
        """Return the environment that a shell, an SDK or the command needs here."""
        return {
            CHOICE: self.name,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": REGION,
            "EVERSCORE_INBOX": self.inbox,
            "EVERSCORE_STORE": self.store,
            "EVERSCORE_ICEBERG_DATABASE": database_name(self.name),
            "EVERSCORE_ICEBERG_S3_ENDPOINT": self.endpoint,
            "MLFLOW_TRACKING_URI": self.mlflow_uri,
            "EVERSCORE_METRICS_URL": self.metrics_url,
            "EVERSCORE_PROMETHEUS_CONFIG": str(self.folder / CONFIGURATION),
            **{f"EVERSCORE_{function.upper()}_FUNCTION": deployed for function, deployed in self.functions.items()},
        }


def running_stacks() -> tuple[Stack, ...]:
    """Return all embedded stacks that are up and whose keeper lives, by name."""
    found = (read_state(folder / STACK, Stack) for folder in our_folders() if _lives(folder))
    return tuple(stack for stack in found if stack is not None)


def stopped_stacks() -> tuple[Path, ...]:
    """Return the folders of stacks that ended without being removed, by name."""
    return tuple(folder for folder in our_folders() if (folder / STACK).exists() and not _lives(folder))


def running_stack(name: str | None = None) -> Stack:
    """Return the running stack of that name.

    Without a name it is the only one, or the only one that is no demo or test run.

    Raises:
        NoStackError: if there is none, or several and no name.
    """
    running, stopped = running_stacks(), [folder.name for folder in stopped_stacks()]
    kept = [stack for stack in running if (claim := claim_of(stack.folder)) is None or claim.kept]
    match [stack for stack in running if stack.name == name] if name else kept or [*running]:
        case [stack]:
            return stack
        case []:
            raise _no_stack(name, [stack.name for stack in running], stopped)
        case _:
            message = f"several embedded stacks are running: {', '.join(stack.name for stack in running)}"
            raise NoStackError(message, remedy=f"name one with --stack or {CHOICE}")


def _no_stack(name: str | None, running: Sequence[str], stopped: Sequence[str]) -> NoStackError:
    """Return the error that the stack does not run, with those that do."""
    if name in stopped or (name is None and stopped):
        which = name or ", ".join(stopped)
        start = f"`everscore local up --stack {name or stopped[0]}` starts it again with all it held"
        return NoStackError(f"the embedded stack {which} has stopped", remedy=start)
    if running or stopped:
        message = f"no embedded stack is named {name!r}; those here: {stack_names(running, stopped)}"
        return NoStackError(message, remedy=f"name one of these with --stack or {CHOICE}")
    return NoStackError("no embedded stack is running", remedy="start one with `everscore local up`")


def stack_names(running: Sequence[str], stopped: Sequence[str]) -> str:
    """Return the names of embedded stacks as a list to read; empty if there are none.

    >>> stack_names(["churn"], ["sales"])
    'churn, sales (stopped)'
    """
    return ", ".join([*running, *(f"{name} (stopped)" for name in stopped)])


def remove_stack(folder: Path) -> None:
    """End a stack and remove its folder; harmless if it has ended."""
    end_stack(folder)
    remove_folder(folder)


def end_stack(folder: Path) -> None:
    """End a stack, or the remains of its process group."""
    if (keeper := read_keeper(folder)) is not None:
        keeper.kill()
    remove_containers(folder)


def read_keeper(folder: Path) -> Keeper | None:
    """Return the keeper of a folder's stack, alive or not; None if it never had one.

    If its document is damaged, a living keeper is found by its command line.
    """
    path = folder / KEEPER
    return read_state(path, Keeper) or (_keeper_at_work(folder) if path.exists() else None)


def _keeper_at_work(folder: Path) -> Keeper | None:
    for process in psutil.process_iter(["cmdline", "create_time"]):
        if (process.info["cmdline"] or [])[1:] == [*KEEPER_ARGUMENTS, str(folder)]:
            return Keeper(pid=process.pid, started=process.info["create_time"])
    return None


@contextmanager
def state_folder(name: str, *, kept: bool = False) -> Iterator[Path]:
    """Hold a state folder to start a stack in; nobody else makes or clears one.

    That is the folder of a stopped stack, if it is to be `kept`; else a new one. If the name is taken, a new one gets the next free
    `<name>-2`, `<name>-3`, … A dead stack's name is free if what it held is nobody's: it never came up, or was not `kept`.
    What other dead stacks left running is ended, and their folders stay. The block must write `keeper.json`, or the next
    caller clears a new folder away.

    Raises:
        InvalidNameError: if a stack cannot have this name.
    """
    home = stacks_home()
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for folder in our_folders():
            if not _lives(folder):
                end_stack(folder)
        wanted = home / checked_stack_name(name)
        if kept and wanted in stopped_stacks():
            yield wanted
            return
        folder = next(filter(_is_free, _candidates(wanted)))
        remove_folder(folder)
        make_folder(folder, kept=kept)
        (folder / "tmp").mkdir()
        yield folder


def _candidates(folder: Path) -> Iterator[Path]:
    yield folder
    yield from (folder.with_name(f"{folder.name}-{number}") for number in count(2))


def _is_free(folder: Path) -> bool:
    if not is_ours(folder):
        return not os.path.lexists(folder)
    claim = claim_of(folder)
    nobodys = not (folder / STACK).exists() or (claim is not None and not claim.kept)
    return nobodys and not _lives(folder)


def _lives(folder: Path) -> bool:
    keeper = read_keeper(folder)
    return keeper is not None and keeper.lives()


def group_of(pid: int) -> int | None:
    """Return the group of a process; None if it ended or belongs to another user."""
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
