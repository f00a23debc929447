"""The samples of a training: boxes on the network's grid, and subhalos with their galaxies.

`mockgal.training.data.crops` makes batches of crops from them, `mockgal.training.data.normalise`
the constants to standardise by; both can be imported from here, too.
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
        Name of the simulation. `mockgal.training.data.split` holds out volumes of the same name
        together.
    origin : str
        ``corner`` if voxel i covers [i, i+1) voxel sizes; ``centre`` if it is centred on i.
    assignment : str
        Mass assignment scheme.
    least_subhalo_mass : float
        Bound mass of the smallest subhalo that was deposited [Msun/h].
    record : mapping
        Counts of its making: plain JSON values. ``halo_digest``: content digest of the catalogue
        of its subhalos.

    Raises
    ------
    BadValueError
        The channels have another shape or type, or the voxels do not add up to the box.
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
        """Identity of the volume: the digest of its subhalos, whatever the simulation's name."""
        named = f"{self.name} at redshift {float(self.redshift)!r}"
        return str(self.record.get("halo_digest", named))


@dataclass(frozen=True, eq=False)
class Samples:
    """Subhalos of all volumes, each with the stellar mass to predict.

    Parameters
    ----------
    volumes : tuple of Volume
    volume : ndarray of int, shape (n,)
        Index of the subhalo's volume.
    voxel : ndarray of int, shape (n, 3)
        Voxel in the grid of that volume.
    halo_id : ndarray of int64, shape (n,)
        Id, unique in a volume.
    features : ndarray of float64, shape (n, f)
        Features in the architecture's order, not standardised.
    log_stellar_mass : ndarray of float64, shape (n,)
        log10 of stellar mass [Msun/h]; NaN without a galaxy above the luminosity floor.
    mass : ndarray of float64, shape (n,)
        Bound mass [Msun/h].
    part : ndarray of int8, shape (n,)
        `TRAIN`, `VALIDATION`, `TEST`; or `BUFFER`, too near to a held-out region to train on.
    record : mapping
        The split (`mockgal.training.data.split`) and counts: plain JSON values. ``universes``:
        number of the universe of each volume (`mockgal.training.data.same_structures`); without
        it each volume is a universe of its own.
    further : mapping of str to ndarray, shape (n,)
        log10 of further targets, by their keys in `mockgal.columns.FURTHER_TARGETS` and in the
        units of those columns; NaN where unknown.

    Raises
    ------
    BadValueError
        Lengths differ; a volume, voxel or part does not exist; or an id is repeated in a volume.
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
            raise BadValueError("samples", "an unknown volume", f"0 to {len(self.volumes) - 1}")
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
        """Whether the subhalo has a galaxy above the luminosity floor, shape (n,)."""
        return np.isfinite(self.log_stellar_mass)

    def rows(self, part: int) -> Array:
        """Return the rows of a part, sorted by (volume, halo_id), whatever the order of samples."""
        order = np.lexsort((self.halo_id, self.volume))
        return np.asarray(order[self.part[order] == part])

    def draw_ids(self, rows: Array) -> Array:
        """Return ids to key the random numbers of painting by, shape (n,), unique to each volume.

        Catalogues of different boxes use the same ids. So each id is combined with a digest of the
        content of its volume, and does not depend on what other volumes there are.
        """
        ids = self.halo_id[rows].astype(np.int64)
        for index in np.unique(self.volume[rows]):
            content = self.volumes[index].content.encode()
            digest = hashlib.blake2b(content, digest_size=8).digest()
            ids[self.volume[rows] == index] ^= int.from_bytes(digest, "little") >> 1
        return ids

    def independent(self, rows: Array) -> float:
        """Return the fraction of the rows that remains with one redshift for each universe."""
        universes = self.record.get("universes", range(len(self.volumes)))
        numbers: dict[int, int] = {}
        for volume, number in zip(*np.unique(self.volume[rows], return_counts=True), strict=True):
            universe = universes[volume]
            numbers[universe] = max(numbers.get(universe, 0), int(number))
        return sum(numbers.values()) / len(rows)
