"""Stacks that cannot start as they are asked to."""

from pathlib import Path

import pytest

from functions.shared.domain.errors import InputError, NoImageError
from infra.local import embedded
from infra.local.embedded import detached_aws
from infra.local.image import require_image
from infra.local.servers import STATE
from tests.unit.local.test_stacks import DEAD, put_stack


def test_a_stopped_stack_of_processes_is_not_started_in_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVERSCORE_HOME", str(tmp_path))
    monkeypatch.setattr(embedded, "ministack_python", lambda _: Path("python"))
    (put_stack(tmp_path, "churn", DEAD).folder / STATE).mkdir()
    with pytest.raises(InputError, match="stack churn was made without containers") as refused:
        detached_aws("churn", containers=True)
    assert "`everscore local up --stack churn`" in refused.value.remedy


@pytest.mark.parametrize(
    ("docker", "code"),
    [("exit 1", "no_docker"), ('[ "$1" = info ]', "no_image"), (None, "no_docker")],
    ids=["stopped", "no-image", "absent"],
)
def test_docker_that_does_not_answer_is_no_image_that_is_not_built(
    docker: str | None, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if docker is not None:
        (tmp_path / "docker").write_text(f"#!/bin/sh\n{docker}\n")
        (tmp_path / "docker").chmod(0o755)
    with pytest.raises(NoImageError) as refused:
        require_image()
    assert refused.value.code == code
