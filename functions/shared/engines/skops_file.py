"""Store fitted pipelines as skops files: reproducible bytes, trusted types only."""

import io
import json
import zipfile
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import numpy as np

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.engines.families.table import families, family_of
from functions.shared.engines.steps import steps_of

TRUST_GROUP = "everscore.trusted_types"
_SCHEMA = "schema.json"


@cache
def trusted_types() -> tuple[str, ...]:
    """Return the types that a file may contain.

    They are those of each family, and those that installed packages add by entry points of `TRUST_GROUP`. A file cannot add any.
    """
    families_own = (kind for family in families().values() for kind in family.trusted_types)
    vouched = (point.value.replace(":", ".") for point in entry_points(group=TRUST_GROUP))
    return tuple(sorted({*families_own, *vouched}))


def dump_pipeline(pipeline: Any) -> bytes:
    """Return a fitted pipeline as a skops file whose bytes depend on the model alone.

    skops names parts by memory address and puts the time into the zip file. Here, parts are numbered in order of appearance.

    Raises:
        TypeError: if an estimator contains an object that skops cannot write.
        InvalidBundleError: if it contains a type that `load_pipeline` would refuse.
    """
    import skops.io

    data = skops.io.dumps(pipeline)
    refused = sorted(set(skops.io.get_untrusted_types(data=data)) - set(trusted_types()))
    if refused:
        message = f"the pipeline holds types that Everscore does not load: {', '.join(refused)}"
        raise InvalidBundleError(message)
    with zipfile.ZipFile(io.BytesIO(data)) as written:
        schema = json.loads(written.read(_SCHEMA))
        files: dict[str, str] = {}
        _number_parts(schema, {}, files)
        members = {new: _without_padding(written.read(old)) for old, new in files.items()}
    members[_SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def _number_parts(node: object, numbers: dict[int, int], files: dict[str, str]) -> None:
    """Replace addresses in `__id__` and `file` by numbers in order of appearance."""
    if isinstance(node, list):
        for part in node:
            _number_parts(part, numbers, files)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("__id__"), int):
        node["__id__"] = numbers.setdefault(node["__id__"], len(numbers) + 1)
    if isinstance(node.get("file"), str):
        name = node["file"]
        node["file"] = files.setdefault(name, f"{len(files) + 1}.{name.rpartition('.')[2]}")
    for part in node.values():
        _number_parts(part, numbers, files)


def _without_padding(content: bytes) -> bytes:
    """Zero the gaps between an array file's fields, where trees hold random memory."""
    if not content.startswith(b"\x93NUMPY"):
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None or not array.size:
        return content
    octets = np.zeros(array.nbytes, np.uint8)
    fields = octets.view(array.dtype)
    for name in array.dtype.names:
        fields[name] = array[name]
    return content[: -array.nbytes] + octets.tobytes()


def load_pipeline(data: bytes) -> Any:
    """Return the pipeline in a skops file whose digest was checked.

    Raises:
        InvalidBundleError: if the file contains a type outside our list, or a tree with an index outside itself.
    """
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        pipeline = skops.io.loads(data, trusted=list(trusted_types()))
    except UntrustedTypesFoundException as error:
        message = f"the model holds types that Everscore does not load: {error}"
        raise InvalidBundleError(message) from error
    model = steps_of(pipeline)[-1]
    family_of(model).check(model)
    return pipeline
