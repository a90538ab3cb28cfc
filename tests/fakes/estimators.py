"""Estimators that somebody wrote."""

from typing import Any, Self

from sklearn.linear_model import LogisticRegression


class Choosy(LogisticRegression):
    """Refuses whatever it is to learn from, by an error of its own choice."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: N803 - scikit-learn's names
        raise TypeError("not this matrix")
