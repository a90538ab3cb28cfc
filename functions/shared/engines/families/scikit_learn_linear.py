"""Express scikit-learn's fitted linear estimators as coefficients and a link."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn import linear_model
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.svm import LinearSVR

from functions.shared.domain.errors import NotCompilableError
from functions.shared.engines.linear_forms import LinearForm


def linear_form(model: Any) -> LinearForm | None:
    """Return the linear form of a fitted estimator; None if it is of no known kind.

    Raises:
        NotCompilableError: if its probabilities do not come from a link.
    """
    rule = _LINKS.get(type(model))
    if rule is None:
        return None
    coefficients = model.coef_.toarray() if hasattr(model.coef_, "toarray") else np.asarray(model.coef_)
    coefficients = np.atleast_2d(coefficients).astype(np.float64)
    intercept = np.broadcast_to(np.asarray(model.intercept_, dtype=np.float64).ravel(), len(coefficients))
    return LinearForm(rule(model), coefficients, intercept.copy())


def _is_binary(model: Any) -> bool:
    return len(model.classes_) == 2


def _identity(_: Any) -> str:
    return "identity"


def _logistic(model: Any) -> str:
    return "expit" if _is_binary(model) else "softmax"


def _stochastic(model: Any) -> str:
    if model.loss != "log_loss":
        message = f"SGDClassifier with loss={model.loss!r} is not compiled"
        raise NotCompilableError(message)
    return "expit" if _is_binary(model) else "one_versus_rest"


def _generalised(model: Any) -> str:
    link = type(model._base_loss.link).__name__  # noqa: SLF001 - `link="auto"` is resolved nowhere else
    return {"LogLink": "exp", "IdentityLink": "identity"}[link]


_LINKS: Mapping[type, Callable[[Any], str]] = {
    linear_model.LogisticRegression: _logistic,
    linear_model.LogisticRegressionCV: _logistic,
    LinearDiscriminantAnalysis: _logistic,
    linear_model.SGDClassifier: _stochastic,
    linear_model.PoissonRegressor: _generalised,
    linear_model.GammaRegressor: _generalised,
    linear_model.TweedieRegressor: _generalised,
    **dict.fromkeys(
        (
            linear_model.LinearRegression,
            linear_model.Ridge,
            linear_model.RidgeCV,
            linear_model.Lasso,
            linear_model.LassoCV,
            linear_model.ElasticNet,
            linear_model.ElasticNetCV,
            linear_model.BayesianRidge,
            linear_model.ARDRegression,
            linear_model.HuberRegressor,
            linear_model.QuantileRegressor,
            linear_model.SGDRegressor,
            LinearSVR,
        ),
        _identity,
    ),
}
