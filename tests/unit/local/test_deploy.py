"""What `make deploy` tells SAM."""

from pathlib import Path

import pytest

from infra.deploy import overrides

CONFIGURED = """
[dev.deploy.parameters]
parameter_overrides = {overrides}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "samconfig.toml").write_text(CONFIGURED.format(overrides='["LogLevel=DEBUG", "ScheduleState=DISABLED"]'))
    (tmp_path / "template.yaml").write_text("Parameters: {}")
    return tmp_path


def revision(root: Path, *, image: str = "sha256:1", architecture: str = "x86_64") -> str:
    return overrides("dev", architecture, image, root)[-1]


def test_the_stack_gets_what_is_configured_and_the_architecture_that_the_image_was_built_for(root: Path) -> None:
    assert overrides("dev", "arm64", "sha256:1", root)[:-1] == ["LogLevel=DEBUG", "ScheduleState=DISABLED", "Architecture=arm64"]


def test_parameters_may_be_configured_as_one_text(root: Path) -> None:
    (root / "samconfig.toml").write_text(CONFIGURED.format(overrides="'RetrainingSchedule=\"cron(0 2 * * ? *)\" LogLevel=DEBUG'"))
    assert overrides("dev", "x86_64", "sha256:1", root)[0] == 'RetrainingSchedule="cron(0 2 * * ? *)" LogLevel=DEBUG'


def test_the_same_makes_the_same_revision(root: Path) -> None:
    assert revision(root) == revision(root)


def test_another_image_parameter_or_template_makes_another_revision(root: Path) -> None:
    made = [revision(root), revision(root, image="sha256:2"), revision(root, architecture="arm64")]
    (root / "samconfig.toml").write_text(CONFIGURED.format(overrides='["ScoringMemoryMb=3008"]'))
    made.append(revision(root))
    (root / "template.yaml").write_text("Parameters: {Commit: {}}")
    made.append(revision(root))
    assert len(set(made)) == 5
