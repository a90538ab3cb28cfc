"""Fitted linear models in one form, whatever their library calls their parts."""

from dataclasses import dataclass

from functions.shared.engines.engine import Floats


@dataclass(frozen=True, slots=True)
class LinearForm:
    """`link(columns @ coefficients.T + intercept)`: coefficients of shape (sums, columns), intercept of (sums,)."""

    link: str
    coefficients: Floats
    intercept: Floats
