"""The single-precision exponential, exactly as the C library computes it.

NumPy's own differs in the last bit. To reproduce the scores of a library that works in single precision, the rounding must be
the same. This is the algorithm of glibc's `expf` since 2.27, for all processors: exp(x) = 2^(k / 32) * 2^(r / 32), with a whole
number k and r between -0.5 and 0.5. The first factor comes from a table, the second from a cubic polynomial. All steps but the
last are in double precision.
"""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from functions.shared.kernels.library import kernel_library

PARTS = 32
PARTS_PER_UNIT = float.fromhex("0x1.71547652b82fep+0") * PARTS
"""32 / ln 2."""
COEFFICIENTS = (
    float.fromhex("0x1.c6af84b912394p-5") / PARTS**3,
    float.fromhex("0x1.ebfce50fac4f3p-3") / PARTS**2,
    float.fromhex("0x1.62e42ff0c52d6p-1") / PARTS,
)
"""Minimax coefficients of r cubed, r squared and r; close to, but not, the powers of ln 2."""
LOW, HIGH = -150.0, 130.0
"""Below the first, the result is 0 in single precision; above the second, infinity."""
POWERS = np.array([2.0 ** (k / PARTS) for k in range(PARTS)])
"""2^(k / 32)."""


class _Exponential(ctypes.Structure):
    _fields_ = (
        ("parts_per_unit", ctypes.c_double),
        ("coefficients", ctypes.c_double * 3),
        ("low", ctypes.c_double),
        ("high", ctypes.c_double),
        ("powers", ctypes.c_void_p),
    )


_HOW = _Exponential(PARTS_PER_UNIT, COEFFICIENTS, LOW, HIGH, POWERS.ctypes.data)


def exponential(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each value's exponential, by `exponential.c` if built, else by NumPy.

    Both give the same bits.
    """
    library = kernel_library()
    if library is None:
        return exponential_in_numpy(values)
    results = np.array(values, np.float32, order="C")
    call: Any = library.everscore_exponential
    call.argtypes, call.restype = [ctypes.POINTER(_Exponential), ctypes.c_int64, ctypes.c_void_p], None
    call(_HOW, results.size, results.ctypes.data)
    return results


def exponential_in_numpy(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the same bits without compiled code."""
    scaled = np.clip(values.astype(np.float64), LOW, HIGH) * PARTS_PER_UNIT
    whole = np.rint(scaled)
    rest = scaled - whole
    places = np.nan_to_num(whole).astype(np.int64)
    power = np.ldexp(POWERS[places % PARTS], places // PARTS)
    cubic = COEFFICIENTS[0] * rest + COEFFICIENTS[1]
    linear = COEFFICIENTS[2] * rest + 1.0
    with np.errstate(over="ignore", under="ignore"):
        results: NDArray[np.float32] = ((cubic * (rest * rest) + linear) * power).astype(np.float32)
    return results
