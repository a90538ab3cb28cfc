"""Fitted pipelines as skops files: the same bytes for the same model, and only types that we name come back."""

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
    """The types that a file may hold: each family's, and those that installed packages vouch for by entry points of `TRUST_GROUP`.

    A file's own wishes never lengthen this list.
    """
    families_own = (kind for family in families().values() for kind in family.trusted_types)
    vouched = (point.value.replace(":", ".") for point in entry_points(group=TRUST_GROUP))
    return tuple(sorted({*families_own, *vouched}))


def dump_pipeline(pipeline: Any) -> bytes:
    """A fitted pipeline as a skops file whose bytes depend on the model alone.

    skops names parts by memory address and stamps the zip with the time; here parts are numbered as they appear.

    Raises:
        TypeError: if an estimator holds what skops cannot write.
        InvalidBundleError: if it holds a type that `load_pipeline` would refuse.
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
    """Replace addresses in `__id__` and `file` by numbers in order of appearance, in place."""
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
    """An array file whose gaps between fields are zero: in scikit-learn's trees they hold what lay in memory before."""
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
    """The pipeline in a skops file whose origin was checked.

    Raises:
        InvalidBundleError: if the file holds a type outside our list, or a tree that points outside itself.
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
