"""Growth, transfer function and power of linear theory; initial conditions."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import fft, integrate

from mockgal.cosmology import Cosmology
from mockgal.errors import HeaderError
from mockgal.theory.abundance import halo_abundance
from mockgal.theory.linear import Growth, linear_power, rms_overdensity, transfer_function
from mockgal.universe.initial import displaced_lattice, linear_overdensity, wavevectors
from mockgal.universe.make import COSMOLOGY

EINSTEIN_DE_SITTER = Cosmology(h=0.7, omega_m=1.0, omega_lambda=0.0)


@pytest.mark.parametrize("a", [0.05, 0.3, 1.0])
def test_growth_of_einstein_and_de_sitter(a):
    growth = Growth(EINSTEIN_DE_SITTER)
    assert growth.factor(a) == pytest.approx(a, rel=1e-8)
    assert growth.momentum(a) == pytest.approx(a**1.5, rel=1e-8)
    assert growth.matter(a) == pytest.approx(1.0)


@pytest.mark.parametrize("a", [0.05, 0.4, 0.95])
@pytest.mark.parametrize(
    "cosmology",
    [
        COSMOLOGY,
        Cosmology(h=0.7, omega_m=0.3, omega_lambda=0.2),
        Cosmology(h=0.7, omega_m=0.3, omega_lambda=0.6, w0=-0.8, wa=0.4),
        Cosmology(h=0.7, omega_m=0.3, omega_lambda=0.7, w0=-1.0, wa=2.5),
        Cosmology(h=0.7, omega_m=0.3, omega_lambda=0.7, omega_r=1e-3, omega_nu=0.02),
    ],
)
def test_growth_obeys_its_equation(cosmology, a):
    growth, step = Growth(cosmology), 1e-4
    rate = cosmology.expansion_rate(1 / a - 1)
    slope = (growth.factor(a + step) - growth.factor(a - step)) / (2 * step)
    assert growth.momentum(a) == pytest.approx(a**3 * rate * slope, rel=1e-5)
    slope = (growth.momentum(a + step) - growth.momentum(a - step)) / (2 * step)
    expected = 1.5 * cosmology.omega_m * growth.factor(a) / (a**2 * rate)
    assert slope == pytest.approx(expected, rel=1e-5)


def test_power_is_normalised():
    power = linear_power(COSMOLOGY)
    assert rms_overdensity(power, 8.0) == pytest.approx(COSMOLOGY.sigma_8, rel=1e-12)
    k = np.array([1e-5, 2e-5])
    assert transfer_function(k, COSMOLOGY) == pytest.approx(1.0, abs=1e-3)
    assert power(k)[1] / power(k)[0] == pytest.approx(2**COSMOLOGY.n_s, rel=1e-3)


@pytest.mark.parametrize("name", ["omega_b", "sigma_8", "n_s"])
def test_what_a_spectrum_needs(name):
    with pytest.raises(HeaderError, match=name):
        linear_power(replace(COSMOLOGY, **{name: None}))


def test_overdensity_has_the_power_it_is_made_with():
    power, box = linear_power(COSMOLOGY), 50.0
    waves = linear_overdensity(power, side=32, box_size=box, seed=3)
    k = np.sqrt(sum(x**2 for x in wavevectors(32, box)))
    inner = np.zeros(waves.shape, dtype=bool)
    inner[:, :, 1:16] = True  # each wave once
    inner[16] = inner[:, 16] = False
    ratio = np.abs(waves[inner]) ** 2 * box**3 / power(k[inner])
    assert ratio.mean() == pytest.approx(1.0, abs=4 / np.sqrt(ratio.size))
    assert ratio.std() == pytest.approx(1.0, abs=0.1)  # of an exponential distribution
    field = fft.irfftn(waves, s=(32,) * 3, norm="forward")
    assert np.allclose(fft.rfftn(field, norm="forward"), waves, atol=1e-14)
    assert waves[0, 0, 0] == 0
    again = linear_overdensity(power, side=32, box_size=box, seed=3)
    assert np.array_equal(again, waves)
    other = linear_overdensity(power, side=32, box_size=box, seed=4)
    assert abs(np.vdot(other, waves)) < 0.1 * np.vdot(waves, waves).real


def test_second_order_of_two_plane_waves():
    """phi = A cos kx + B cos ky: the source is A B k^4 cos kx cos ky, and there is no other."""
    side, box, a, b = 16, 20.0, 0.3, 0.2
    k = 2 * np.pi / box
    q = (np.arange(side) + 0.5) * box / side
    x, y = q[:, None, None] * k, q[None, :, None] * k
    delta = -(k**2) * (a * np.cos(x) + b * np.cos(y)) + np.zeros((side,) * 3)
    waves = fft.rfftn(delta, norm="forward")
    got = displaced_lattice(waves, box_size=box, cosmology=EINSTEIN_DE_SITTER, redshift=1.0)
    second = 3 / 7 * a * b * k**3 / 2  # D^2 is taken out: -3/7 grad of -A B k^2 / 2 cos cos
    first = np.stack(np.broadcast_arrays(a * k * np.sin(x), b * k * np.sin(y), 0 * x * y), -1)
    after = np.stack(
        np.broadcast_arrays(
            -second * np.sin(x) * np.cos(y), -second * np.cos(x) * np.sin(y), 0 * x * y
        ),
        -1,
    )
    lattice = np.stack(np.meshgrid(q, q, q, indexing="ij"), -1)
    wide = np.ones((1, 1, side, 1))
    expected = (lattice + (0.5 * first + 0.25 * after) * wide).reshape(-1, 3)
    assert np.allclose(got.position, np.mod(expected, box), atol=1e-12)
    rate = 0.5**1.5
    expected = (rate * (first + 2 * 0.5 * after) * wide).reshape(-1, 3)
    assert np.allclose(got.momentum, expected, atol=1e-12)


def test_halo_abundance_holds_the_mass_of_its_law():
    """All matter is in halos, and that above a mass is the integral over nu of their equation."""
    log_mass, power = np.arange(10.0, 16.5, 0.02), linear_power(COSMOLOGY)
    density = COSMOLOGY.mean_matter_density
    got = np.trapezoid(10**log_mass * halo_abundance(COSMOLOGY, log_mass), log_mass) / density
    sigma = rms_overdensity(power, np.cbrt(1e10 / (4 / 3 * np.pi * density)))
    share = integrate.quad(
        lambda nu: 0.322 * (1 + nu**-0.3) * np.exp(-nu / 2) / np.sqrt(2 * np.pi * nu),
        *(0.707 * (1.686 / sigma) ** 2, 100),
    )[0]
    assert got == pytest.approx(share, rel=1e-3)


def test_numbers_of_another_code():
    """Those of colossus 1.4: tests/reference/colossus_linear.py."""
    power = linear_power(COSMOLOGY)
    expected = [3772.0717482, 21905.4784316, 5831.0217516, 65.8057794, 0.2218846]
    assert power(np.array([1e-3, 1e-2, 0.1, 1.0, 10.0])) == pytest.approx(expected, rel=1e-4)
    sigma = [rms_overdensity(power, radius) for radius in (0.5, 2.0, 20.0)]
    assert sigma == pytest.approx([3.1471081, 1.7929229, 0.3973209], rel=1e-3)
    expected = [0.0691121077, 0.0089522449, 0.0010830702, 9.2906716e-05]
    got = halo_abundance(COSMOLOGY, np.arange(11.0, 15.0))
    assert got == pytest.approx(expected, rel=3e-3)
    assert Growth(COSMOLOGY).factor(0.5) == pytest.approx(0.6087853106, rel=1e-4)


@pytest.mark.parametrize(
    ("dark", "expected"),
    [
        ({"w0": -0.7}, [0.7835464828, 0.6331685185, 0.3448922082]),
        ({"w0": -0.9}, [0.7747474509, 0.6162578902, 0.3244546244]),
        ({"w0": -0.9, "wa": 0.3}, [0.7766754951, 0.6211935134, 0.3327303592]),
    ],
)
def test_growth_with_dark_energy_of_another_code(dark, expected):
    """Those of colossus 1.4, to the 1e-5 of its accuracy: tests/reference/colossus_linear.py."""
    growth = Growth(replace(COSMOLOGY, **dark))
    got = [growth.factor(1 / (1 + z)) for z in (0.5, 1.0, 3.0)]
    assert got == pytest.approx(expected, rel=3e-5)


@pytest.mark.parametrize("radiation", [1e-9, 1e-3])
@pytest.mark.parametrize("a", [1e-6, 1e-3, 0.1])
def test_growth_among_radiation(radiation, a):
    """D ~ 1 + 3/2 a Omega_m / Omega_r: Meszaros 1974."""
    cosmology = Cosmology(h=0.7, omega_m=1 - radiation, omega_lambda=0.0, omega_r=radiation)

    def solution(x):
        return 1 + 1.5 * x * cosmology.omega_m / radiation

    assert Growth(cosmology).factor(a) == pytest.approx(solution(a) / solution(1), rel=1e-7)


def test_growth_among_neutrinos():
    """D ~ a^p, p = (sqrt(1 + 24 f) - 1) / 4 with a share f of matter that clusters: Bond 1980."""
    growth = Growth(Cosmology(h=0.7, omega_m=0.95, omega_lambda=0.0, omega_nu=0.05))
    power = (np.sqrt(1 + 24 * 0.95) - 1) / 4
    assert growth.factor(0.1) == pytest.approx(0.1**power, rel=1e-7)
    assert growth.momentum(0.1) == pytest.approx(power * 0.1 ** (power + 0.5), rel=1e-7)


def test_growth_is_continuous_in_dark_energy():
    """The integral of a cosmological constant, and the equation for one that hardly differs."""
    exact, solved = (Growth(replace(COSMOLOGY, w0=w0)) for w0 in (-1.0, -1.0 + 1e-12))
    for a in (0.02, 0.5, 1.0):
        assert solved.factor(a) == pytest.approx(exact.factor(a), rel=1e-8)
        assert solved.momentum(a) == pytest.approx(exact.momentum(a), rel=1e-8)


@pytest.mark.parametrize(
    ("definition", "redshift", "expected"),
    [
        ("200m", 0.0, [0.0724665961, 0.0095225426, 0.0012089737, 1.0936174929e-4]),
        ("200m", 1.0, [0.0751581281, 0.0085095697, 0.0006977365, 1.6757446015e-5]),
        ("200c", 0.0, [0.0667533288, 0.0081694944, 0.0009384020, 6.9965608174e-5]),
        ("vir", 1.0, [0.0750542377, 0.0084928257, 0.0006956124, 1.6660117034e-5]),
        ("500c", 0.0, [0.0601266512, 0.0068043909, 0.0007081801, 4.3419200048e-5]),
        ("fof", 1.0, [0.0778043750, 0.0085558935, 0.0006933653, 1.9108629270e-5]),
    ],
)
def test_mass_functions_of_another_code(definition, redshift, expected):
    """Tinker et al. 2008 and Sheth & Tormen 1999 in colossus, which rounds densities to whole ones.

    tests/reference/colossus_linear.py.
    """
    log_mass = np.arange(11.0, 15.0)
    got = halo_abundance(COSMOLOGY, log_mass, mass_definition=definition, redshift=redshift)
    assert got == pytest.approx(expected, rel=5e-3)
