"""A stack's functions through `sam local invoke`, as anybody who knows SAM would try an image."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from functions.shared.domain.errors import EmbeddedAwsError
from infra.local.containers import ContainerFunction, checked_answer
from infra.local.servers import ROOT
from infra.local.transformation import Template, read_template

SAM = ROOT / ".sam" / "bin" / "sam"
INVOKE = (str(SAM), "local", "invoke", "--template", "template.json", "--event", "event.json", "--skip-pull-image")
BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"
"""The template that `sam build` left, in which functions name their image."""


def sam_invoke(functions: Mapping[str, ContainerFunction], function: str, event: Mapping[str, Any]) -> Any:
    """Have a function of the built template work on an event; return its answer.

    Raises:
        EmbeddedAwsError: if the image is not built or the function raised, with what it logged.
    """
    if not BUILT.exists():
        message = "the image is not built: `make build` does it"
        raise EmbeddedAwsError(message)
    template = with_environments(read_template(BUILT.read_text()), functions)
    environment = functions[function].environment
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "template.json").write_text(json.dumps(template))
        (folder / "event.json").write_text(json.dumps(event))
        name = logical_id(template, functions[function])
        done = subprocess.run(
            [*INVOKE, name, "--region", environment["AWS_DEFAULT_REGION"]],
            cwd=folder,
            env={**os.environ, **environment, "SAM_CLI_TELEMETRY": "0"},
            check=False,
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        message = f"sam local invoke failed:\n{done.stderr.strip()}"
        raise EmbeddedAwsError(message)
    return checked_answer(done.stdout, done.stderr)


def with_environments(template: Template, functions: Mapping[str, ContainerFunction]) -> Template:
    """The template with each function's environment as it is in `functions`, since SAM passes on declared variables only."""
    resources = dict(template["Resources"])
    for function in functions.values():
        name = logical_id(template, function)
        properties = resources[name]["Properties"] | {"Environment": {"Variables": dict(function.environment)}}
        resources[name] = resources[name] | {"Properties": properties}
    return template | {"Resources": resources}


def logical_id(template: Template, function: ContainerFunction) -> str:
    """What the template calls the function with this command."""
    resources: Mapping[str, Any] = template["Resources"]
    commands = {name: resource["Properties"].get("ImageConfig", {}).get("Command") for name, resource in resources.items()}
    [name] = [name for name, command in commands.items() if command == [function.command]]
    return name
