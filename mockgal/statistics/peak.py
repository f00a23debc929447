"""Peak memory of statistics of fields, to be checked before it is allocated.

It is counted array by array at the stages that hold the most arrays at once. Compared with separate
processes (tests/statistics/test_measure_peak.py), it is right to 15%.
"""

from __future__ import annotations

import numpy as np

from .bispectrum.triangles import Triangles

_PLANES = 1.12  # factor for planes in progress in threads, and memory that is not returned
_PER_GALAXY = 120  # bytes: positions, weights, both sorted for the deposit, and parts of them


def of_deposit(grid_size: int, galaxies: int, *, interlacing: bool) -> int:
    """Return the bytes needed to make the field of a catalogue.

    The field itself takes ``8 * grid_size**3`` of them.
    """
    return (24 if interlacing else 13) * grid_size**3 + _PER_GALAXY * galaxies


def of_power(grid_size: int, jackknife: int, *, own_field: bool = True) -> int:
    """Return the bytes needed for the power spectrum of a field in double precision.

    Parameters
    ----------
    grid_size : int
        N.
    jackknife : int
        Sub-volumes along each side.
    own_field : bool
        Whether to count the field itself.
    """
    per_voxel = 16.0 if own_field else 8.0  # field and coefficients
    if jackknife:
        # One sub-volume: its rows and its planes, each before and after a transform.
        per_voxel += 16.0 / jackknife**2 + 16.0 / jackknife
    return round(per_voxel * grid_size**3)


def of_bispectrum(
    grid_size: int, triangles: Triangles, jackknife: int, *, own_field: bool = True
) -> int:
    """Return the bytes needed for the bispectrum of a field; see `of_power`."""
    limit, size = triangles.limit, triangles.grid_size
    plane = 16 * (2 * limit - 1) * limit
    waves = (2 * limit - 1) * plane
    reach = [int(np.ceil(np.sqrt(stop))) for _, stop in (triangles.first, triangles.second)]
    sides = sum(16 * size * (2 * n - 1) * n for n in reach)
    product = size * plane + waves
    stages = [grid_size * plane + waves, 2 * waves + sides + product]
    if jackknife:
        of_block = (grid_size // jackknife + grid_size) * plane
        of_block += waves + 8 * (grid_size // jackknife) ** 3
        stages += [3 * waves + 2 * sides + product, 2 * waves + sides + of_block]
    return round(_PLANES * max(stages)) + 8 * grid_size**3 * own_field
