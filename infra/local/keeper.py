"""The process that keeps an embedded AWS's servers, so that none of them can outlive what it was started for.

A keeper leads a session of its own, and all that its servers start stays in its process group: the workers that run
functions, MLflow's web workers. Killing the group ends everything at once, and a keeper does so itself

- when a server ends, since the rest is of no use without it;
- when its standard input ends, which is a pipe held by the process that started it: however that process went.
  A line through the pipe sets the keeper free of it.

It works alike on Linux and macOS. State is thrown away with the stack, so nothing needs an orderly end.
"""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.local.servers import Server, Servers
from infra.local.stack_containers import remove_containers

POLL_S = 0.5


def keep(servers: Sequence[Server], folder: Path) -> None:
    """Run the servers until one of them ends or, while tied to it, standard input does; end them then.

    Args:
        servers: what to run; each is given the socket whose descriptor this process inherited, as its standard input.
        folder: where each writes `<name>.log`.
    """
    running = {server.name: _start(server, folder) for server in servers}
    try:
        _watch(running)
    finally:
        for process in running.values():
            process.kill()


def _watch(running: Mapping[str, subprocess.Popen[bytes]]) -> None:
    tie = [sys.stdin.buffer]
    while all(process.poll() is None for process in running.values()):
        if select.select(tie, [], [], POLL_S)[0]:
            if not sys.stdin.buffer.readline():
                print("the process that started this stack has ended", flush=True)
                return
            tie = []
    for name, process in running.items():
        if process.poll() is not None:
            print(f"{name} ended with status {process.poll()}", flush=True)


def _start(server: Server, folder: Path) -> subprocess.Popen[bytes]:
    with (folder / f"{server.name}.log").open("ab") as log:
        process = subprocess.Popen(
            server.command, env=dict(server.environment), cwd=folder, stdin=server.socket, stdout=log, stderr=subprocess.STDOUT
        )
    os.close(server.socket)
    return process


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
