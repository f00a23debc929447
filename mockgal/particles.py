"""Matter: particles, the particles bound to each subhalo, and density on a grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from numpy.typing import NDArray

from .errors import BadValueError

Array = NDArray[Any]


class ParticleChunk(NamedTuple):
    """A chunk of particles: comoving position [Mpc/h], shape (n, 3), mass [Msun/h], shape (n,).

    ``wrapped`` counts the coordinates that the reader moved into [0, L), ``at_edge`` those at the
    far edge that became 0.
    """

    position: Array
    mass: Array
    wrapped: int = 0
    at_edge: int = 0


@dataclass(frozen=True)
class Particles:
    """Particles of a gravity-only run, never in memory as a whole.

    Parameters
    ----------
    count : int
        Number of particles.
    stream : callable
        ``stream(chunk_rows)`` yields `ParticleChunk` of at most ``chunk_rows`` rows.
    """

    count: int
    stream: Callable[[int], Iterator[ParticleChunk]]

    def chunks(self, chunk_rows: int = 1 << 20) -> Iterator[ParticleChunk]:
        """Return an iterator over all particles, in chunks of at most ``chunk_rows``."""
        return self.stream(chunk_rows)


@dataclass(frozen=True)
class Members:
    """Ids of the dark-matter particles bound to each subhalo, read on request.

    Subhalos are identified by ``halo_id``, so any rows of the catalogue can be asked for in any
    order.

    Parameters
    ----------
    count : callable
        ``count(halo_id)`` returns the number of particles of each subhalo, shape (n,); 0 for an
        unknown subhalo.
    read : callable
        ``read(halo_id, most)`` returns the ids of the first ``most`` particles of each subhalo, or
        of all if it has fewer: int64, the most bound first, one subhalo after the other.
    """

    count: Callable[[Array], Array]
    read: Callable[[Array, int], Array]


@dataclass(frozen=True)
class DensityField:
    """Matter mass on a periodic grid, read by tiles.

    Parameters
    ----------
    grid_size : int
        Voxels along each side.
    voxel_size : float
        Side of a voxel [comoving Mpc/h].
    kind : str
        ``counts``, ``mass`` or ``delta``.
    assignment : str
        NGP, CIC, TSC or PCS.
    origin : str
        ``corner``: voxel i covers [i, i+1) voxel sizes; ``centre``: it is centred on i.
    read_slab : callable
        ``read_slab(start, stop)`` returns rows start to stop of the first axis,
        shape (stop - start, N, N).

    Examples
    --------
    >>> from mockgal.types import DensityField
    >>> mass = np.full((4, 4, 4), 1e10)
    >>> field = DensityField(
    ...     grid_size=4, voxel_size=2.0, kind="mass", assignment="CIC", origin="corner",
    ...     read_slab=lambda start, stop: mass[start:stop],
    ... )
    >>> field.read_slab(1, 3).shape
    (2, 4, 4)
    """

    grid_size: int
    voxel_size: float
    kind: str
    assignment: str
    origin: str
    read_slab: Callable[[int, int], Array]

    def __post_init__(self) -> None:
        allowed = {
            "kind": ("counts", "mass", "delta"),
            "assignment": ("NGP", "CIC", "TSC", "PCS"),
            "origin": ("corner", "centre"),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise BadValueError(
                    f"density {name}", repr(getattr(self, name)), "one of " + ", ".join(values)
                )
