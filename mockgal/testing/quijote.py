"""Write friends-of-friends catalogues of Gadget, group_tab_NNN.K, in the layout of Quijote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..protocols import ReadOptions
from .subfind import COSMOLOGY

Array = NDArray[Any]

BOX_SIZE = 1000.0  # Mpc/h
SIDE = 512  # particles along each side
PARTICLE = COSMOLOGY.mean_matter_density * BOX_SIZE**3 / SIDE**3  # Msun/h


def options(**changes: Any) -> ReadOptions:
    """Return the facts that the reader needs and a catalogue of `write_quijote` does not state."""
    facts = {
        "box_size": BOX_SIZE,
        "redshift": 0.0,
        "h": COSMOLOGY.h,
        "omega_m": COSMOLOGY.omega_m,
        "omega_lambda": COSMOLOGY.omega_lambda,
    }
    return ReadOptions(**{**facts, **changes})


def made_up_groups(count: int = 600, seed: int = 1) -> dict[str, Array]:
    """Return arguments of `write_groups`: groups of 20 or more particles that fill the box."""
    rng = np.random.default_rng(seed)
    steps = np.array([0.8191725133961645, 0.6710436067037893, 0.5497004779019703])
    number = np.sort((20 * rng.uniform(size=count) ** -0.8).astype(int).clip(20, 20000))[::-1]
    return {
        "position": (0.5 + np.outer(np.arange(1, count + 1), steps)) % 1.0 * BOX_SIZE,
        "velocity": 300 * rng.normal(size=(count, 3)),
        "number": number,
    }


def write_quijote(
    directory: Path,
    *,
    count: int = 600,
    seed: int = 1,
    redshift: float = 0.0,
    output: int = 4,
    files: int = 1,
    empty_last: bool = False,
) -> Path:
    """Write a synthetic catalogue of a run with `SIDE`^3 particles in `BOX_SIZE`.

    Parameters
    ----------
    directory : Path
        Created if it does not exist.
    count, seed : int
        Number of groups, and seed of their properties.
    redshift : float
    output, files : int
    empty_last : bool
        The last file holds no groups.

    Returns
    -------
    Path
        The folder of the catalogue.
    """
    return write_groups(
        directory,
        **made_up_groups(count, seed),
        particle_mass=PARTICLE,
        redshift=redshift,
        output=output,
        files=files,
        empty_last=empty_last,
    )


def write_groups(
    directory: Path,
    *,
    position: Array,
    velocity: Array,
    number: Array,
    particle_mass: float,
    redshift: float,
    mass: Array | None = None,
    output: int = 4,
    files: int = 1,
    empty_last: bool = False,
) -> Path:
    """Write groups of dark-matter particles as ``groups_NNN/group_tab_NNN.K``.

    Parameters
    ----------
    directory : Path
        Created if it does not exist.
    position, velocity : ndarray, shape (n, 3)
        Comoving [Mpc/h] and peculiar [km/s].
    number : ndarray of int, shape (n,)
        Particles in each group.
    particle_mass : float
        [Msun/h]
    redshift : float
    mass : ndarray, shape (n,), optional
        Mass of the groups [Msun/h]; by default ``number`` times the particle mass.
    output : int
        The number NNN.
    files : int
    empty_last : bool
        The last file holds no groups.

    Returns
    -------
    Path
        The folder of the catalogue.
    """
    folder = directory / f"groups_{output:03d}"
    folder.mkdir(parents=True)
    own_mass = (number * particle_mass if mass is None else mass) / 1e10
    by_type = np.zeros((len(number), 6))
    by_type[:, 1] = 1
    offset = np.cumsum(number) - number
    fields = [
        number.astype("<i4"),
        offset.astype("<i4"),
        own_mass.astype("<f4"),
        (position * 1e3).astype("<f4"),
        (velocity / (1 + redshift)).astype("<f4"),
        (by_type * number[:, None]).astype("<i4"),
        (by_type * own_mass[:, None]).astype("<f4"),
    ]
    edges = np.linspace(0, len(number), files - empty_last + 1).astype(int).tolist()
    edges += edges[-1:] * empty_last
    for k in range(files):
        rows = slice(edges[k], edges[k + 1])
        with open(folder / f"group_tab_{output:03d}.{k}", "wb") as file:
            file.write(np.array([edges[k + 1] - edges[k], len(number)], "<i4").tobytes())
            file.write(np.array(number[rows].sum(), "<i4").tobytes())
            file.write(np.array(number.sum(), "<u8").tobytes())
            file.write(np.array(files, "<u4").tobytes())
            for field in fields:
                file.write(field[rows].tobytes())
    return folder
