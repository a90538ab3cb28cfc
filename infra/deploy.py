"""`make deploy`: the built image to an AWS account, under a name that changes with whatever scoring would be another by.

SAM publishes a new version of scoring, which everything calls by its alias, only if the image changes; then a parameter, such as its
memory, would change nothing. So a version is published for each `Revision`, which is made of the image, the template and the parameters.
"""

import argparse
import hashlib
import os
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path

from infra.local.image import IMAGE
from infra.local.sam import SAM
from infra.places import ROOT


def overrides(environment: str, architecture: str, image_id: str, root: Path = ROOT) -> list[str]:
    """Values of the template's parameters: those of samconfig.toml for this environment, what the image was built for, the revision.

    Of two values for one parameter SAM takes the last.
    """
    configured = tomllib.loads((root / "samconfig.toml").read_text())[environment]["deploy"]["parameters"].get("parameter_overrides", [])
    chosen = [configured] if isinstance(configured, str) else [*configured]
    chosen.append(f"Architecture={architecture}")
    return [*chosen, f"Revision={_revision(image_id, (root / 'template.yaml').read_text(), chosen)}"]


def _revision(image_id: str, template: str, chosen: Sequence[str]) -> str:
    return hashlib.sha256("\n".join((image_id, template, *chosen)).encode()).hexdigest()


def main() -> None:
    """Deploy, with `sam deploy` in this process' place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment")
    parser.add_argument("architecture")
    asked = parser.parse_args()
    inspect = ["docker", "image", "inspect", "--format", "{{.Id}}", IMAGE]
    image_id = subprocess.run(inspect, check=True, capture_output=True, text=True).stdout.strip()
    chosen = overrides(asked.environment, asked.architecture, image_id)
    command = [str(SAM), "deploy", "--config-env", asked.environment, "--parameter-overrides", *chosen]
    os.execve(SAM, command, {**os.environ, "SAM_CLI_TELEMETRY": "0"})  # noqa: S606 - the project's own SAM


if __name__ == "__main__":
    main()
