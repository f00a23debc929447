"""Voxel PDF: the number of voxels of a grid in bins of their stellar mass, not normalised.

As in figure 1 of Kasmanoff et al. 2020 (arXiv:2012.00186).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..fields.assign import deposit
from ..fields.sample import positions, weights
from ..system.parallel import over
from ..types import GalaxyCatalog
from . import jackknife as jackknives
from .galaxies.bins import (
    BIN_WIDTH,
    MassBins,
    axis_fields,
    bin_masses,
    check_masses,
    check_width,
    describe_safe,
    reliable_left_out,
    safe_jackknife,
)
from .result import Field, Measurement

Array = NDArray[Any]

VOXEL_SIZE = 0.125  # Mpc/h, the largest by default, unless the grid would exceed LARGEST
LARGEST = 256
VOXEL_MASS = axis_fields("voxel_mass", "stellar mass per voxel", r"$M_*$ per voxel [$M_\odot/h$]")


def voxel_pdf(
    galaxies: GalaxyCatalog,
    *,
    grid_size: int | None = None,
    assignment: str = "CIC",
    bin_width: float = BIN_WIDTH,
    jackknife: int = 3,
) -> Measurement:
    """Count the voxels of a grid in bins of their stellar mass.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        In a periodic box.
    grid_size : int, optional
        Voxels along each side; by default `default_grid_size`.
    assignment : str
        NGP, CIC, TSC or PCS. Except with NGP, voxels near a galaxy hold fractions of its mass, down
        to very small ones.
    bin_width, jackknife
        See `pdf_of_field`.

    Returns
    -------
    Measurement
        See `pdf_of_field`.

    Raises
    ------
    UsageError
        An option has a value that is not allowed.
    BadValueError
        A stellar mass is negative or not finite.
    """
    size = galaxies.snapshot.box_size
    position, mass = positions(galaxies), weights(galaxies, "stellar_mass")
    check_masses(mass, "stellar_mass")
    number = default_grid_size(size) if grid_size is None else grid_size
    field = deposit(position, mass, grid_size=number, box_size=size, assignment=assignment)
    result = pdf_of_field(field, voxel_size=size / number, bin_width=bin_width, jackknife=jackknife)
    own = {"assignment": assignment, "weight": "stellar_mass", "space": "real"}
    return replace(result, settings={**result.settings, **own})


def default_grid_size(box_size: float) -> int:
    """Return the smallest power of two with voxels of at most `VOXEL_SIZE`, up to `LARGEST`."""
    exponent = math.ceil(math.log2(max(box_size / VOXEL_SIZE, 1.0)) - 1e-9)
    return int(min(2**exponent, LARGEST))


def pdf_of_field(
    mass_per_voxel: Array,
    *,
    voxel_size: float,
    bin_width: float = BIN_WIDTH,
    jackknife: int = 3,
) -> Measurement:
    """Count the voxels of a field in bins of their mass.

    Parameters
    ----------
    mass_per_voxel : ndarray, shape (N, N, N)
        [Msun/h]
    voxel_size : float
        [Mpc/h]
    bin_width : float
        [dex]; edges are its multiples in log10 (M / (Msun/h)).
    jackknife : int
        Sub-volumes along each side; a voxel belongs to the one that contains its centre. With 0,
        errors are the square root of the number, as if voxels were independent, which neighbours
        that share galaxies are not.

    Returns
    -------
    Measurement
        ``voxel_mass`` with the edges of the bin, ``voxels``, its error. Voxels without mass are in
        no bin; ``settings["empty_voxels"]`` counts them.

    Raises
    ------
    UsageError
        The field is not a cube, or the bin width or the jackknife is not allowed.
    BadValueError
        A mass is negative or not finite.
    """
    field = np.asarray(mass_per_voxel)
    if field.ndim != 3 or len(set(field.shape)) != 1 or not field.size:
        raise UsageError("field", f"shape {field.shape}", "a cube of voxels")
    side, width, per_side = len(field), check_width(bin_width), jackknives.check_per_side(jackknife)
    if per_side > side:
        raise UsageError(
            "jackknife",
            f"{per_side} sub-volumes along the {side} voxels of a side",
            "at most one for each voxel",
        )
    bins, by_region, size_of_region = _count(field, width, max(per_side, 1))
    voxels = by_region.sum(axis=0)
    empty = field.size - int(voxels.sum())
    error = np.sqrt(np.maximum(voxels, 1))
    described = "the square root of the number (1 in empty bins), as if independent"
    kept = {}
    if per_side:
        rest = (field.size - size_of_region)[:, None]
        others = (voxels - by_region) * (field.size / rest)
        error = safe_jackknife(jackknives.error(others), error, voxels, per_side**3)
        kept["voxels"] = reliable_left_out(others, voxels)
        described = describe_safe(per_side, "voxels", described, side)
    return Measurement(
        "pdf",
        {
            **bins.columns("voxel_mass"),
            "voxels": voxels.astype(np.float64),
            "voxels_error": error,
            "count": voxels,
        },
        {
            **VOXEL_MASS,
            "voxels": Field("", "number of voxels with such a mass", "voxels"),
            "voxels_error": Field("", "standard error of voxels"),
            "count": Field("", "number of voxels, as a whole number", "voxels"),
        },
        axis="voxel_mass",
        estimates=("voxels",),
        count="count",
        settings={
            **bins.settings(),
            "errors": described,
            "grid_size": side,
            "voxel_size_mpc_h": float(voxel_size),
            "empty_voxels": empty,
        },
        error_degrees_of_freedom=per_side**3 - 1 if per_side else np.inf,
        left_out=kept,
    )


def _count(field: Array, width: float, per_side: int) -> tuple[MassBins, Array, Array]:
    """Return the bins, the voxels of each sub-volume per bin, and all voxels of each sub-volume.

    The shapes are (per_side**3, bins) and (per_side**3,). Planes of voxels are processed one by
    one.
    """

    def ends(plane: Array) -> tuple[float, float]:
        check_masses(plane, "field")
        return float(plane.min(initial=np.inf, where=plane > 0)), float(plane.max())

    least, most = zip(*over(ends, field), strict=True)
    extremes = np.array([min(least), max(most)]) if max(most) > 0 else np.zeros(0)
    bins, _ = bin_masses(extremes, width, "field")
    edges, number = bins.edges, len(bins)
    part = ((np.arange(len(field)) + 0.5) * (per_side / len(field))).astype(np.int64)
    region = (part[:, None] * per_side + part).ravel()

    def counts(plane: Array) -> Array:
        place = np.searchsorted(edges, plane.ravel(), side="right")  # 0: no mass
        both = np.bincount(region * (number + 1) + place, minlength=per_side**2 * (number + 1))
        return both.reshape(per_side**2, number + 1)[:, 1:]

    by_region = np.zeros((per_side, per_side**2, number), dtype=np.int64)
    if number:
        np.add.at(by_region, part, np.array(over(counts, field)))
    along = np.bincount(part, minlength=per_side)
    sizes = along[:, None, None] * along[:, None] * along
    return bins, by_region.reshape(per_side**3, number), sizes.ravel()
