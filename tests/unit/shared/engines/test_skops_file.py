import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from functions.shared.domain.errors import InvalidBundleError
from functions.shared.engines.skops_file import dump_pipeline, load_pipeline

X = np.arange(60.0).reshape(30, 2)
Y = np.arange(30) % 2


def fitted() -> Any:
    return make_pipeline(HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2, random_state=0)).fit(X, Y)


def rewritten(data: bytes, change: Callable[[str], str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content.decode()) if name == "schema.json" else content)
    return out.getvalue()


def double(values: Any) -> Any:
    return values * 2


def test_a_pipeline_comes_back_as_it_was() -> None:
    pipeline = fitted()
    assert np.array_equal(load_pipeline(dump_pipeline(pipeline)).predict_proba(X), pipeline.predict_proba(X))


def test_equal_models_are_equal_bytes_wherever_they_lie_in_memory() -> None:
    first, between, second = fitted(), [object() for _ in range(1000)], fitted()
    assert dump_pipeline(first) == dump_pipeline(second)
    assert between


def test_a_model_that_comes_back_is_the_same_bytes_again_whatever_lies_between_the_fields_of_its_trees() -> None:
    written = dump_pipeline(RandomForestClassifier(3, random_state=0).fit(X, Y))
    returned = load_pipeline(written)
    for tree in returned.estimators_:
        state = tree.tree_.__getstate__()
        octets = state["nodes"].view(np.uint8).reshape(len(state["nodes"]), -1)
        octets[:, 57:] = 0xAB  # after the last field, one byte at 56
        tree.tree_.__setstate__(state)
    assert dump_pipeline(returned) == written
    assert np.array_equal(load_pipeline(written).predict_proba(X), returned.predict_proba(X))


def test_no_memory_address_is_left_in_the_file() -> None:
    with zipfile.ZipFile(io.BytesIO(dump_pipeline(fitted()))) as archive:
        assert all(len(name) < 12 for name in archive.namelist())
        numbers = [int(part.split(",")[0].split("}")[0]) for part in archive.read("schema.json").decode().split('"__id__":')[1:]]
    assert max(numbers) <= len(numbers)


def test_a_function_of_somebody_s_own_is_refused_when_written() -> None:
    pipeline = make_pipeline(FunctionTransformer(double), HistGradientBoostingClassifier(max_iter=1)).fit(X, Y)
    with pytest.raises(InvalidBundleError, match="double"):
        dump_pipeline(pipeline)


def test_a_type_outside_the_list_is_refused_when_read_whatever_the_file_says() -> None:
    def ask_for_system(schema: str) -> str:
        document = json.loads(schema)
        document["__class__"], document["__module__"] = "Popen", "subprocess"
        return json.dumps(document)

    with pytest.raises(InvalidBundleError, match="subprocess"):
        load_pipeline(rewritten(dump_pipeline(fitted()), ask_for_system))


@pytest.mark.parametrize(("field", "value"), [("left", 10_000), ("right", 0), ("feature_idx", 99), ("feature_idx", -1)])
def test_a_tree_that_points_outside_itself_is_refused(field: str, value: int) -> None:
    pipeline = fitted()
    nodes = pipeline[-1]._predictors[0][0].nodes
    nodes[field][0] = value
    with pytest.raises(InvalidBundleError, match="outside itself"):
        load_pipeline(dump_pipeline(pipeline))
