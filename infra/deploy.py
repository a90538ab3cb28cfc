"""Make what SAM needs for a deployment: parameters, and scoring's revision.

The revision changes with everything that makes another scoring function.

SAM publishes a new version of scoring, which everything calls by its alias, only if the image changes; then a parameter, such as
its memory, would change nothing. So a version is published for each `Revision`, which is made of the image, the template and the
parameters. The revision is also a variable of the function, since Lambda publishes no second version of an unchanged function.
"""

import hashlib
import json
import shlex
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from functions.shared.domain.errors import InputError
from infra.local.image import IMAGE
from infra.local.transformation import read_template
from infra.places import ROOT

NONE: Mapping[str, str] = {}
"""No parameter of one's own."""
_SCORING = "ScoringFunction"
"""The output that names scoring."""
LONGEST_NAME = 25
"""Of a stack. CloudFormation cuts a longer one in the names that it makes, and policies know these names by their beginning.

A role's name has 64 characters at most. The end takes 14 of them, and the stack's name half of the rest.
"""


def stack_name(environment: str, root: Path = ROOT) -> str:
    """Return what samconfig.toml calls the stack of an environment.

    Raises:
        InputError: if there is no such environment, or the name is missing.
    """
    name = str(_options(environment, root).get("stack_name", ""))
    if not name:
        message = f"samconfig.toml names no stack in [{environment}.deploy.parameters]"
        raise InputError(message, remedy="add stack_name there", code="samconfig")
    return name


def names_repositories(environment: str, root: Path = ROOT) -> bool:
    """Return whether samconfig.toml says itself where the image goes."""
    return not {"image_repository", "image_repositories", "resolve_image_repos"}.isdisjoint(_options(environment, root))


def overrides(environment: str, architecture: str, image: str, root: Path = ROOT, more: Mapping[str, str] = NONE) -> dict[str, str]:
    """Return a value for each of the template's parameters.

    It comes from `more`, the configuration, what the image was built for, or the default.

    CloudFormation would keep the value of the last deployment for a parameter that is left out, so none is.

    Raises:
        InputError: if a parameter has a name that the template does not know.
    """
    template = (root / "template.yaml").read_text()
    defaults = {name: str(parameter["Default"]) for name, parameter in (read_template(template).get("Parameters") or {}).items()}
    asked = {**_by_name(_options(environment, root).get("parameter_overrides", {})), **more}
    if unknown := sorted(asked.keys() - defaults.keys()):
        message = f"template.yaml has no parameter {unknown[0]!r}"
        raise InputError(message, remedy=f"choose from {', '.join(sorted(defaults))}", code="unknown_parameter")
    chosen = {**defaults, **asked, "Architecture": architecture}
    return {**chosen, "Revision": _revision(image, template, chosen)}


def write_parameters(values: Mapping[str, str], root: Path = ROOT) -> Path:
    """Write parameters to a file and return its path.

    On the command line values would end at their first space.
    """
    file = root / "build" / "parameters.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(values, indent=2))  # JSON is YAML
    return file


def image_id() -> str:
    """Return the id of the built image."""
    inspect = ["docker", "image", "inspect", "--format", "{{.Id}}", IMAGE]
    return subprocess.run(inspect, check=True, capture_output=True, text=True).stdout.strip()


def running_image(stack: str) -> str:
    """Return the URI of the image that a stack's functions run.

    It is empty if the stack has no functions yet, such as one that began with imported buckets.
    """
    import boto3

    [found] = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}
    if _SCORING not in outputs:
        return ""
    return str(boto3.client("lambda").get_function(FunctionName=outputs[_SCORING])["Code"]["ImageUri"])


def _options(environment: str, root: Path) -> Mapping[str, Any]:
    configured = tomllib.loads((root / "samconfig.toml").read_text())
    try:
        options: Mapping[str, Any] = configured[environment]["deploy"]["parameters"]
    except KeyError as error:
        there = ", ".join(name for name, section in configured.items() if isinstance(section, dict) and "deploy" in section)
        message = f"samconfig.toml has no [{environment}.deploy.parameters]"
        raise InputError(message, remedy=f"choose from: {there}; or add this section", code="samconfig") from error
    return options


def _by_name(configured: Mapping[str, Any] | Sequence[str] | str) -> dict[str, str]:
    """Read the forms that SAM takes: a table, a list, or text of `NAME=VALUE`.

    Values in a text may be quoted.
    """
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
