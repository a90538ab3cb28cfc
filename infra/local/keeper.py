"""Keep an embedded AWS's servers running, and end them with this process.

A keeper leads its own session, and everything that its servers start stays in its process group, such as workers for functions and
for MLflow. Killing the group ends everything at once. A keeper does so itself

- when its standard input ends, which is a pipe held by the process that started it: however that process went.
  A line through the pipe sets the keeper free of it.
- when a server never comes up: it ends again and again as soon as it was started.

A server that ends otherwise is started again, a little later each time. Its socket stays open meanwhile, so its clients wait
and the other servers go on.

It works alike on Linux and macOS. What a stack holds is on disk at any moment, so nothing needs an orderly end.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from infra.local.servers import Server, Servers
from infra.local.stack_containers import remove_containers
from infra.local.stacks import group_of

POLL_S = 0.5
SETTLED_S = 30.0
"""Seconds after which a server counts as up."""
MOST_STARTS = 5
"""How often a server that does not come up is started."""
LONGEST_PAUSE_S = 30.0


class Kept:
    """A server and its current process; `lost` if it never came up."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.lost = False
        self._server = server
        self._folder = folder
        self._starts = 0
        self._settled = False
        self._due: float | None = None
        self._process = self._start()

    def look(self) -> None:
        """Start it again if it has ended, after a pause that doubles each time."""
        now = time.monotonic()
        if self._due is not None:
            if now >= self._due:
                self._process = self._start()
        elif (status := self._process.poll()) is not None:
            if now - self._started > SETTLED_S:
                self._settled, self._starts = True, 1
            self.lost = not self._settled and self._starts >= MOST_STARTS
            pause = min(POLL_S * 2 ** (self._starts - 1), LONGEST_PAUSE_S)
            self._due = now + pause
            end_orphans()
            then = f"as {self._starts} times in a row" if self.lost else f"and is started again in {pause:g} s"
            print(f"{self._server.name} ended with status {status}, {then}", flush=True)

    def _start(self) -> subprocess.Popen[bytes]:
        self._started, self._due = time.monotonic(), None
        self._starts += 1
        with (self._folder / f"{self._server.name}.log").open("ab") as log:
            return subprocess.Popen(
                self._server.command,
                env=dict(self._server.environment),
                cwd=self._folder,
                stdin=self._server.socket,
                stdout=log,
                stderr=subprocess.STDOUT,
            )


def keep(servers: Sequence[Server], folder: Path) -> None:
    """Run the servers until one fails or, while tied, standard input ends.

    Args:
        servers: what to run; each is given the socket whose descriptor this process inherited, as its standard input.
        folder: where each writes `<name>.log`.
    """
    running = [Kept(server, folder) for server in servers]
    tie = [sys.stdin.buffer]
    while not any(server.lost for server in running):
        if select.select(tie, [], [], POLL_S)[0]:
            if not sys.stdin.buffer.readline():
                print("the process that started this stack has ended", flush=True)
                return
            tie = []
        for server in running:
            server.look()


def end_orphans() -> None:
    """End processes in this group that a dead server left behind."""
    ours = {os.getpid(), *(process.pid for process in psutil.Process().children(recursive=True))}
    for process in psutil.process_iter():
        if process.pid not in ours and group_of(process.pid) == os.getpgrp():
            process.kill()


def main() -> None:
    """Keep what `servers.json` in the folder named by the argument says."""
    folder = Path(sys.argv[1])
    try:
        keep(Servers.from_json((folder / "servers.json").read_bytes()).servers, folder)
    finally:
        remove_containers(folder)
        os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    main()
