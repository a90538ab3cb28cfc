"""What the servers of an embedded stack are started with."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from infra.local.servers import ministack_server
from infra.places import CODE


def test_a_stack_that_another_checkout_kept_runs_the_code_of_this_one(tmp_path: Path) -> None:
    folder, moved = tmp_path / "stack", tmp_path / "moved" / "infra"
    (folder / "mends").mkdir(parents=True)
    (folder / "mends" / "infra").symlink_to(moved)
    listener: Any = SimpleNamespace(getsockname=lambda: ("127.0.0.1", 1), fileno=lambda: 0)
    for _ in range(2):  # once more as it then stands
        server = ministack_server(folder, Path("python"), listener)
        path = Path(server.environment["PYTHONPATH"])
        assert (path / "infra" / "local").samefile(CODE / "infra" / "local")
