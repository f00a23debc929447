"""Interlaced grids: sums over images of waves known exactly, and what is said of these images."""

import numpy as np
import pytest

from mockgal.fields.assign import SUPPORT, deposit
from mockgal.fields.waves.fourier import image_sum, transform
from mockgal.fields.waves.interlaced import amplitude_gains, interlaced_deposit, shot_noise_gains

BOX = 10.0


def points(number=20, seed=1):
    generator = np.random.default_rng(seed)
    return generator.random((number, 3)) * BOX, generator.gamma(1.0, size=number)


def by_images(position, mass, size, assignment, images, wanted):
    """Sum over images of the window times the sum over points, in the phases of voxel centres."""
    n = np.rint(np.fft.fftfreq(size) * size)
    total = np.zeros((size, size, size), dtype=complex)
    reach = np.arange(-images, images + 1)
    axes = []
    for axis in range(3):
        wave = n[:, None] + size * reach  # (size, images)
        window = np.sinc(wave / size) ** SUPPORT[assignment]
        phase = np.exp(-2j * np.pi * wave[..., None] * (position[:, axis] / BOX - 0.5 / size))
        axes.append(window[..., None] * phase)
    for i, a in enumerate(reach):
        for j, b in enumerate(reach):
            for k, c in enumerate(reach):
                if wanted(a + b + c):
                    total += np.einsum(
                        "xp,yp,zp,p->xyz",
                        *(axes[0][:, i], axes[1][:, j], axes[2][:, k], mass),
                        optimize=True,
                    )
    return total / size**3


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize(("assignment", "images", "within"), [("PCS", 4, 4e-4), ("TSC", 4, 2e-3)])
def test_it_has_the_images_of_even_sum(size, assignment, images, within):
    position, mass = points()
    options = {"grid_size": size, "box_size": BOX, "assignment": assignment}
    plain = np.fft.fftn(deposit(position, mass, **options)) / size**3
    expected = by_images(position, mass, size, assignment, images, lambda total: True)
    scale = np.max(np.abs(expected))
    np.testing.assert_allclose(plain, expected, atol=within * scale)
    field = interlaced_deposit(position, mass, **options)
    found = np.fft.fftn(field) / size**3
    even = by_images(position, mass, size, assignment, images, lambda total: total % 2 == 0)
    below = np.ones(size, dtype=bool)
    below[size // 2] = size % 2 == 1  # the Nyquist wavenumber itself cannot be shared
    inside = below[:, None, None] & below[:, None] & below
    np.testing.assert_allclose(found[inside], even[inside], atol=within * scale)
    np.testing.assert_allclose(found[~inside], plain[~inside], atol=1e-14)
    assert np.max(np.abs(found - plain)[inside]) > 5 * within * scale
    assert field.sum() == pytest.approx(mass.sum(), rel=1e-12)


@pytest.mark.parametrize("assignment", ["TSC", "PCS"])
@pytest.mark.parametrize("interlaced", [False, True])
def test_gains_are_sums_over_images(assignment, interlaced):
    size, p = 9, SUPPORT[assignment]
    f, images = np.fft.fftfreq(size), np.arange(-20, 21)
    ratio = np.abs(np.sinc(f + images[:, None]) / np.sinc(f)) ** p
    kept = np.ones((41, 41, 41), dtype=bool)
    if interlaced:
        kept = (images[:, None, None] + images[:, None] + images) % 2 == 0
    for gains, power in ((shot_noise_gains, 2), (amplitude_gains, 1)):
        r = ratio**power
        expected = np.einsum("ax,by,cz,abc->xyz", r, r, r, kept.astype(float), optimize=True)
        if power == 1:
            expected = expected**2
        found = [g[:, None, None] * g[:, None] * g for g in gains(size, assignment, interlaced)]
        np.testing.assert_allclose(
            np.mean(found, axis=0), expected, rtol=1e-3 if power == 1 else 1e-6
        )


@pytest.mark.parametrize("power", SUPPORT.values())
@pytest.mark.parametrize("size", [5, 8])
def test_alternating_images_in_closed_form(power, size):
    images = np.arange(-1000, 1001)
    sign = np.where(images % 2, -1.0, 1.0)
    f = np.fft.fftfreq(size)
    expected = [np.sum(sign * np.sinc(x + images) ** (2 * power)) for x in f]
    np.testing.assert_allclose(image_sum(size, power, alternating=True), expected, atol=1e-6)


def test_no_bit_depends_on_the_order_of_points_or_on_threads(monkeypatch):
    position, mass = points(500)
    order = np.random.default_rng(2).permutation(500)
    options = {"grid_size": 12, "box_size": BOX, "assignment": "PCS"}
    found = []
    for threads, rows in (("1", slice(None)), ("2", order), ("3", slice(None))):
        monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
        found.append(interlaced_deposit(position[rows], mass[rows], **options))
    assert all(np.array_equal(field, found[0]) for field in found[1:])


def test_waves_far_below_the_nyquist_wavenumber_are_those_of_a_plain_grid():
    position, mass = points(100)
    options = {"grid_size": 32, "box_size": BOX, "assignment": "PCS"}
    first = transform(interlaced_deposit(position, mass, **options))
    second = transform(deposit(position, mass, **options))
    np.testing.assert_allclose(first[:3, :3, :3], second[:3, :3, :3], rtol=1e-4)
