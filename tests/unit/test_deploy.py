"""What a deployment passes to SAM."""

from pathlib import Path

import pytest

from infra.deploy import overrides

CONFIGURED = """
[dev.deploy.parameters]
parameter_overrides = {overrides}
"""
TEMPLATE = """
Parameters:
  Architecture: {Default: x86_64}
  LogLevel: {Default: INFO}
  Nightly: {Default: cron(0 2 * * ? *)}
  Days: {Default: 30}
  Revision: {Default: ""}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "samconfig.toml").write_text(CONFIGURED.format(overrides='{ LogLevel = "DEBUG", Days = 7 }'))
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    return tmp_path


def revision(root: Path, *, image: str = "sha256:1", architecture: str = "x86_64") -> str:
    return overrides("dev", architecture, image, root)["Revision"]


def test_each_parameter_gets_a_value_so_that_none_is_kept_from_an_earlier_deployment(root: Path) -> None:
    values = overrides("dev", "arm64", "sha256:1", root)
    assert {name: value for name, value in values.items() if name != "Revision"} == {
        "Architecture": "arm64",
        "LogLevel": "DEBUG",
        "Nightly": "cron(0 2 * * ? *)",
        "Days": "7",
    }


@pytest.mark.parametrize(
    "configured",
    [
        "{ Nightly = 'cron(0 4 * * ? *)', LogLevel = 'DEBUG' }",
        "['Nightly=cron(0 4 * * ? *)', 'LogLevel=DEBUG']",
        """['Nightly="cron(0 4 * * ? *)"', 'LogLevel=DEBUG']""",
        """'Nightly="cron(0 4 * * ? *)" LogLevel=DEBUG'""",
    ],
)
def test_a_value_with_spaces_arrives_whole_however_it_is_written(root: Path, configured: str) -> None:
    (root / "samconfig.toml").write_text(CONFIGURED.format(overrides=configured))
    values = overrides("dev", "x86_64", "sha256:1", root)
    assert (values["Nightly"], values["LogLevel"]) == ("cron(0 4 * * ? *)", "DEBUG")


def test_the_same_makes_the_same_revision(root: Path) -> None:
    assert revision(root) == revision(root)


def test_another_image_parameter_or_template_makes_another_revision(root: Path) -> None:
    made = [revision(root), revision(root, image="sha256:2"), revision(root, architecture="arm64")]
    (root / "samconfig.toml").write_text(CONFIGURED.format(overrides="{ Days = 8 }"))
    made.append(revision(root))
    (root / "template.yaml").write_text(TEMPLATE + "  Commit: {Default: unknown}\n")
    made.append(revision(root))
    assert len(set(made)) == 5


def test_what_is_asked_for_on_the_command_line_comes_before_what_is_configured(root: Path) -> None:
    assert overrides("dev", "arm64", "sha256:1", root, {"Days": "9"})["Days"] == "9"
