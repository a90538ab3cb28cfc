"""What lies in the stacks' home: nothing is removed but what Everscore provably made."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from functions.shared.domain.errors import EverscoreError, InvalidNameError
from infra.cli import local
from infra.local.folders import CLAIM, STACK, checked_stack_name, is_ours, make_folder, other_names, our_folders, remove_folder
from infra.local.stacks import KEEPER, Keeper, read_keeper, remove_stack, running_stacks, state_folder, stopped_stacks

NOBODY = Keeper(pid=2**22 + 1, started=0.0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("EVERSCORE_HOME", str(home))
    return home


def thesis(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "chapter 1.tex").write_text("years of work")
    return folder


def everything(folder: Path) -> dict[str, bytes | None]:
    """All below a folder, with what files hold; none of it is followed out of it."""
    return {str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes() for path in sorted(folder.rglob("*"))}


def stopped(home: Path, name: str, stack: str) -> Path:
    """A folder as a stack leaves it that came up and died."""
    make_folder(home / name, kept=True)
    (home / name / KEEPER).write_bytes(NOBODY.to_json())
    (home / name / STACK).write_text(stack)
    return home / name


def of_an_earlier_version(home: Path, name: str) -> Path:
    """A folder as stacks left it that were made before folders had claims."""
    folder = home / name
    (folder / "tmp").mkdir(parents=True)
    (folder / KEEPER).write_text('{"schema_version": 1, "pid": 4194305, "started": 1.5}')
    (folder / STACK).write_text(f'{{"schema_version": 1, "name": "{name}", "folder": "{folder}"}}')
    return folder


def test_a_start_leaves_all_that_is_no_stack_and_names_it(home: Path, tmp_path: Path) -> None:
    thesis(home / "thesis")
    thesis(home / ".ssh")
    thesis(home / "everscore-2")
    (home / "notes.txt").write_text("mine")
    (home / "link").symlink_to(thesis(tmp_path / "elsewhere"))
    (home / ".lock").write_text("mine as well")
    before = everything(tmp_path)
    with state_folder("everscore") as folder:
        (folder / KEEPER).write_bytes(NOBODY.to_json())
    with state_folder("everscore"):
        pass
    after = everything(tmp_path)
    assert {name: after.get(name) for name in before} == before
    assert other_names() == [".ssh", "everscore-2", "link", "notes.txt", "thesis"]


def test_the_end_of_a_stack_leaves_all_that_is_none(home: Path, tmp_path: Path) -> None:
    kept = [thesis(home / "thesis"), thesis(tmp_path / "home-2"), home]
    before = everything(tmp_path)
    ours = home / "everscore"
    make_folder(ours, kept=True)
    for folder in [*kept, ours]:
        remove_stack(folder)
    assert everything(tmp_path) == before


def test_what_a_stack_links_to_outlives_it(home: Path, tmp_path: Path) -> None:
    elsewhere = thesis(tmp_path / "elsewhere")
    make_folder(home / "a", kept=True)
    (home / "a" / "objects").symlink_to(elsewhere)
    remove_folder(home / "a")
    assert not (home / "a").exists()
    assert everything(elsewhere) == {"chapter 1.tex": b"years of work"}


def test_a_copy_of_a_stacks_folder_is_nobodys_to_remove(home: Path) -> None:
    shutil.copytree(stopped(home, "a", '{"name": "a"}'), home / "backup")
    shutil.copytree(of_an_earlier_version(home, "b"), home / "backup-2")
    for name in ("backup", "backup-2"):
        remove_stack(home / name)
        assert (home / name / STACK).exists()
    assert [folder.name for folder in our_folders()] == ["a", "b"]


def test_a_link_to_a_stacks_folder_is_none(home: Path, tmp_path: Path) -> None:
    make_folder(tmp_path / "a", kept=True)
    (home / "a").symlink_to(tmp_path / "a")
    remove_stack(home / "a")
    assert (tmp_path / "a" / CLAIM).exists()


def test_a_stack_of_an_earlier_version_is_known_and_stays_until_it_is_named(home: Path) -> None:
    folder = of_an_earlier_version(home, "everscore")
    with state_folder("everscore") as another:
        assert another == home / "everscore-2"
    assert stopped_stacks() == (folder,)
    remove_stack(folder)
    assert not folder.exists()


def test_a_start_that_failed_in_an_earlier_version_is_left_alone(home: Path) -> None:
    folder = of_an_earlier_version(home, "everscore")
    (folder / STACK).unlink()
    with state_folder("everscore") as another:
        assert another != folder
    remove_stack(folder)
    assert (folder / KEEPER).exists()


def test_an_interrupted_removal_is_taken_up_by_the_next_start(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = of_an_earlier_version(home, "a")

    def interrupted(_path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            remove_folder(folder)
    assert is_ours(folder)
    assert stopped_stacks() == ()
    with state_folder("a") as again:
        assert again == folder


@pytest.mark.parametrize("damage", [b"", b"{", b'{"pid": "x"}', b"\xff\xfe"])
@pytest.mark.parametrize("document", [KEEPER, STACK, CLAIM])
def test_a_damaged_document_stops_no_command(home: Path, document: str, damage: bytes) -> None:
    folder = stopped(home, "a", '{"name": "a"}')
    (folder / document).write_bytes(damage)
    assert running_stacks() == ()
    assert read_keeper(folder) == (None if document == KEEPER else NOBODY)
    with state_folder("b"):
        pass
    assert (folder / STACK).exists()


@given(st.text(max_size=40) | st.from_regex(r"[a-z0-9./-]{1,40}", fullmatch=True))
def test_a_name_that_is_taken_never_leads_out_of_the_home(text: str) -> None:
    try:
        name = checked_stack_name(text)
    except InvalidNameError:
        return
    assert (Path("/home") / name).resolve().parent == Path("/home").resolve()
    assert not name.startswith(".")


@pytest.mark.parametrize("name", ["../x", "..", "", "a/b", "/etc", "A", "-a", "a-", "a" * 33, "a\n", "é"])
def test_what_cannot_name_a_stack_is_refused_with_what_can(name: str) -> None:
    with pytest.raises(InvalidNameError, match="1 to 32 lower-case letters, digits and hyphens"):
        checked_stack_name(name)


@pytest.mark.parametrize("command", ["up", "down", "env"])
def test_a_name_that_leads_out_of_the_home_is_refused_and_nothing_is_touched(home: Path, tmp_path: Path, command: str) -> None:
    of_an_earlier_version(tmp_path, "x")
    before = everything(tmp_path)
    done = CliRunner().invoke(local.app, [command, "--stack", "../x"])
    assert isinstance(done.exception, EverscoreError)
    assert everything(tmp_path) == before


def test_a_folder_that_is_no_stack_is_not_started_in(home: Path) -> None:
    thesis(home / "thesis")
    done = CliRunner().invoke(local.app, ["up", "--stack", "thesis"])
    assert "exists and is no stack" in str(done.exception)
