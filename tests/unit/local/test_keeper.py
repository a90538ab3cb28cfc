"""The keeper, as the process that it is: nothing outlives what it was started for."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.local.servers import ROOT, Server, Servers


def sleeper(name: str, seconds: float) -> Server:
    """A server that starts another process and then waits."""
    return Server(name=name, command=("sh", "-c", f"echo {name} is here; sleep 60 & sleep {seconds}"), environment={}, socket=os.dup(2))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def start(folder: Path, *servers: Server) -> subprocess.Popen[bytes]:
    (folder / "servers.json").write_bytes(Servers(servers=servers).to_json())
    return subprocess.Popen(
        [sys.executable, "-m", "infra.local.keeper", str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=(folder / "keeper.log").open("wb"),
        start_new_session=True,
        pass_fds=[server.socket for server in servers],
    )


def group_when(count: int, keeper: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The keeper's descendants as soon as there are `count` of them."""
    end = time.monotonic() + 10
    while len(children := psutil.Process(keeper.pid).children(recursive=True)) < count and time.monotonic() < end:
        time.sleep(0.01)
    return children


def all_end(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=10)[1]


@pytest.fixture
def two(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], list[psutil.Process]]]:
    keeper = start(folder, sleeper("a", 60), sleeper("b", 60))
    group = group_when(6, keeper)
    yield keeper, group
    for process in [*group, psutil.Process()][:-1]:
        if process.is_running():
            process.kill()


def test_servers_and_what_they_started_end_with_the_pipe(two: tuple[subprocess.Popen[bytes], list[psutil.Process]]) -> None:
    keeper, group = two
    assert len(group) == 6
    assert keeper.stdin is not None
    keeper.stdin.close()
    assert all_end(group)
    assert keeper.wait(5) == -9
