"""Time another package's predictions of a booster's file, on one thread, and print microseconds per row as JSON. Runs in `.peers`.

    .peers/bin/python tests/bench/peers.py NAME MODEL ROUNDS TREES LEAVES CATEGORIES

`rows.npy` and `truth.npy` lie next to the model. If a package can't load it, or predicts otherwise than the model's own library, the
answer says so, and standard error says more. YDF loads no other library's model: it grows one of its own of the same size.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

warnings.simplefilter("ignore")

type Predict = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A model's file, and the rows to predict."""

    file: Path
    rows: np.ndarray
    truth: np.ndarray
    trees: int
    leaves: int
    categories: int

    @property
    def is_xgboost(self) -> bool:
        """Return whether XGBoost wrote the file; else LightGBM did."""
        return self.file.suffix == ".json"

    @property
    def single(self) -> np.ndarray:
        """The rows in single precision."""
        return self.rows.astype(np.float32)

    @property
    def booster(self) -> Any:
        """The model as its own library loads it."""
        if self.is_xgboost:
            import xgboost

            return xgboost.Booster(model_file=self.file)
        import lightgbm

        return lightgbm.Booster(model_file=self.file)

    def expected(self) -> np.ndarray:
        """The library's own predictions."""
        return self.booster.inplace_predict(self.rows) if self.is_xgboost else self.booster.predict(self.rows)


def main() -> None:
    """Time one package."""
    name, file, rounds, *sizes = sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])
    asked = Asked(file, np.load(file.parent / "rows.npy"), np.load(file.parent / "truth.npy"), *sizes)
    print(json.dumps(timed(name, asked, rounds)))


def timed(name: str, asked: Asked, rounds: int) -> float | str:
    """Return the microseconds per row of a package, or why it doesn't predict."""
    try:
        predict = PEERS[name](asked)
        found = predict()
    except Exception as error:  # noqa: BLE001 - whatever a peer says of a model that it does not know
        print(f"{name} on {asked.file.name}: {type(error).__name__}: {str(error).strip()[:200]}", file=sys.stderr)
        return "can't load it"
    if name != YDF and not agrees(found, asked.expected()):
        return "other scores"
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        predict()
        best = min(best, time.process_time() - started)
    return best / len(asked.rows) * 1e6


def agrees(found: Any, expected: np.ndarray) -> bool:
    """Return whether probabilities are those of the library, but for rounding and a few rows on a threshold."""
    apart = np.abs(np.asarray(found, dtype=np.float64).reshape(len(expected), -1)[:, -1] - expected) > 1e-4
    return bool(apart.mean() <= 0.001)


def _treelite(asked: Asked) -> Predict:
    import treelite

    load = treelite.frontend.load_xgboost_model if asked.is_xgboost else treelite.frontend.load_lightgbm_model
    model, rows = load(str(asked.file)), asked.single if asked.is_xgboost else asked.rows
    return lambda: treelite.gtil.predict(model, rows, nthread=1)


def _daal4py(asked: Asked) -> Predict:
    import daal4py

    daal4py.daalinit(1)
    model, rows = daal4py.mb.convert_model(asked.booster), asked.single if asked.is_xgboost else asked.rows
    return lambda: model.predict_proba(rows)


def _onnx(asked: Asked) -> Predict:
    import onnxruntime
    from onnxmltools.convert import convert_lightgbm, convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    convert, rows = convert_xgboost if asked.is_xgboost else partial(convert_lightgbm, zipmap=False), asked.single
    form = convert(asked.booster, initial_types=[("x", FloatTensorType([None, rows.shape[1]]))])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(form.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run([session.get_outputs()[-1].name], {"x": rows})[0]


def _lleaves(asked: Asked) -> Predict:
    import lleaves

    model, rows = lleaves.Model(model_file=str(asked.file)), asked.rows
    model.compile()
    return lambda: model.predict(rows, n_jobs=1)


def _ydf(asked: Asked) -> Predict:
    import ydf

    columns = {f"x{place}": column for place, column in enumerate(asked.single.T)}
    categories = [ydf.Column(name, ydf.Semantic.CATEGORICAL) for name in list(columns)[: asked.categories]]
    coded = {found.name: np.where(np.isnan(columns[found.name]), "", columns[found.name].astype(str)) for found in categories}
    learner = ydf.GradientBoostedTreesLearner(
        label="y",
        features=categories,
        include_all_columns=True,
        num_trees=asked.trees,
        growing_strategy="BEST_FIRST_GLOBAL",
        max_num_nodes=asked.leaves,
        max_depth=-1,
        validation_ratio=0.0,
        early_stopping="NONE",
        num_threads=1,
    )
    table = {**columns, **coded, "y": asked.truth}
    model = learner.train(table, verbose=0)
    rows = ydf.create_vertical_dataset(table, data_spec=model.data_spec())
    return lambda: model.predict(rows, num_threads=1)


YDF = "YDF, its own model"
PEERS: Mapping[str, Callable[[Asked], Predict]] = {
    "daal4py": _daal4py,
    "lleaves": _lleaves,
    "ONNX Runtime": _onnx,
    "treelite GTIL": _treelite,
    YDF: _ydf,
}
NAMES = tuple(PEERS)


if __name__ == "__main__":
    main()
