"""The base image that ours is built from: pinned by its digest, moved on by a command, replaced by a stand-in where it is not to be had."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from infra.local.base import move_on
from infra.local.image import base_image
from infra.places import ROOT

OLD, NEW = (f"registry/lambda/python:3.13@sha256:{letter * 64}" for letter in "ab")


def docker(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a command before Docker's own."""
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_the_newest_base_image_is_named_by_its_digest_wherever_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = json.dumps([{"RepoDigests": [f"registry/lambda/python@{NEW.partition('@')[2]}"]}])
    docker(tmp_path, f"case \"$*\" in *inspect*) echo '{shown}' ;; esac", monkeypatch)
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "Dockerfile").write_text(f"# our image\nARG BASE={OLD}\nFROM ${{BASE}}\n")
    (tmp_path / "template.yaml").write_text(f"Parameters:\n  Base: {{Default: {OLD}}}\n")
    assert move_on(tmp_path) == NEW
    assert base_image(tmp_path) == NEW
    assert (tmp_path / "template.yaml").read_text() == f"Parameters:\n  Base: {{Default: {NEW}}}\n"
    assert (tmp_path / "functions" / "Dockerfile").read_text().startswith("# our image\n")


@pytest.mark.parametrize(
    ("here", "pulls", "built_from"),
    [("python:3.13", "exit 1", OLD), ("nothing", "exit 0", OLD), ("everscore/stand-in", "exit 0", "everscore/stand-in:python3.13")],
)
def test_a_build_is_from_the_pinned_image_or_else_from_a_stand_in_that_has_another_name(
    here: str, pulls: str, built_from: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker(tmp_path, f'case "$*" in "image inspect "*{here}*) exit 0 ;; pull*) {pulls} ;; *) exit 1 ;; esac', monkeypatch)
    done = subprocess.run([ROOT / "infra/local/base-image.sh", OLD], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == built_from
    assert ("good for tests, not for AWS" in done.stderr) == (built_from != OLD)
