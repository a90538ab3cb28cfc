"""CatBoost's trees in the form of all libraries' trees."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from functions.shared.domain.errors import NotCompilableError
from functions.shared.engines.families.catboost_files import MISSING, document
from functions.shared.engines.tree_forms import CategorySplit, Tree, TreeForm

_LINKS = {
    **dict.fromkeys(("Logloss", "CrossEntropy", "MultiClassOneVsAll"), "expit"),
    "MultiClass": "softmax",
    **dict.fromkeys(("Poisson", "Tweedie"), "exp"),
    **dict.fromkeys(("RMSE", "MAE", "MAPE", "Quantile", "LogLinQuantile", "Huber", "Expectile", "LogCosh", "Lq"), "identity"),
}
_MOST_ONE_HOT = 255
"""Categories of a column that is split by single ones, at most."""

type _Json = Mapping[str, Any]


def tree_form(model: Any) -> TreeForm:
    """Return the form of a fitted estimator whose category columns hold codes.

    Raises:
        NotCompilableError: if it splits by statistics of categories, by texts, or by more than single columns say.
    """
    whole = document(model)
    objective = whole["model_info"]["params"]["loss_function"]["type"]
    if objective not in _LINKS:
        message = f"CatBoost's objective {objective} is not compiled"
        raise NotCompilableError(message)
    scale, bias = whole["scale_and_bias"]
    columns = _Columns(whole["features_info"])
    trees = [_oblivious(tree, columns, len(bias)) for tree in whole.get("oblivious_trees", ())]
    trees += [_nested(tree, columns, len(bias)) for tree in whole.get("trees", ())]
    outputs = tuple(range(len(bias)))
    return TreeForm(
        link=_LINKS[objective],
        base=np.array(bias, np.float64) / scale,
        trees=tuple(trees),
        outputs=(outputs,) * len(trees),
        compares_in=np.float32,
        scale=scale,
    )


class _Columns:
    """What splits ask of the model's columns."""

    def __init__(self, infos: _Json) -> None:
        floats, categories = (infos.get(f"{kind}_features", ()) for kind in ("float", "categorical"))
        self._floats = {info["feature_index"]: info for info in floats}
        self._categories = {info["feature_index"]: info["flat_feature_index"] for info in categories}

    def asked(self, split: _Json) -> tuple[int, float, bool, CategorySplit | None]:
        """Return a question of a tree.

        It is the column, the threshold, whether a missing value passes, and what to ask of a category instead.
        """
        match split["split_type"]:
            case "FloatFeature":
                info = self._floats[split["float_feature_index"]]
                # A number goes right if it is greater.
                return info["flat_feature_index"], split["border"], info["nan_value_treatment"] != "AsTrue", None
            case "OneHotFeature":
                code = _codes().get(split["value"])
                if code is None:
                    message = "CatBoost's splits on texts are not compiled"
                    raise NotCompilableError(message)
                asked = CategorySplit(np.array([code], np.int64), listed_left=False, zero_from=MISSING)
                return self._categories[split["cat_feature_index"]], 0.0, True, asked
            case "OnlineCtr":
                message = "CatBoost's statistics of categories are not compiled: --param one_hot_max_size=255 splits by categories instead"
                raise NotCompilableError(message)
            case other:
                message = f"CatBoost's splits of the type {other} are not compiled"
                raise NotCompilableError(message)


def _oblivious(tree: _Json, columns: _Columns, sums: int) -> Tree:
    """Return a tree of levels that ask the same at each of their nodes.

    A leaf's number has a bit for each level, that of the first split lowest.
    """
    asked = [columns.asked(split) for split in reversed(tree["splits"] or ())]
    depth = len(asked)
    splits, nodes = 2**depth - 1, 2 ** (depth + 1) - 1
    places = np.arange(nodes)
    is_leaf = places >= splits
    column, threshold, missing_left = (
        np.concatenate([np.repeat([one[k] for one in asked], 2 ** np.arange(depth)), np.zeros(splits + 1)]) for k in range(3)
    )
    leaves = np.array(tree["leaf_values"], np.float64).reshape(splits + 1, sums)
    levels = [(2**level - 1, 2 ** (level + 1) - 1) for level in range(depth)]
    return Tree(
        is_leaf=is_leaf,
        column=column.astype(np.intp),
        threshold=threshold,
        left=np.where(is_leaf, 0, 2 * places + 1),
        right=np.where(is_leaf, 0, 2 * places + 2),
        missing_left=missing_left.astype(np.bool_),
        values=np.concatenate([np.zeros((splits, sums)), leaves]),
        categories={node: one[3] for one, level in zip(asked, levels, strict=True) if one[3] is not None for node in range(*level)},
    )


def _nested(tree: _Json, columns: _Columns, sums: int) -> Tree:
    """Return a tree whose nodes ask for themselves."""
    nodes: list[_Json] = [tree]
    left, right = [], []
    for node in nodes:  # which grows meanwhile
        left.append(len(nodes) if "split" in node else 0)
        right.append(len(nodes) + 1 if "split" in node else 0)
        nodes += [node[side] for side in ("left", "right") if "split" in node]
    asked = [columns.asked(node["split"]) if "split" in node else (0, 0.0, True, None) for node in nodes]
    return Tree(
        is_leaf=np.array(["split" not in node for node in nodes]),
        column=np.array([one[0] for one in asked], np.intp),
        threshold=np.array([one[1] for one in asked], np.float64),
        left=np.array(left, np.intp),
        right=np.array(right, np.intp),
        missing_left=np.array([one[2] for one in asked]),
        values=np.array([np.resize(node.get("value", 0.0), sums) for node in nodes], np.float64),
        categories={place: one[3] for place, one in enumerate(asked) if one[3] is not None},
    )


@cache
def _codes() -> Mapping[int, int]:
    """Return, by CatBoost's hash, the codes of a category where splits use one.

    CatBoost says its hashes only where it writes a model as a program.
    """
    import pandas as pd
    from catboost import CatBoostRegressor, Pool

    codes = np.arange(MISSING, _MOST_ONE_HOT)
    rows = Pool(pd.DataFrame({"code": codes}), codes, cat_features=[0])
    model = CatBoostRegressor(iterations=1, depth=1, thread_count=1, allow_writing_files=False, verbose=False).fit(rows)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.py"
        model.save_model(file, format="python", pool=rows)
        hashes = re.search(r"cat_features_hashes = \{(.*?),?\s*\}", file.read_text(), re.DOTALL)
    if hashes is None:
        message = "CatBoost does not say the hashes of categories"
        raise NotCompilableError(message)
    return {found: int(code) for code, found in json.loads(f"{{{hashes[1]}}}").items()}
