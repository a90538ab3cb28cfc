"""Adapt the template to the embedded AWS; everything else is deployed unchanged.

- The embedded AWS runs functions as processes of its host, without Docker, unless it is asked to use containers. So a function
  packed as an image becomes the same code packed as a zip, with the image's command as its handler; or else the image is named.
- It reads no files of this machine, from which SAM uploads definitions of state machines. So these are put into the template.
- It has no CodeDeploy. So a function has neither alias nor deployment, a caller of the alias calls the function, and the function
  that CodeDeploy would ask is left out.
- It adds no metrics up. So an alarm on the sum of several is left out.
- It hands parameters of type Number on as text, and then cannot compare them. So their values are put in their place.
"""

import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Template = dict[str, Any]

CODE = {".py", ".so"}
"""Files of a package that are code."""


class _Loader(yaml.CSafeLoader):
    """Reads YAML with CloudFormation's short tags, each as its long form."""


def _intrinsic(loader: yaml.CSafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    match node:
        case yaml.ScalarNode():
            value: Any = loader.construct_scalar(node)
        case yaml.SequenceNode():
            value = loader.construct_sequence(node, deep=True)
        case yaml.MappingNode():
            value = loader.construct_mapping(node, deep=True)
    if tag == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {tag if tag in {"Ref", "Condition"} else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _intrinsic)


def read_template(text: str) -> Template:
    """Parse a CloudFormation template in YAML, with short tags in long form.

    >>> read_template("A: !GetAtt B.Arn")
    {'A': {'Fn::GetAtt': ['B', 'Arn']}}
    """
    template: Template = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    return template


@dataclass(frozen=True, slots=True)
class AsZip:
    """Functions as zips that `zip_packages` made.

    They have `s3://bucket/key`, and Lambda's name of this Python, e.g. `python3.13`.
    """

    code_uri: str
    runtime: str

    def pack(self, properties: Template) -> None:
        """Make an image function's properties a zip function's."""
        [handler] = properties.pop("ImageConfig")["Command"]
        del properties["PackageType"]
        properties |= {"Handler": handler, "Runtime": self.runtime, "CodeUri": self.code_uri}


@dataclass(frozen=True, slots=True)
class AsImage:
    """Functions as an image that Docker has under this name."""

    name: str

    def pack(self, properties: Template) -> None:
        """Name the image that the function is to run in."""
        properties["ImageUri"] = self.name


def for_embedded_aws(
    template: Mapping[str, Any], parameters: Mapping[str, str], *, packing: AsZip | AsImage, variables: Mapping[str, str]
) -> Template:
    """Return the template with every image function packed so that it runs here.

    The template that is passed in stays as it is.

    Args:
        template: as `read_template` gives it.
        parameters: values that the stack is created with, where they differ from the defaults.
        packing: in what the functions are.
        variables: further environment of each function, e.g. PYTHONPATH.
    """
    declared = template.get("Parameters", {})
    numbers = {name: int(parameters.get(name, spec["Default"])) for name, spec in declared.items() if spec["Type"] == "Number"}
    aliases = {f"{name}.Alias": {"Ref": name} for name in template["Resources"]}
    local: Template = _with_values(template, numbers | aliases)
    _without_deployments(local["Resources"])
    _without_sums(local["Resources"])
    for resource in local["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function" and resource["Properties"].get("PackageType") == "Image":
            properties = resource["Properties"]
            del resource["Metadata"]
            packing.pack(properties)
            properties.setdefault("Environment", {})["Variables"] = _as_texts(properties["Environment"].get("Variables", {})) | dict(
                variables
            )
    return local


def with_definitions(template: Mapping[str, Any], root: Path) -> Template:
    """Return the template with its state machines' definitions from files."""
    resources = {name: _with_definition(resource, root) for name, resource in template["Resources"].items()}
    return {**template, "Resources": resources}


def _with_definition(resource: Mapping[str, Any], root: Path) -> Mapping[str, Any]:
    if resource["Type"] != "AWS::Serverless::StateMachine":
        return resource
    properties = dict(resource["Properties"])
    definition = yaml.safe_load((root / properties.pop("DefinitionUri")).read_text())
    return {**resource, "Properties": {**properties, "Definition": definition}}


def _as_texts(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return variables with numbers as text, as a process's environment needs them."""
    return {name: str(value) if isinstance(value, int) else value for name, value in environment.items()}


def _without_deployments(resources: Template) -> None:
    for resource in [*resources.values()]:
        for property_ in ("AutoPublishAlias", "AutoPublishCodeSha256"):
            resource.get("Properties", {}).pop(property_, None)
        preference = resource.get("Properties", {}).pop("DeploymentPreference", {})
        for hook in preference.get("Hooks", {}).values():
            del resources[hook["Ref"]]


def _without_sums(resources: Template) -> None:
    sums = [name for name, found in resources.items() if found["Type"] == "AWS::CloudWatch::Alarm" and "Metrics" in found["Properties"]]
    for name in sums:
        del resources[name]


def _with_values(part: Any, values: Mapping[str, Any]) -> Any:
    """Return a deep copy of a template's part, with references replaced by `values`."""
    match part:
        case {"Ref": str(name)} if name in values:
            return values[name]
        case dict():
            return {key: _with_values(value, values) for key, value in part.items()}
        case list():
            return [_with_values(value, values) for value in part]
        case _:
            return part


def zip_packages(root: Path, packages: Iterable[str]) -> bytes:
    """Zip the code of packages, Python and compiled, by its path under `root`.

    The same files give the same bytes.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in packages:
            for path in sorted(path for path in (root / package).rglob("*") if path.suffix in CODE):
                archive.writestr(zipfile.ZipInfo(path.relative_to(root).as_posix()), path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
