"""The profile's tables against SciPy, closed forms and halotools; compiled code against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import lambertw, ndtri, spence

from mockgal import random
from mockgal.satellites import curves, kernels, profile, reference

IDS = st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 5000)), max_size=30)


def dispersion(x):
    """sigma^2 m(c) / (c V^2), from the table."""
    x = np.atleast_1d(x)
    return x * curves.evaluate(profile.dispersion_curve(), np.log(x))


def test_enclosed_mass():
    x = np.logspace(-8, 5, 200)
    with np.errstate(all="ignore"):
        plain = np.log1p(x) - x / (1 + x)
    np.testing.assert_allclose(profile.enclosed(x[x > 0.1]), plain[x > 0.1], rtol=1e-13)
    for low in (1e-7, 1e-3, 0.0199, 0.0201):  # by its integrand, y / (1 + y)^2
        found = quad(lambda y: y / (1 + y) ** 2, 0, low, epsabs=0, epsrel=1e-13)[0]
        assert profile.enclosed(low) == pytest.approx(found, rel=1e-11)


def test_radius_that_holds_a_mass():
    """Against Lambert's function, and the mass that is in it."""
    s = np.linspace(1e-6, np.sqrt(2 * profile.enclosed(1000.0)), 20_001)
    x = s * curves.evaluate(profile.radius_curve(), s)
    np.testing.assert_allclose(profile.enclosed(x), 0.5 * s**2, rtol=1e-10)
    well = s > 0.3
    exact = -1 - 1 / lambertw(-np.exp(-1 - 0.5 * s[well] ** 2)).real
    np.testing.assert_allclose(x[well], exact, rtol=1e-10)
    assert x[-1] == pytest.approx(1000.0, rel=1e-10)


def test_dispersion_solves_the_jeans_equation():
    """d(rho sigma^2)/dx = -rho m(x) / x^2, integrated from the outside in."""

    def force(y):
        return profile.enclosed(y) / (y**3 * (1 + y) ** 2)

    for x in (1e-4, 0.03, 0.5, 3.0, 40.0):
        integral = sum(
            quad(force, a, b, epsabs=0, epsrel=1e-11, limit=200)[0]
            for a, b in ((x, 10 * x), (10 * x, 1e3 * x), (1e3 * x, np.inf))
        )
        assert dispersion(x) == pytest.approx(x * (1 + x) ** 2 * integral, rel=1e-8)


def test_dispersion_in_closed_form():
    """Lokas & Mamon 2001, eq. 14: dilogarithm and logarithms."""
    x = np.logspace(-1, 1, 40)  # beyond, its terms cancel
    log = np.log1p(x)
    bracket = (
        np.pi**2 - np.log(x) - 1 / x - 1 / (1 + x) ** 2 - 6 / (1 + x)
        + (1 + 1 / x**2 - 4 / x - 2 / (1 + x)) * log + 3 * log**2 + 6 * spence(1 + x)
    )  # fmt: skip
    np.testing.assert_allclose(dispersion(x), 0.5 * x * (1 + x) ** 2 * bracket, rtol=1e-7)


@pytest.mark.parametrize("c", [3.0, 12.0])
def test_dispersion_of_halotools(c):
    models = pytest.importorskip("halotools.empirical_models")
    radius = np.linspace(0.01, 1, 25)
    theirs = models.NFWPhaseSpace().dimensionless_radial_velocity_dispersion(radius, c)
    own = np.sqrt(c / profile.enclosed(c) * dispersion(c * radius))
    np.testing.assert_allclose(own, theirs, rtol=2e-5)  # its integrals' tolerance


def test_normal_quantiles():
    u = np.concatenate([np.linspace(2.0**-53, 1 - 2.0**-53, 100_001), 2.0 ** -np.arange(1, 53)])
    found = curves.normal(u, curves.evaluate(curves.normal_curve(), u))
    assert np.max(np.abs(found - ndtri(u))) < 1e-9


def test_circle():
    t = np.linspace(0, 1, 99_991)
    cosine, sine = (curves.evaluate(curve, t) for curve in curves.circle_curves())
    assert np.max(np.abs(cosine - np.cos(2 * np.pi * t))) < 1e-11
    assert np.max(np.abs(sine - np.sin(2 * np.pi * t))) < 1e-11


@given(st.lists(st.floats(0.0, 1.0), max_size=50))
def test_compiled_curves(t):
    t = np.array(t)
    for curve in (*curves.circle_curves(), curves.normal_curve(), profile.radius_curve()):
        np.testing.assert_array_equal(kernels.evaluate(curve, t), curves.evaluate(curve, t))
    log_x = np.log(profile.SCALED_RADII[0]) + t * 32.0
    curve = profile.dispersion_curve()
    np.testing.assert_array_equal(kernels.evaluate(curve, log_x), curves.evaluate(curve, log_x))


@given(IDS, st.integers(0, 2**63 - 1))
def test_compiled_random_numbers(objects, seed):
    ids, index = np.array(objects, dtype=np.int64).reshape(-1, 2).T.copy()
    for draw in (0, 2):
        expected = [
            random.uniform(seed, "s", [i], draw=draw, sub_index=int(j))[0]
            for i, j in zip(ids, index, strict=True)
        ]
        for backend in (reference, kernels):
            np.testing.assert_array_equal(backend.uniform_of(seed, "s", ids, index, draw), expected)
    for attempt in (0, 3):
        bits = reference.id_hash(seed, ids, attempt)
        np.testing.assert_array_equal(kernels.id_hash(seed, ids, attempt), bits)
        assert np.all((bits >= 0) & (bits < 2**52))
    np.testing.assert_array_equal(
        kernels.uniform(seed, "s", ids), reference.uniform(seed, "s", ids)
    )


@given(st.integers(0, 2**31))
def test_compiled_interpolation(seed):
    generator = np.random.default_rng(seed)
    probability = np.sort(np.concatenate([[0, 1], generator.random(10)]))
    values = np.sort(generator.integers(-8, 8, (3, 12)) / 4.0, axis=1)
    u, row = generator.random(200), generator.integers(0, 3, 200)
    found, expected = (
        backend.interpolate(u, row, backend.lines(probability, values))
        for backend in (kernels, reference)
    )
    np.testing.assert_array_equal(found, expected)
