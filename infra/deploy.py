"""`make deploy`: the built image to an AWS account, under a name that changes with whatever scoring would be another by.

SAM publishes a new version of scoring, which everything calls by its alias, only if the image changes; then a parameter, such as
its memory, would change nothing. So a version is published for each `Revision`, which is made of the image, the template and the
parameters. The revision is also a variable of the function, since Lambda publishes no second version of an unchanged function.
"""

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.local.image import IMAGE
from infra.local.sam import SAM
from infra.local.transformation import read_template
from infra.places import ROOT

PARAMETERS = Path("build") / "parameters.yaml"
LONGEST_NAME = 49
"""Of a stack: `CodeDeployHook_` goes before it in the name of a function, which Lambda lets have 64 characters."""


def overrides(environment: str, architecture: str, image_id: str, root: Path = ROOT) -> dict[str, str]:
    """Return a value for each of the template's parameters: configured, what the image was built for, or the default.

    CloudFormation would keep the value of the last deployment for a parameter that is left out, so none is.
    """
    options = tomllib.loads((root / "samconfig.toml").read_text())[environment]["deploy"]["parameters"]
    if len(name := options.get("stack_name", "")) > LONGEST_NAME:
        message = f"{name} has {len(name)} characters, a stack's name at most {LONGEST_NAME}: shorten stack_name in samconfig.toml"
        raise SystemExit(message)
    configured = options.get("parameter_overrides", {})
    template = (root / "template.yaml").read_text()
    defaults = {name: str(parameter["Default"]) for name, parameter in (read_template(template).get("Parameters") or {}).items()}
    chosen = {**defaults, **_by_name(configured), "Architecture": architecture}
    return {**chosen, "Revision": _revision(image_id, template, chosen)}


def _by_name(configured: Mapping[str, Any] | Sequence[str] | str) -> dict[str, str]:
    """Read the forms that SAM takes: a table, a list of `NAME=VALUE`, or one text of them in which values may be quoted."""
    if isinstance(configured, Mapping):
        return {name: str(value) for name, value in configured.items()}
    entries = shlex.split(configured) if isinstance(configured, str) else configured
    pairs = (entry.partition("=") for entry in entries)
    return {name.strip(): _unquoted(value.strip()) for name, _, value in pairs}


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value


def _revision(image_id: str, template: str, chosen: Mapping[str, str]) -> str:
    values = json.dumps({name: value for name, value in chosen.items() if name != "Revision"}, sort_keys=True)
    return hashlib.sha256(f"{image_id}\n{template}\n{values}".encode()).hexdigest()


def main() -> None:
    """Deploy, with `sam deploy` in this process' place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment")
    parser.add_argument("architecture")
    asked = parser.parse_args()
    inspect = ["docker", "image", "inspect", "--format", "{{.Id}}", IMAGE]
    image_id = subprocess.run(inspect, check=True, capture_output=True, text=True).stdout.strip()
    # A file, since values on the command line would end at their first space.
    PARAMETERS.parent.mkdir(exist_ok=True)
    PARAMETERS.write_text(json.dumps(overrides(asked.environment, asked.architecture, image_id), indent=2))  # JSON is YAML
    command = [str(SAM), "deploy", "--config-env", asked.environment, "--parameter-overrides", f"file://{PARAMETERS}"]
    os.execve(SAM, command, {**os.environ, "SAM_CLI_TELEMETRY": "0"})  # noqa: S606 - the project's own SAM


if __name__ == "__main__":
    main()
