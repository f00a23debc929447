"""The most memory that statistics of fields take, to be asked for before it is taken.

Counted array by array, at the stages at which most of them are there at a time. Measured with
processes of their own (tests/statistics/test_measure_peak.py) it is right to 15%.
"""

from __future__ import annotations

import numpy as np

from .bispectrum.triangles import Triangles

_PLANES = 1.12  # over the arrays counted: planes under way in threads, and what is not given back
_PER_GALAXY = 120  # bytes: positions, weights, both sorted for the deposit, and parts of them


def of_deposit(grid_size: int, galaxies: int, *, interlacing: bool) -> int:
    """Bytes for the field of a catalogue, which itself are ``8 * grid_size**3`` of them."""
    return (24 if interlacing else 13) * grid_size**3 + _PER_GALAXY * galaxies


def of_power(grid_size: int, jackknife: int, *, own_field: bool = True) -> int:
    """Bytes for the power spectrum of a field of double precision.

    Parameters
    ----------
    grid_size : int
        N.
    jackknife : int
        Sub-volumes along each side.
    own_field : bool
        Whether the field itself is counted.
    """
    per_voxel = 16.0 if own_field else 8.0  # field and coefficients
    if jackknife:
        # One sub-volume: its rows before and after a transform, and its planes likewise.
        per_voxel += 16.0 / jackknife**2 + 16.0 / jackknife
    return round(per_voxel * grid_size**3)


def of_bispectrum(
    grid_size: int, triangles: Triangles, jackknife: int, *, own_field: bool = True
) -> int:
    """Bytes for the bispectrum of a field; see `of_power`."""
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
