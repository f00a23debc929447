"""What the network learns from: boxes on its grid, and subhalos in them with their galaxies.

Batches of crops are made of them in `mockgal.training.data.crops`, constants to standardise by in
`mockgal.training.data.normalise`; both are named here, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError
from .crops import Batch as Batch
from .crops import CropBatches as CropBatches
from .normalise import normalisation_of as normalisation_of
from .split import BUFFER as BUFFER
from .split import PARTS as PARTS
from .split import TEST as TEST
from .split import TRAIN as TRAIN
from .split import VALIDATION as VALIDATION

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Volume:
    """A gravity-only box on the network's grid.

    Parameters
    ----------
    channels : ndarray of float32, shape (2, N, N, N)
        log10(1 + mass per voxel / (Msun/h)) of matter and of subhalos, not standardised.
    voxel_size : float
        [comoving Mpc/h]
    box_size : float
        [comoving Mpc/h]
    redshift : float
    name : str
        Of the simulation; with `mockgal.training.data.split`, volumes of one name are held out
        together.
    origin : str
        ``corner`` where voxel i covers [i, i+1) voxel sizes; ``centre`` where it is centred on i.
    assignment : str
        How mass was assigned to voxels.
    least_subhalo_mass : float
        Bound mass of the smallest subhalo that was deposited [Msun/h].
    record : mapping
        What was counted when it was made: plain JSON values. ``halo_digest``: content digest of the
        catalogue whose subhalos it has.

    Raises
    ------
    BadValueError
        Another shape or type, or voxels that do not make the box.
    """

    channels: Array
    voxel_size: float
    box_size: float
    redshift: float
    name: str
    origin: str = "corner"
    assignment: str = "CIC"
    least_subhalo_mass: float = 0.0
    record: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        shape, kind = self.channels.shape, self.channels.dtype
        if len(shape) != 4 or shape != (2, *3 * shape[-1:]) or kind != np.float32:
            raise BadValueError(
                f"volume {self.name}", f"{kind} of shape {shape}", "float32 of shape (2, N, N, N)"
            )
        if not abs(self.voxel_size * self.grid_size / self.box_size - 1.0) <= 1e-6:
            raise BadValueError(
                f"volume {self.name}",
                f"{self.grid_size} voxels of {self.voxel_size:g} Mpc/h",
                f"a box of {self.box_size:g} Mpc/h",
            )
        object.__setattr__(self, "record", MappingProxyType(dict(self.record)))

    @property
    def grid_size(self) -> int:
        """Voxels along each side, N."""
        return int(self.channels.shape[-1])

    @property
    def content(self) -> str:
        """What tells it from others: the digest of its subhalos, whatever they are called."""
        named = f"{self.name} at redshift {float(self.redshift)!r}"
        return str(self.record.get("halo_digest", named))


@dataclass(frozen=True, eq=False)
class Samples:
    """Subhalos of all volumes, each with the stellar mass that is to be predicted.

    Parameters
    ----------
    volumes : tuple of Volume
    volume : ndarray of int, shape (n,)
        The volume that each is in.
    voxel : ndarray of int, shape (n, 3)
        In the grid of its volume.
    halo_id : ndarray of int64, shape (n,)
        Each once in a volume.
    features : ndarray of float64, shape (n, f)
        In the architecture's order, not standardised.
    log_stellar_mass : ndarray of float64, shape (n,)
        log10 of stellar mass [Msun/h]; NaN where there is no galaxy above the luminosity floor.
    mass : ndarray of float64, shape (n,)
        Bound mass [Msun/h].
    part : ndarray of int8, shape (n,)
        `TRAIN`, `VALIDATION`, `TEST`; or `BUFFER`, too near to these to be trained on.
    record : mapping
        The split (`mockgal.training.data.split`) and what was counted: plain JSON values.
        ``universes``: of each volume the number of the universe that it is of
        (`mockgal.training.data.same_structures`); without it each is one of its own.
    further : mapping of str to ndarray, shape (n,)
        log10 of further targets, by their keys in `mockgal.columns.FURTHER_TARGETS` and in the
        units of those columns; NaN where there is none.

    Raises
    ------
    BadValueError
        Unequal lengths, no such volume, voxel or part, or an id twice in a volume.
    """

    volumes: tuple[Volume, ...]
    volume: Array
    voxel: Array
    halo_id: Array
    features: Array
    log_stellar_mass: Array
    mass: Array
    part: Array
    record: Mapping[str, Any] = field(repr=False)
    further: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = ("volume", "voxel", "features", "log_stellar_mass", "mass", "part")
        lengths = {name: len(getattr(self, name)) for name in names}
        lengths |= {name: len(values) for name, values in self.further.items()}
        n = len(self)
        if set(lengths.values()) != {n}:
            raise BadValueError("samples", f"lengths {lengths}", f"{n} each, as of halo_id")
        if n and not (self.volume.min() >= 0 and self.volume.max() < len(self.volumes)):
            raise BadValueError("samples", "the number of no volume", f"0 to {len(self.volumes)}")
        sizes = np.array([volume.grid_size for volume in self.volumes], dtype=np.int64)
        if not np.all((self.voxel >= 0) & (self.voxel < sizes[self.volume][:, None])):
            raise BadValueError("samples", "voxels outside their grids", "voxels of the volumes")
        if not np.isin(self.part, list(PARTS)).all():
            raise BadValueError("samples", "an unknown part", f"one of {list(PARTS)}")
        order = np.lexsort((self.halo_id, self.volume))
        same = np.diff(self.volume[order]) == 0
        if np.any(same & (np.diff(self.halo_id[order]) == 0)):
            raise BadValueError("samples", "a halo_id twice in a volume", "each once")
        object.__setattr__(self, "record", MappingProxyType(dict(self.record)))

    def __len__(self) -> int:
        return len(self.halo_id)

    @property
    def luminous(self) -> Array:
        """Whether there is a galaxy above the luminosity floor, shape (n,)."""
        return np.isfinite(self.log_stellar_mass)

    def rows(self, part: int) -> Array:
        """Rows of a part, in the order of (volume, halo_id): results do not depend on theirs."""
        order = np.lexsort((self.halo_id, self.volume))
        return np.asarray(order[self.part[order] == part])

    def draw_ids(self, rows: Array) -> Array:
        """Ids that random numbers of painting are keyed by, shape (n,), others in each volume.

        Catalogues number the subhalos of every box alike. So each id is combined with a digest of
        what its volume is of, and is the same whatever other volumes there are.
        """
        ids = self.halo_id[rows].astype(np.int64)
        for index in np.unique(self.volume[rows]):
            content = self.volumes[index].content.encode()
            digest = hashlib.blake2b(content, digest_size=8).digest()
            ids[self.volume[rows] == index] ^= int.from_bytes(digest, "little") >> 1
        return ids

    def independent(self, rows: Array) -> float:
        """The part of the rows that is left when each universe is taken at one redshift only."""
        universes = self.record.get("universes", range(len(self.volumes)))
        numbers: dict[int, int] = {}
        for volume, number in zip(*np.unique(self.volume[rows], return_counts=True), strict=True):
            universe = universes[volume]
            numbers[universe] = max(numbers.get(universe, 0), int(number))
        return sum(numbers.values()) / len(rows)
