"""Embedded stacks on this machine: one state folder each, and how living ones are told from dead ones.

A stack lives as long as its keeper does. A process id alone proves nothing, since ids are used again; together with
the time at which the process started it does.
"""

import fcntl
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from functions.shared.domain.document import Document
from functions.shared.domain.errors import NoStackError
from infra.local.servers import ACCOUNT, REGION, SECRET
from infra.local.stack_containers import remove_containers

KEEPER, STACK = "keeper.json", "stack.json"
CLOCK_STEP_S = 60.0
"""By how much the machine's clock may be set while a stack runs; start times of processes move along."""
DEATH_S = 5.0


class Keeper(Document):
    """Which process keeps a stack: its id, which is its process group's too, and when it started (seconds since 1970)."""

    pid: int
    started: float

    def lives(self) -> bool:
        """Whether that very process still runs."""
        process = self._process()
        return process is not None and process.status() != psutil.STATUS_ZOMBIE

    def kill(self) -> None:
        """End the stack: the keeper and all that it or its servers started.

        If the keeper is gone but something of its group is left, its id cannot have been given to another process.
        """
        if self._process() is None and psutil.pid_exists(self.pid):
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
        return any(_group(process.pid) == self.pid and _is_alive(process) for process in psutil.process_iter())


class Stack(Document):
    """A running embedded AWS with Everscore deployed to it, as `stack.json` in its folder says.

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
        """What a shell, an SDK or the command needs to work with this stack."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_DEFAULT_REGION": REGION,
            "EVERSCORE_INBOX": self.inbox,
            "EVERSCORE_STORE": self.store,
            "MLFLOW_TRACKING_URI": self.mlflow_uri,
            "EVERSCORE_METRICS_URL": self.metrics_url,
            **{f"EVERSCORE_{function.upper()}_FUNCTION": deployed for function, deployed in self.functions.items()},
        }


def stacks_home() -> Path:
    """Where state folders lie: $EVERSCORE_HOME, or else `everscore` in $XDG_STATE_HOME or ~/.local/state."""
    if home := os.environ.get("EVERSCORE_HOME"):
        return Path(home)
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "everscore"


def running_stacks() -> tuple[Stack, ...]:
    """All embedded stacks that are up and whose keeper lives, by name. What dead ones left is ignored."""
    folders = [path.parent for path in sorted(stacks_home().glob(f"*/{STACK}")) if _lives(path.parent)]
    return tuple(Stack.from_json((folder / STACK).read_bytes()) for folder in folders)


def running_stack(name: str | None = None) -> Stack:
    """The running stack of that name, or the only one.

    Raises:
        NoStackError: if there is none, or several and no name.
    """
    stacks = running_stacks()
    names = ", ".join(stack.name for stack in stacks)
    match [stack for stack in stacks if name in {None, stack.name}]:
        case [stack]:
            return stack
        case [] if stacks:
            message = f"no embedded AWS named {name!r} is running, only {names}"
        case []:
            message = "no embedded AWS is running: start one with `everscore local up`"
        case _:
            message = f"several embedded AWSs are running ({names}): say which one with --stack"
    raise NoStackError(message)


def remains_of(name: str) -> Path | None:
    """The folder of a stack of this name that was up and died without being ended; None if there is none."""
    folder = stacks_home() / name
    return folder if (folder / STACK).exists() and not _lives(folder) else None


def remove_stack(folder: Path) -> None:
    """End a stack and remove its folder; harmless if it has ended."""
    _end(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _clear(folder: Path, *, keep: bool) -> None:
    """End what a dead stack left running and remove its folder, unless it was up under another name: its data are someone's."""
    if keep:
        _end(folder)
    else:
        remove_stack(folder)


def _end(folder: Path) -> None:
    if (keeper := read_keeper(folder)) is not None:
        keeper.kill()
    remove_containers(folder)


def read_keeper(folder: Path) -> Keeper | None:
    """The keeper of the stack in a folder, alive or not; None if the stack never had one."""
    try:
        return Keeper.from_json((folder / KEEPER).read_bytes())
    except FileNotFoundError:
        return None


@contextmanager
def new_folder(name: str) -> Iterator[Path]:
    """Make a stack's state folder; nobody else makes or clears one until the block ends.

    What dead stacks of this name left is removed first. If a living stack has the name already, the folder gets the next free
    `<name>-2`, `<name>-3`, … The block must write `keeper.json`, or the next caller clears the folder away.
    """
    home = stacks_home()
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for folder in [path for path in home.iterdir() if path.is_dir() and not _lives(path)]:
            _clear(folder, keep=(folder / STACK).exists() and re.fullmatch(rf"{re.escape(name)}(-\d+)?", folder.name) is None)
        taken = {path.name for path in home.iterdir()}
        number = 1
        while (free := name if number == 1 else f"{name}-{number}") in taken:
            number += 1
        folder = home / free
        (folder / "tmp").mkdir(parents=True)
        yield folder


def _lives(folder: Path) -> bool:
    keeper = read_keeper(folder)
    return keeper is not None and keeper.lives()


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except (ProcessLookupError, PermissionError):
        return None


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
