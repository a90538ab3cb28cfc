"""The keeper, as the process that it is: nothing outlives what it was started for."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from infra.local.servers import Server, Servers
from infra.places import ROOT


@dataclass(frozen=True, slots=True)
class Kept:
    """A keeper at work, the pipe that ties it to this process, and all processes below it."""

    keeper: subprocess.Popen[bytes]
    tie: IO[bytes]
    below: list[psutil.Process]


def soon(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@contextmanager
def kept(folder: Path, number_of_servers: int) -> Iterator[Kept]:
    """A keeper of servers that run for long, each a shell with two children."""
    servers = tuple(
        Server(name=f"s{number}", command=("sh", "-c", "sleep 60 & sleep 60"), environment=dict(os.environ), socket=os.open(os.devnull, 0))
        for number in range(number_of_servers)
    )
    (folder / "servers.json").write_bytes(Servers(servers=servers).to_json())
    with (folder / "keeper.log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "infra.local.keeper", str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=log,
            start_new_session=True,
            pass_fds=[server.socket for server in servers],
        )
    for server in servers:
        os.close(server.socket)
    assert keeper.stdin is not None
    try:
        leader = psutil.Process(keeper.pid)
        assert soon(lambda: len(leader.children(recursive=True)) == 3 * len(servers))
        yield Kept(keeper, keeper.stdin, leader.children(recursive=True))
    finally:
        if keeper.poll() is None:
            os.killpg(keeper.pid, signal.SIGKILL)
            keeper.wait()
        if not keeper.stdin.closed:
            keeper.stdin.close()


def test_everything_ends_with_the_pipe_that_ties_it_to_its_starter(tmp_path: Path) -> None:
    with kept(tmp_path, 2) as stack:
        stack.tie.close()
        assert stack.keeper.wait(10) == -signal.SIGKILL
        assert soon(lambda: all(map(has_ended, stack.below)))


def test_a_keeper_set_free_stays_when_its_starter_goes(tmp_path: Path) -> None:
    with kept(tmp_path, 1) as stack:
        stack.tie.write(b"be free\n")
        stack.tie.close()
        time.sleep(0.1)
        assert stack.keeper.poll() is None
        assert not any(map(has_ended, stack.below))


def test_a_server_that_ends_is_started_again_with_its_socket_and_no_other_is_touched(tmp_path: Path) -> None:
    with kept(tmp_path, 2) as stack:
        first, second = psutil.Process(stack.keeper.pid).children()
        of_second = [second, *second.children(recursive=True)]
        second.kill()
        assert soon(lambda: all(map(has_ended, of_second))), "what a dead server leaves is ended"
        assert soon(lambda: len(psutil.Process(stack.keeper.pid).children(recursive=True)) == 6)
        [again] = [process for process in psutil.Process(stack.keeper.pid).children() if process != first]
        assert Path(f"/proc/{again.pid}/fd/0").readlink() == Path(os.devnull)
        assert first.is_running()
        assert stack.keeper.poll() is None
    assert (tmp_path / "keeper.log").read_text() == f"s1 ended with status -{signal.SIGKILL.value}, and is started again in 0.5 s\n"


def test_everything_ends_if_a_server_never_comes_up_and_the_log_says_which(tmp_path: Path) -> None:
    servers = tuple(
        Server(name=f"s{number}", command=("sh", "-c", command), environment=dict(os.environ), socket=0)
        for number, command in enumerate(("sleep 60 & sleep 60", "exit 3"))
    )
    (tmp_path / "servers.json").write_bytes(Servers(servers=servers).to_json())
    command = [sys.executable, "-m", "infra.local.keeper", str(tmp_path)]
    with (
        (tmp_path / "keeper.log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=log, start_new_session=True) as keeper,
    ):
        assert soon(lambda: bool(psutil.Process(keeper.pid).children()))
        below = psutil.Process(keeper.pid).children(recursive=True)
        assert keeper.wait(60) == -signal.SIGKILL
    assert soon(lambda: all(map(has_ended, below)))
    assert (tmp_path / "keeper.log").read_text().splitlines()[-1] == "s1 ended with status 3, as 5 times in a row"
