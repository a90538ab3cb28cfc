"""State folders: which stacks live, and what becomes of dead ones' folders."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from functions.shared.domain.errors import NoStackError
from infra.local.folders import STACK, make_folder, stacks_home
from infra.local.stacks import (
    KEEPER,
    Keeper,
    Stack,
    remove_stack,
    running_stack,
    running_stacks,
    state_folder,
    stopped_stacks,
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVERSCORE_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """The leader of a process group that has another member."""
    command = ["sh", "-c", "sleep 60 > /dev/null & echo started; wait"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdout is not None
        assert leader.stdout.readline() == b"started\n"
        yield leader
        try:
            os.killpg(leader.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def keeper_of(process: subprocess.Popen[bytes]) -> Keeper:
    return Keeper(pid=process.pid, started=psutil.Process(process.pid).create_time())


DEAD = Keeper(pid=2**22 + 1, started=0.0)


def put_stack(home: Path, name: str, keeper: Keeper, *, kept: bool = True) -> Stack:
    folder = home / name
    make_folder(folder, kept=kept)
    stack = Stack(
        name=name,
        folder=folder,
        endpoint="http://127.0.0.1:1",
        mlflow_uri="http://127.0.0.1:2",
        metrics_url="http://127.0.0.1:3/metrics",
        inbox="in",
        store="st",
        functions={"scoring": "s-1"},
        outputs={"InboxBucket": "in"},
    )
    (folder / KEEPER).write_bytes(keeper.to_json())
    (folder / STACK).write_bytes(stack.to_json())
    return stack


def test_the_environment_of_a_stack_is_what_local_env_promises(home: Path) -> None:
    assert put_stack(home, "a", DEAD).env() == {
        "EVERSCORE_STACK": "a",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "000000000000",
        "AWS_SECRET_ACCESS_KEY": "embedded",
        "AWS_DEFAULT_REGION": "us-east-1",
        "EVERSCORE_INBOX": "in",
        "EVERSCORE_STORE": "st",
        "EVERSCORE_ICEBERG_DATABASE": "a",
        "EVERSCORE_ICEBERG_S3_ENDPOINT": "http://127.0.0.1:1",
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:2",
        "EVERSCORE_METRICS_URL": "http://127.0.0.1:3/metrics",
        "EVERSCORE_PROMETHEUS_CONFIG": str(home / "a/prometheus/prometheus.yml"),
        "EVERSCORE_SCORING_FUNCTION": "s-1",
    }


def test_state_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVERSCORE_HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    assert stacks_home() == Path("/home/ada/.local/state/everscore")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert stacks_home() == Path("/state/everscore")
    monkeypatch.setenv("EVERSCORE_HOME", "/mine")
    assert stacks_home() == Path("/mine")


def test_only_stacks_whose_keeper_lives_are_running(home: Path, process: subprocess.Popen[bytes]) -> None:
    living = put_stack(home, "living", keeper_of(process))
    put_stack(home, "dead", DEAD)
    (home / "starting").mkdir()
    assert running_stacks() == (living,)


def test_nothing_runs_before_the_first_start(home: Path) -> None:
    assert running_stacks() == ()


def test_a_process_that_has_the_keepers_id_but_started_later_is_another(home: Path, process: subprocess.Popen[bytes]) -> None:
    put_stack(home, "old", Keeper(pid=process.pid, started=psutil.Process(process.pid).create_time() - 3600))
    assert running_stacks() == ()
    remove_stack(home / "old")
    assert process.poll() is None


def test_removing_a_stack_ends_its_whole_process_group(home: Path, process: subprocess.Popen[bytes]) -> None:
    put_stack(home, "a", keeper_of(process))
    members = psutil.Process(process.pid).children(recursive=True)
    remove_stack(home / "a")
    assert process.wait(5) == -signal.SIGKILL
    assert all(map(has_ended, members))
    assert not (home / "a").exists()


@pytest.mark.parametrize("started", ["a", "b"])
def test_what_a_lost_keeper_left_running_is_ended_and_its_data_stay(home: Path, process: subprocess.Popen[bytes], started: str) -> None:
    put_stack(home, "a", keeper_of(process))
    members = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert stopped_stacks() == (home / "a",)
    with state_folder(started):
        pass
    assert all(map(has_ended, members))
    assert (home / "a" / STACK).exists()


def test_a_process_group_of_before_the_machine_was_started_is_not_ended(home: Path, process: subprocess.Popen[bytes]) -> None:
    put_stack(home, "a", Keeper(pid=process.pid, started=psutil.boot_time() - 3600))
    [member] = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    with state_folder("b"):
        pass
    assert not has_ended(member)


def test_a_new_stack_takes_the_next_free_name(home: Path, process: subprocess.Popen[bytes]) -> None:
    for name in ("a", "a-2"):
        put_stack(home, name, keeper_of(process))
    with state_folder("a") as folder:
        assert folder == home / "a-3"


@pytest.mark.parametrize(("kept", "name"), [(False, "a"), (True, "a-2")])
def test_a_new_stack_takes_the_name_of_a_dead_one_whose_data_are_nobodys(home: Path, kept: bool, name: str) -> None:  # noqa: FBT001
    put_stack(home, "a", DEAD, kept=kept)
    with state_folder("a") as folder:
        assert folder == home / name
        assert not (folder / STACK).exists()


def test_the_only_running_stack_needs_no_name(home: Path, process: subprocess.Popen[bytes]) -> None:
    only = put_stack(home, "a", keeper_of(process))
    assert running_stack() == running_stack("a") == only


def test_an_unclear_choice_of_stack_is_refused_with_what_there_is(home: Path, process: subprocess.Popen[bytes]) -> None:
    with pytest.raises(NoStackError, match="everscore local up"):
        running_stack()
    put_stack(home, "a", keeper_of(process))
    put_stack(home, "dead", DEAD)
    with pytest.raises(NoStackError, match=r"no embedded stack is named 'z'; those here: a, dead \(stopped\)"):
        running_stack("z")
    put_stack(home, "b", keeper_of(process))
    with pytest.raises(NoStackError, match=r"are running: a, b"):
        running_stack()


def test_a_stack_that_stopped_is_called_that_with_what_starts_it_again(home: Path) -> None:
    put_stack(home, "a", DEAD)
    for name in (None, "a"):
        with pytest.raises(NoStackError, match=r"a has stopped\nremedy: `everscore local up --stack a` starts it again with all it held"):
            running_stack(name)


def test_a_kept_stack_that_stopped_is_started_again_in_its_own_folder(home: Path) -> None:
    put_stack(home, "a", DEAD)
    with state_folder("a", kept=True) as folder:
        assert folder == home / "a"
        assert (folder / STACK).exists()


def test_a_demo_or_a_test_run_does_not_count_next_to_a_stack_that_somebody_keeps(home: Path, process: subprocess.Popen[bytes]) -> None:
    put_stack(home, "image", keeper_of(process), kept=False)
    assert running_stack().name == "image"
    put_stack(home, "mine", keeper_of(process))
    assert running_stack().name == "mine"
    assert running_stack("image").name == "image"
