"""Time other packages' predictions of a booster's file, on one thread, and print microseconds per row as JSON. Runs in `.peers`.

    .peers/bin/python tests/bench/peers.py MODEL ROWS.npy ROUNDS

Who cannot load the model, or predicts otherwise than its own library, is left out, and standard error says why.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

warnings.simplefilter("ignore")

type Predict = Callable[[], Any]


def main() -> None:
    """Time all in turns."""
    file, rows, rounds = Path(sys.argv[1]), np.load(sys.argv[2]), int(sys.argv[3])
    is_xgboost = file.suffix == ".json"
    expected = own(file, rows, is_xgboost=is_xgboost)
    ready: dict[str, Predict] = {}
    for name, make in peers(file, rows, is_xgboost=is_xgboost):
        try:
            predict = make()
            check(predict(), expected)
            ready[name] = predict
        except Exception as error:  # noqa: BLE001 - whatever a peer says of a model that it does not know
            print(f"{name} on {file.name}: {type(error).__name__}: {str(error).strip()[:200]}", file=sys.stderr)
    best = dict.fromkeys(ready, float("inf"))
    for _ in range(rounds):
        for name, predict in ready.items():
            started = time.process_time()
            predict()
            best[name] = min(best[name], time.process_time() - started)
    print(json.dumps({name: seconds / len(rows) * 1e6 for name, seconds in best.items()}))


def check(found: Any, expected: np.ndarray) -> None:
    """Pass if a peer's probabilities are those of the library, but for rounding and a few rows on a threshold."""
    apart = np.abs(np.asarray(found, dtype=np.float64).reshape(len(expected), -1)[:, -1] - expected) > 1e-4
    if apart.mean() > 0.001:
        message = f"{apart.mean():.0%} of the rows are more than 0.0001 apart"
        raise ValueError(message)


def own(file: Path, rows: np.ndarray, *, is_xgboost: bool) -> np.ndarray:
    """The library's own predictions."""
    if is_xgboost:
        import xgboost

        return xgboost.Booster(model_file=file).inplace_predict(rows)
    import lightgbm

    return lightgbm.Booster(model_file=file).predict(rows)


def peers(file: Path, rows: np.ndarray, *, is_xgboost: bool) -> Iterator[tuple[str, Callable[[], Predict]]]:
    """Each peer's name, and what makes its prediction ready."""
    single = rows.astype(np.float32)
    yield "treelite GTIL", partial(_treelite, file, single if is_xgboost else rows, is_xgboost=is_xgboost)
    yield "daal4py", partial(_daal4py, file, single if is_xgboost else rows, is_xgboost=is_xgboost)
    yield "ONNX Runtime", partial(_onnx, file, single, is_xgboost=is_xgboost)
    if not is_xgboost:
        yield "lleaves", partial(_lleaves, file, rows)


def _treelite(file: Path, rows: np.ndarray, *, is_xgboost: bool) -> Predict:
    import treelite

    load = treelite.frontend.load_xgboost_model if is_xgboost else treelite.frontend.load_lightgbm_model
    model = load(str(file))
    return lambda: treelite.gtil.predict(model, rows, nthread=1)


def _daal4py(file: Path, rows: np.ndarray, *, is_xgboost: bool) -> Predict:
    import daal4py

    daal4py.daalinit(1)
    model = daal4py.mb.convert_model(_booster(file, is_xgboost=is_xgboost))
    return lambda: model.predict_proba(rows)


def _onnx(file: Path, rows: np.ndarray, *, is_xgboost: bool) -> Predict:
    import onnxruntime
    from onnxmltools.convert import convert_lightgbm, convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    convert = convert_xgboost if is_xgboost else partial(convert_lightgbm, zipmap=False)
    form = convert(_booster(file, is_xgboost=is_xgboost), initial_types=[("x", FloatTensorType([None, rows.shape[1]]))])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(form.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run([session.get_outputs()[-1].name], {"x": rows})[0]


def _lleaves(file: Path, rows: np.ndarray) -> Predict:
    import lleaves

    model = lleaves.Model(model_file=str(file))
    model.compile()
    return lambda: model.predict(rows, n_jobs=1)


def _booster(file: Path, *, is_xgboost: bool) -> Any:
    if is_xgboost:
        import xgboost

        return xgboost.Booster(model_file=file)
    import lightgbm

    return lightgbm.Booster(model_file=file)


if __name__ == "__main__":
    main()
