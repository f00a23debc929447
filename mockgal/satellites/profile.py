"""The halo profile of Navarro, Frenk & White 1996 (doi:10.1086/177173): radii and dispersions.

With x = r / r_s, the mass within x is proportional to m(x) = ln(1 + x) - x / (1 + x).

The radius that encloses a fraction u of the mass within x = c, the concentration, solves
m(x) = u m(c): x = -1 - 1 / W0(-exp(-1 - u m(c))), where W0 is the principal branch of Lambert's
function. The isotropic Jeans equation gives the one-dimensional dispersion (Lokas & Mamon 2001,
doi:10.1046/j.1365-8711.2001.04007.x, eq. 13 with beta = 0; More et al. 2009,
doi:10.1111/j.1365-2966.2008.14095.x, eq. 13)

    sigma^2(x) = V^2 c / m(c)  x (1 + x)^2  integral from x to infinity of m(y) dy / (y^3 (1 + y)^2)

with V the circular velocity at the radius of the host. Both are functions of one variable, taken
from tables (`mockgal.satellites.curves`) that are computed on first use.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .concentration import CONCENTRATION_RANGE
from .curves import Curve, hermite

Array = NDArray[Any]

SCALED_RADII = (1e-9, 1e5)  # x in the table of dispersions
_SERIES = 0.02  # x below which m(x) is computed by its series
_FAR = 1e12  # x that stands for infinity in the integral of the dispersion


def enclosed(x: Array | float) -> Array:
    """Return m(x) = ln(1 + x) - x / (1 + x), exact to rounding for small x too; same shape."""
    series = np.zeros(np.shape(x))
    for k in range(10, 1, -1):  # sum of (-1)^k (k - 1) / k x^k
        series = x * series + (-1) ** k * (k - 1) / k
    return np.where(x < _SERIES, series * x * x, np.log1p(x) - x / (1.0 + x))


@cache
def radius_curve() -> Curve:
    """Return the ratio x / s as a function of s = sqrt(2 m(x)), which is smooth, and 1 at s = 0.

    The relative error is below 1e-11 up to the largest concentration.
    """
    per_unit = 512
    last = math.ceil(math.sqrt(2.0 * float(enclosed(CONCENTRATION_RANGE[1]))) * per_unit)
    s = np.arange(last + 1) / per_unit
    x = _scaled_radius(0.5 * s[1:] ** 2)
    ratio = x / s[1:]
    slope = ((1.0 + x) ** 2 / ratio - ratio) / s[1:]
    return hermite(0.0, 1.0 / per_unit, np.append(1.0, ratio), np.append(2.0 / 3.0, slope))


def _scaled_radius(t: Array) -> Array:
    """Solve m(x) = t by Lambert's function and Newton's method."""
    from scipy.special import lambertw

    with np.errstate(divide="ignore", invalid="ignore"):
        x = -1.0 - 1.0 / lambertw(-np.exp(-1.0 - t)).real
    s = np.sqrt(2.0 * t)
    x = np.where(s < 0.1, s * (1.0 + s * (2.0 / 3.0)), x)  # where Lambert's function loses digits
    for _ in range(5):
        x = x - (enclosed(x) - t) * (1.0 + x) ** 2 / x
    return np.asarray(x)


@cache
def dispersion_curve() -> Curve:
    """Return sigma^2 m(c) / (c x V^2) as a function of ln x, for x in `SCALED_RADII`.

    The relative error is below 1e-8.
    """
    per_unit = 64
    low, high = (math.log(x) * per_unit for x in (SCALED_RADII[0], _FAR))
    first = math.floor(low)
    log_x = np.arange(first, math.ceil(high) + 1) / per_unit
    node, weight = np.polynomial.legendre.leggauss(8)
    y = np.exp(log_x[:-1, None] + (0.5 + 0.5 * node) / per_unit)
    pieces = (enclosed(y) / (y * (1.0 + y)) ** 2) @ (0.5 * weight / per_unit)
    kept = math.ceil(math.log(SCALED_RADII[1]) * per_unit) - first + 1
    x = np.exp(log_x[:kept])
    value = (1.0 + x) ** 2 * np.cumsum(pieces[::-1])[::-1][:kept]
    slope = 2.0 * x / (1.0 + x) * value - enclosed(x) / x**2
    return hermite(log_x[0], 1.0 / per_unit, value, slope)
