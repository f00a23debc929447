"""Cross-power spectrum and correlation coefficient of two fields in one periodic box.

- Estimator: P_ab = V <Re(delta_a conj(delta_b))> over the waves of a shell, and
  r = P_ab / sqrt(P_aa P_bb) (Tegmark & Peebles 1998, ApJ 500, L79), with all three powers measured
  as `mockgal.statistics.power.spectrum` measures one: on one grid, interlaced, each divided by the
  window of its two deposits, with multipoles in redshift space.
- Shot noise: of independent samples the cross-power has none. Objects in both samples add
  V sum(m_a m_b) / (sum(m_a) sum(m_b)), summed over these objects: so it is for two mocks painted on
  the same subhalos, or for a sample and a part of it. With all objects in both and equal weights
  that is the shot noise of the power spectrum.
- Shot noise in P_aa and P_bb makes r smaller; it is stated, and subtracted on request from all
  three. Then r may be above 1, and where a power is not above 0 it is NaN.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError, warn
from ...fields.assign import deposit
from ...fields.sample import check_axis, positions, weights
from ...fields.waves.fourier import check_mean, transform
from ...fields.waves.interlaced import interlaced_deposit
from ...system.memory import check_memory
from ...types import GalaxyCatalog, Scene
from .. import peak
from ..jackknife import blocks, check_per_side, sums_by_block, sums_elsewhere
from ..result import ERROR, Measurement
from ..two_samples import check_one_box, shared_rows
from . import spectrum
from .aliasing import ACCURACY, ALIASED_FROM
from .cross_result import Noise, cross_result
from .gridded import GriddedField, window_gain
from .left_out import left_out_of_pairs
from .matter import matter_of
from .result import ShotNoise, Waves
from .shells import power_sums
from .wave_bins import wave_bins

Array = NDArray[Any]


def cross_power(
    galaxies: GalaxyCatalog,
    other: GalaxyCatalog | Scene,
    *,
    grid_size: int | None = None,
    assignment: str = "PCS",
    interlacing: bool = True,
    k_min: float | None = None,
    k_max: float | None = None,
    k_width: float | None = None,
    log_k_width: float | None = None,
    weight: str = "stellar_mass",
    line_of_sight: str | None = None,
    subtract_shot_noise: bool = False,
    jackknife: int = 3,
) -> Measurement:
    """Measure the cross-power spectrum of galaxies with another sample, or with matter.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    other : GalaxyCatalog or Scene
        The other sample, or the simulation whose matter it is: its particles, or else its density
        grid, which sets the size of the grid and has no second grid to interlace it with.
    grid_size, assignment, interlacing, k_min, k_max, k_width, log_k_width
        See `mockgal.statistics.power.spectrum.power_spectrum`; for both fields.
    weight : str
        ``"stellar_mass"`` or ``"number"``, of all galaxies.
    line_of_sight : str, optional
        ``"x"``, ``"y"`` or ``"z"``: measure in redshift space, with multipoles; not with matter,
        whose velocities are not read.
    subtract_shot_noise : bool
        Subtract from each power, and from each left-out sample, its own shot noise.
    jackknife : int
        Sub-volumes along each side, or 0 for the errors of Gaussian fields.

    Returns
    -------
    Measurement
        ``k``, ``k_low``, ``k_high``, ``cross_power`` [(Mpc/h)^3] and ``correlation_coefficient``
        with their errors, ``power_first`` and ``power_second``, the shot noise of each where it is
        known, ``modes`` and the columns on aliasing, here relative to sqrt(P_aa P_bb); with a line
        of sight ``cross_quadrupole`` and ``cross_hexadecapole``. Powers are NaN if a sample is
        empty. ``settings["shared_objects"]`` counts the galaxies in both samples.

    Raises
    ------
    UsageError
        An option has a value that is not allowed, or the samples are not of one box and redshift.
    BadValueError
        A position is outside the box, or a mass or velocity is not allowed.
    """
    check_per_side(jackknife)  # before the work
    check_one_box(galaxies.snapshot, other.snapshot)
    if isinstance(other, Scene) and line_of_sight is not None:
        raise UsageError(
            "line of sight",
            f"{line_of_sight}, with matter, whose velocities are not read",
            "real space",
            "leave it out",
        )
    size = _grid_size(other, grid_size)
    bins = {"k_min": k_min, "k_max": k_max, "k_width": k_width, "log_k_width": log_k_width}
    _check_room(galaxies, other, size, jackknife, interlacing, bins)
    deposits = _Deposits(size, assignment, interlacing, subtract_shot_noise, jackknife)
    place, mass = positions(galaxies, line_of_sight), weights(galaxies, weight)
    first = deposits.of_points(galaxies.snapshot.box_size, place, mass)
    unit = "littleh3 / Mpc3" if weight == "number" else "Msun littleh2 / Mpc3"
    settings: dict[str, Any] = {
        "weight": weight,
        "mean_density_unit": unit,
        "space": "real" if line_of_sight is None else "redshift",
    }
    products: Any = 0.0
    if isinstance(other, Scene):
        second, settings["second"] = deposits.of_matter(other)
        shared = 0
    else:
        place_2, mass_2 = positions(other, line_of_sight), weights(other, weight)
        second = deposits.of_points(galaxies.snapshot.box_size, place_2, mass_2)
        rows, others = shared_rows(galaxies, other, place, place_2)
        shared = len(rows)
        products = deposits.sums(
            galaxies.snapshot.box_size, place[rows], mass[rows] * mass_2[others]
        )
    result = _of_any(first, second, products, line_of_sight, bins)
    result = replace(result, settings={**result.settings, **settings, "shared_objects": shared})
    if "aliased" in result.columns and result["aliased"].any():
        warn(
            f"cross_power: from k = {result.settings[ALIASED_FROM]:.4g} h/Mpc on, images of the "
            f"grid may change the correlation coefficient by more than {ACCURACY} (column "
            "aliasing_bias): interlace with PCS, or take a larger grid",
        )
    return result


def cross_power_of_fields(
    first: GriddedField,
    second: GriddedField,
    *,
    sum_of_products: float | Array = 0.0,
    line_of_sight: str | None = None,
    k_min: float | None = None,
    k_max: float | None = None,
    k_width: float | None = None,
    log_k_width: float | None = None,
) -> Measurement:
    """Measure the cross-power spectrum of two fields on one grid of a periodic box.

    Parameters
    ----------
    first, second : GriddedField
        With the side of the box as their length; equal in size, ``subtract_shot_noise`` and
        ``jackknife``.
    sum_of_products : float or ndarray, shape (jackknife**3,)
        Sum of m_a m_b over the objects that both fields were made from, or in each sub-volume.
    line_of_sight : str, optional
        ``"x"``, ``"y"`` or ``"z"``: measure multipoles, too.
    k_min, k_max, k_width, log_k_width : float, optional
        See `mockgal.statistics.power.spectrum.power_of_field`.

    Returns
    -------
    Measurement
        See `cross_power`.

    Raises
    ------
    UsageError
        The fields are not alike, or an option has a value that is not allowed.
    BadValueError
        The mean of a field is not positive, or not a number.
    """
    _check_alike(first, second, sum_of_products)
    axis = 0 if line_of_sight is None else check_axis(line_of_sight)
    size, box_size = len(first), first.length
    volume, moments = box_size**3, 1 if line_of_sight is None else 3
    shells, described = wave_bins(
        size, box_size, k_min=k_min, k_max=k_max, k_width=k_width, log_k_width=log_k_width
    )
    waves = Waves(shells, shells.modes, 2.0 * np.pi / box_size, axis, moments, described)
    kept = np.result_type(first.values, second.values)
    values = [field.values.astype(kept, copy=False) for field in (first, second)]
    coefficients = [transform(field) for field in values]
    means = [check_mean(float(some[0, 0, 0].real)) for some in coefficients]
    one, two = (window_gain(size, field.assignment) for field in (first, second))
    gains = [one, np.sqrt(one * two), two]
    sums = np.array(
        [
            power_sums(coefficients[i], coefficients[j], shells, gain, axis=axis, moments=moments)
            for (i, j), gain in zip(((0, 0), (0, 1), (1, 1)), gains, strict=True)
        ]
    )
    left_out = None
    if first.jackknife:
        left_out = volume * left_out_of_pairs(
            values, coefficients, sums, shells, gains, first.jackknife, axis=axis
        )
    noise = _noise(first, second, means, sum_of_products, waves)
    if left_out is not None and noise.left_out is not None:
        for k in (0, 2):
            nothing = np.isnan(noise.left_out[:, k]) & (noise.level[k] is not None)
            left_out[nothing] = np.nan
    unit = volume / np.array([means[0] ** 2, means[0] * means[1], means[1] ** 2])
    return cross_result(
        (first, second),
        waves,
        sums * unit[:, None, None],
        left_out,
        noise,
        {
            "grid_size": size,
            "line_of_sight": "none" if line_of_sight is None else line_of_sight,
            "nyquist_h_per_mpc": float(np.pi * size / box_size),
        },
    )


class _Deposits(NamedTuple):
    """How both samples are put on the grid."""

    size: int
    assignment: str
    interlacing: bool
    subtract_shot_noise: bool
    jackknife: int

    def of_points(self, box_size: float, place: Array, mass: Array) -> GriddedField:
        put = interlaced_deposit if self.interlacing else deposit
        field = put(place, mass, grid_size=self.size, box_size=box_size, assignment=self.assignment)
        squares = self.sums(box_size, place, mass**2)
        return self._field(field, box_size, self.assignment, self.interlacing, squares)

    def of_matter(self, sim: Scene) -> tuple[GriddedField, dict[str, Any]]:
        matter = matter_of(
            sim,
            grid_size=self.size,
            assignment=self.assignment,
            interlacing=self.interlacing,
        )
        squares = matter.sum_of_squares(self.jackknife)
        if squares is None and self.subtract_shot_noise:
            raise UsageError(
                "shot noise",
                "a density grid, whose shot noise is not known",
                "particles, to subtract shot noise",
                "leave it in, or give the particles",
            )
        field = self._field(
            matter.values, sim.snapshot.box_size, matter.assignment, matter.interlaced, squares
        )
        return field, matter.settings

    def sums(self, box_size: float, place: Array, value: Array) -> Any:
        """Return the sum of a value over points, in all or in each sub-volume."""
        if not self.jackknife:
            return math.fsum(value)  # independent of the order of rows
        return sums_by_block(place, value, self.jackknife, grid_size=self.size, box_size=box_size)

    def _field(
        self, values: Array, box_size: float, assignment: str, interlaced: bool, squares: Any
    ) -> GriddedField:
        return GriddedField(
            values=values,
            length=box_size,
            assignment=assignment,
            interlaced=interlaced,
            sum_of_squares=squares,
            subtract_shot_noise=self.subtract_shot_noise,
            jackknife=self.jackknife,
        )


def _grid_size(other: GalaxyCatalog | Scene, grid_size: int | None) -> int:
    if grid_size is not None:
        return grid_size
    if isinstance(other, Scene) and other.particles is None and other.field is not None:
        return other.field.grid_size
    return spectrum.GRID_SIZE


def _check_room(
    galaxies: GalaxyCatalog,
    other: GalaxyCatalog | Scene,
    size: int,
    jackknife: int,
    interlacing: bool,
    bins: dict[str, Any],
) -> None:
    """Raise if the bins are not possible, or the work does not fit in memory."""
    if size <= 0:  # refused by the deposit
        return
    wave_bins(size, galaxies.snapshot.box_size, **bins)
    number = len(other) if isinstance(other, GalaxyCatalog) else 0
    needed = 8 * size**3  # the first field, while the second is made
    needed += peak.of_deposit(size, len(galaxies) + number, interlacing=interlacing)
    needed = max(needed, 2 * peak.of_power(size, jackknife))
    check_memory(f"cross-power of {size}^3 voxels", needed, spectrum.WAY_OUT)


def _of_any(
    first: GriddedField,
    second: GriddedField,
    products: Any,
    line_of_sight: str | None,
    bins: dict[str, Any],
) -> Measurement:
    """Return `cross_power_of_fields`, or NaN if a field is empty: it has no overdensity."""
    density = {
        f"mean_density_of_{name}": float(np.sum(field.values)) / field.length**3
        for name, field in (("first", first), ("second", second))
    }
    if first.values.any() and second.values.any():
        result = cross_power_of_fields(
            first, second, sum_of_products=products, line_of_sight=line_of_sight, **bins
        )
        return replace(result, settings={**result.settings, **density})
    ones = replace(first, values=np.ones(first.values.shape), jackknife=0, sum_of_squares=0.0)
    result = cross_power_of_fields(ones, ones, line_of_sight=line_of_sight, **bins)
    names = [n for e in result.estimates for n in (e, e + ERROR)] + ["power_first", "power_second"]
    nothing = {name: np.full(len(result), np.nan) for name in names}
    words = {"errors": "none: nothing in one of the samples weighs anything"}
    return replace(
        result,
        columns={**result.columns, **nothing},
        settings={**result.settings, **density, **words},
    )


def _check_alike(first: GriddedField, second: GriddedField, products: float | Array) -> None:
    """Raise if two fields cannot be compared, or share objects and not their assignment."""
    for name in ("length", "subtract_shot_noise", "jackknife"):
        one, two = getattr(first, name), getattr(second, name)
        alike = math.isclose(one, two, rel_tol=1e-6)
        if not alike:
            raise UsageError("two fields", f"{name} {one} and {two}", "one value")
    if len(first) != len(second):
        raise UsageError(
            "two fields", f"{len(first)}^3 and {len(second)}^3 voxels", "grids of one size"
        )
    one, two = ((field.assignment, field.interlaced) for field in (first, second))
    if np.any(products) and one != two:
        raise UsageError(
            "two fields",
            "objects in both, and different assignments",
            "one assignment, for their shot noise",
        )


def _noise(
    first: GriddedField,
    second: GriddedField,
    means: list[float],
    products: float | Array,
    waves: Waves,
) -> Noise:
    """Return the shot noise of both powers and of the cross-power."""
    volume = first.length**3
    levels = [
        field.shot_noise(mean, volume) for field, mean in zip((first, second), means, strict=True)
    ]
    total = math.fsum(np.ravel(products))
    masses = means[0] * means[1] * float(first.values.size) ** 2
    shapes = [ShotNoise.of(field, 1.0, None, waves) for field in (first, second)]
    shape = np.array([shapes[k].shape for k in (0, 0, 1)])  # type: ignore[union-attr]
    level = (levels[0], volume * total / masses, levels[1])
    others = [field.shot_noise_left_out(volume) for field in (first, second)]
    if not first.jackknife or all(other is None for other in others):
        return Noise(level, None, shape)
    nothing = np.full(first.jackknife**3, np.nan)
    left = [nothing if other is None else other for other in others]
    cross = _products_left_out(first, second, products, volume)
    return Noise(level, np.stack([left[0], cross, left[1]], axis=1), shape)


def _products_left_out(
    first: GriddedField, second: GriddedField, products: float | Array, volume: float
) -> Array:
    """Return the shot noise of the cross-power without each sub-volume, shape (R,)."""
    number = first.jackknife**3
    if np.ndim(products) == 0:
        return np.full(number, np.nan if products else 0.0)
    elsewhere = sums_elsewhere(np.asarray(products))
    result = np.empty(number)
    cut = zip(*(blocks(field.values, first.jackknife) for field in (first, second)), strict=True)
    for i, (one, two) in enumerate(cut):
        share = 1.0 - one.voxels.size / first.values.size
        rest = (first.values.size * share) ** 2 * one.mean_elsewhere * two.mean_elsewhere
        result[i] = volume * share * elsewhere[i] / rest
    return result
