"""One form for fitted linear models of all libraries."""

from dataclasses import dataclass

from functions.shared.engines.engine import Floats


@dataclass(frozen=True, slots=True)
class LinearForm:
    """The model `link(columns @ coefficients.T + intercept)`.

    `coefficients` has shape (sums, columns), `intercept` (sums,).
    """

    link: str
    coefficients: Floats
    intercept: Floats
