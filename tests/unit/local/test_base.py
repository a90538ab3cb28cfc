"""The base image that ours is built from: pinned by its digest, moved on by a command, replaced by a stand-in where it is not to be had."""

import os
import subprocess
from pathlib import Path

import pytest

from infra.local.base import move_on
from infra.local.image import base_image
from infra.places import ROOT

OLD, NEW = (f"registry/lambda/python:3.13@sha256:{letter * 64}" for letter in "ab")


def command(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def docker(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a command before Docker's own."""
    command(folder, "docker", script)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_the_newest_base_image_is_named_by_its_digest_wherever_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tag, digest = NEW.split("@")
    printed = f"3.13: Pulling from lambda/python\nDigest: {digest}\nStatus: Image is up to date for {tag}\n{tag}"
    docker(tmp_path, f"[ \"$*\" = 'pull {tag}' ] && echo '{printed}'", monkeypatch)
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "Dockerfile").write_text(f"# our image\nARG BASE={OLD}\nFROM ${{BASE}}\n")
    (tmp_path / "template.yaml").write_text(f"Parameters:\n  Base: {{Default: {OLD}}}\n")
    assert move_on(tmp_path) == NEW
    assert base_image(tmp_path) == NEW
    assert (tmp_path / "template.yaml").read_text() == f"Parameters:\n  Base: {{Default: {NEW}}}\n"
    assert (tmp_path / "functions" / "Dockerfile").read_text().startswith("# our image\n")


@pytest.mark.parametrize(
    ("here", "pulls", "built_from", "limit"),
    [
        ("python:3.13", "exit 1", OLD, None),
        ("nothing", "exit 0", OLD, 120),
        ("everscore/stand-in", "exit 0", OLD, 30),
        ("everscore/stand-in", "exit 1", "everscore/stand-in:python3.13", 30),
    ],
)
def test_a_build_is_from_the_pinned_image_or_else_from_a_stand_in_that_has_another_name(
    here: str, pulls: str, built_from: str, limit: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command(tmp_path, "timeout", f'echo "$1" > {tmp_path}/limit; shift; "$@"')
    docker(tmp_path, f'case "$*" in "image inspect "*{here}*) exit 0 ;; pull*) {pulls} ;; *) exit 1 ;; esac', monkeypatch)
    done = subprocess.run([ROOT / "infra/local/base-image.sh", OLD], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == built_from
    assert ("good for tests, not for AWS" in done.stderr) == (built_from != OLD)
    waited = tmp_path / "limit"
    assert (int(waited.read_text()) if waited.exists() else None) == limit


def test_docker_is_started_without_the_files_that_are_open_where_it_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command(tmp_path, "dockerd", f"ls -l /proc/$$/fd > {tmp_path}/part; mv {tmp_path}/part {tmp_path}/open")
    command(tmp_path, "id", "echo 1000")
    command(tmp_path, "sudo", f'exec "$1" "$2" "$(printf %s "$3" | sed s,/var/log,{tmp_path},)"')
    docker(tmp_path, f"[ -e {tmp_path}/open ]", monkeypatch)
    with (tmp_path / "lock").open("w") as lock:
        subprocess.run([ROOT / "infra/local/docker.sh"], check=True, capture_output=True, pass_fds=[lock.fileno()], timeout=60)
    held = (tmp_path / "open").read_text()
    assert "/dev/null" in held
    assert str(tmp_path / "lock") not in held
