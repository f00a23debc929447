"""Choose an epoch by how well the painted stellar mass of a region clusters.

The validation subhalos are painted as in a catalogue: whether each is luminous, and its stellar
mass, are drawn from the network's law. The random numbers are keyed by subhalo and are the same in
every epoch. (The mean of the law would lack the power of its scatter.) Painted and true masses are
both placed at the gravity-only positions, on the same NGP grid, and their power spectra are
measured with the same window. Each spectrum is of the overdensity relative to its own mean, so
that an error of the mean mass is reported separately.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError, DomainError, InternalError, UsageError
from ...laws.distribution import Distribution
from ...painters.cnn.law import law, shares
from ...painters.cnn.weights.header import WeightsHeader
from ...painters.draw import draw
from ...statistics.power.spectrum import power_of_field
from ...statistics.power.subvolume import power_of_subcube
from ...statistics.result import Measurement
from ..data.samples import Samples

Array = NDArray[Any]

LEAST_SIDE = 8  # cells along a side of a cube
RULE = (
    "least power-spectrum score within one standard error of the least validation loss so far, "
    "epochs judged in their order"
)


class Score(NamedTuple):
    """How a painted region compares with the true one.

    Parameters
    ----------
    score : float or None
        Root mean square over waves of ln (P painted / P true); None if nothing can be compared.
    mass_ratio : float or None
        Painted over true stellar mass, summed over all regions; None if masses cannot be painted.
    power : list of list of float
        Painted power of each volume [(Mpc/h)^3].
    """

    score: float | None
    mass_ratio: float | None
    power: list[list[float]]


class Cells(NamedTuple):
    """Subhalos of one volume in the cells of a grid, and the cubes of cells that are measured.

    Parameters
    ----------
    volume : int
    rows : ndarray of int, shape (n,)
    cell : ndarray of int, shape (n, 3)
        Cell of each subhalo; a cell has ``factor`` voxels along each side.
    factor, side : int
        Voxels of a cell, and cells of a cube, along each side.
    starts : list of tuple of int
        First cell of each cube; empty if the cube is the whole periodic volume.
    """

    volume: int
    rows: Array
    cell: Array
    factor: int
    side: int
    starts: list[tuple[int, ...]]

    def is_in(self, start: tuple[int, ...]) -> Array:
        """Return which subhalos are in the cube that starts at ``start``, shape (n,)."""
        return np.asarray(((self.cell >= start) & (self.cell < np.add(start, self.side))).all(1))

    @property
    def outside(self) -> int:
        """Number of subhalos outside all cubes."""
        inside = [self.is_in(start) for start in self.starts]
        return len(self.rows) - int(np.count_nonzero(np.any(inside, axis=0))) if inside else 0


class Region(NamedTuple):
    """The comparison in one volume: the true spectrum, and which of its shells are used."""

    cells: Cells
    truth: Measurement
    used: Array


def kept(rows: Sequence[Mapping[str, Any]]) -> int:
    """Return the index of the row whose weights are kept.

    The spectrum of one region is dominated by the masses drawn for its heaviest galaxies, so the
    score alone may choose an epoch that has hardly learnt. It therefore chooses only among rows
    whose validation loss is within one standard error of the least (Breiman et al. 1984,
    Classification and Regression Trees, section 3.4.3). Rows are judged in their order, because
    the weights of earlier epochs are no longer available.

    Parameters
    ----------
    rows : sequence of mapping
        One row or more, with ``score``, ``validation_loss`` and ``validation_loss_error``. Rows
        with a score come before rows without; ties go to the smaller loss.
    """
    place, least = 0, rows[0]
    for k, row in enumerate(rows):
        least = min(least, row, key=lambda one: one["validation_loss"])
        bar = least["validation_loss"] + least["validation_loss_error"]
        if row["validation_loss"] <= bar and (
            rows[place]["validation_loss"] > bar or _rank(row) < _rank(rows[place])
        ):
            place = k
    return place


def best_of(rows: Sequence[Mapping[str, Any]]) -> int:
    """Return the index of the best row by the rule of `kept`, if all weights are available."""
    least = min(rows, key=lambda row: row["validation_loss"])
    bar = least["validation_loss"] + least["validation_loss_error"]
    among = [k for k, row in enumerate(rows) if row["validation_loss"] <= bar]
    return min(among, key=lambda k: _rank(rows[k]))


def _rank(row: Mapping[str, Any]) -> tuple[bool, float, float]:
    """Return a key that sorts rows from the best to the worst."""
    score = row["score"]
    return score is None, 0.0 if score is None else score, row["validation_loss"]


def stellar_mass(samples: Samples, header: WeightsHeader) -> Array:
    """Return the true stellar mass of each row [Msun/h], 0 without a galaxy.

    If the target is the mass of the voxel, each subhalo has its share of it, as in painting.
    """
    mass = np.where(samples.luminous, 10.0**samples.log_stellar_mass, 0.0)
    if header.target == "voxel":
        mass = shares_of(samples) * np.maximum(mass - samples.luminous, 0.0)
    return np.asarray(mass)


def shares_of(samples: Samples) -> Array:
    """Return each row's share of the bound mass of all subhalos in its voxel."""
    place = np.column_stack([samples.volume, samples.voxel])
    order = np.lexsort((samples.halo_id, *place.T[::-1]))
    share = np.empty(len(order))
    share[order] = shares(place[order], samples.mass[order])
    return share


def law_of(samples: Samples, rows: Array, output: Array, header: WeightsHeader) -> Distribution:
    """Return the law to draw from for some rows, from the network's output for them."""
    share = np.ones(len(rows)) if header.target == "subhalo" else shares_of(samples)[rows]
    with np.errstate(over="ignore"):  # a network that has learnt little may overflow
        return law(
            header,
            len(rows),
            np.arange(len(rows)),
            output,
            share,
            np.zeros(len(rows), dtype=bool),
            {},
        )


class PowerComparison:
    """Compare painted and true power spectra of held-out regions.

    If all subhalos of a volume are held out, the region is the whole periodic volume. Otherwise it
    consists of as many cubes as fit in the voxels that the rows span along the three axes, and
    their spectra are averaged. A region without stellar mass has no spectrum: it counts only in
    the ratio of the masses.

    Parameters
    ----------
    samples : Samples
    rows : ndarray of int
        Rows of the held-out subhalos.
    header : WeightsHeader
        Header of the weights.
    power_range : tuple of float
        Range of wavenumbers [h/Mpc]; cut at half the Nyquist wavenumber of the voxels.

    Raises
    ------
    UsageError
        There is no wave in the range.
    BadValueError
        The regions are too small to measure, or none has stellar mass.
    """

    def __init__(
        self,
        samples: Samples,
        rows: Array,
        header: WeightsHeader,
        *,
        power_range: tuple[float, float],
    ) -> None:
        self._samples, self._header = samples, header
        self._rows, self._range = np.asarray(rows), power_range
        self._mass = stellar_mass(samples, header)
        held_out = np.unique(samples.volume[self._rows]).astype(int).tolist()
        regions = {k: self._region(k) for k in held_out}
        self.regions = [region for region in regions.values() if region is not None]
        self._without_mass = [samples.volumes[k] for k, region in regions.items() if region is None]
        if not self.regions:
            raise BadValueError(
                "held-out regions of "
                + ", ".join(f"{v.name} at redshift {v.redshift:.4g}" for v in self._without_mass),
                "no stellar mass",
                "galaxies to compare the power spectrum with",
                "hold out larger regions, or lower the luminosity floor",
            )

    @property
    def record(self) -> dict[str, Any]:
        """Description of the comparison: plain JSON values."""
        return {
            "score": "root mean square, over waves, of ln of painted over true power",
            "painted": "a draw from the network's law, the same random numbers in every epoch",
            "true": "stellar mass matched to the gravity-only subhalos, at their voxels",
            "overdensity": "relative to its own mass; the ratio of the masses is told apart",
            "range_h_per_mpc": list(self._range),
            "regions": [
                {
                    "volume": self._samples.volumes[r.cells.volume].name,
                    "subhalos": len(r.cells.rows),
                    "voxels_per_cell": r.cells.factor,
                    "cells_per_side": r.cells.side,
                    "cubes": len(r.cells.starts),
                    "whole_volume": not r.cells.starts,
                    "subhalos_in_no_cube": r.cells.outside,
                    "k_h_per_mpc": r.truth["k"][r.used].tolist(),
                    "modes": r.truth["modes"][r.used].tolist(),
                    "true_power_mpc3_h3": r.truth["power"][r.used].tolist(),
                }
                for r in self.regions
            ],
            "regions_without_stellar_mass": [
                {"volume": volume.name, "redshift": float(volume.redshift)}
                for volume in self._without_mass
            ],
        }

    def score(self, output: Array, *, seed: int) -> Score:
        """Paint the rows, and return the comparison with the truth.

        Parameters
        ----------
        output : ndarray of float64, shape (n, o)
            Output of the network for each row.
        seed : int
            Seed of the draw.
        """
        return self.score_of_mass(self._painted(output, seed))

    def score_of_mass(self, mass: Array | None) -> Score:
        """Compare painted stellar masses of the rows [Msun/h]; None stands for failed painting."""
        if mass is None:
            return Score(None, None, [])
        true = math.fsum(self._mass[self._rows])
        ratio = math.fsum(mass) / true
        painted = np.zeros(len(self._samples.halo_id))
        painted[self._rows] = mass
        squares, modes, curves = 0.0, 0.0, []
        for region in self.regions:
            spectrum = self._power(region.cells, painted)
            if spectrum is None:
                return Score(None, ratio, [])
            power = spectrum["power"][region.used]
            curves.append([float(value) for value in power])
            logs = np.log(power / region.truth["power"][region.used])
            counts = region.truth["modes"][region.used] * max(1, len(region.cells.starts))
            squares += float(np.sum(counts * logs**2))
            modes += float(np.sum(counts))
        score = math.sqrt(squares / modes)
        return Score(score if math.isfinite(score) else None, ratio, curves)

    def _painted(self, output: Array, seed: int) -> Array | None:
        """Return the painted stellar mass of each row; None if the law gives impossible masses."""
        mass = np.zeros(len(self._rows))
        predicted = law_of(self._samples, self._rows, output, self._header)
        try:
            luminous, log_mass = draw(predicted, self._samples.draw_ids(self._rows), seed=seed)
        except (DomainError, InternalError):
            return None
        mass[luminous] = 10.0**log_mass
        return mass

    def _region(self, number: int) -> Region | None:
        """Return the region of a volume; None if it has no stellar mass."""
        volume = self._samples.volumes[number]
        least, most = self._range
        most = min(most, 0.5 * math.pi / volume.voxel_size)
        cells = self._cells(number, most)
        truth = self._power(cells, self._mass)
        if truth is None:
            return None
        used = (truth["k"] >= least) & (truth["k"] <= most) & (truth["modes"] > 0)
        if not used.any():
            raise UsageError(
                "training power_range",
                f"{least:g} to {most:g} h/Mpc, where the held-out region of {volume.name} has no "
                "shell of waves",
                f"a range from {truth['k'][0]:.3g} h/Mpc on" if len(truth) else "larger regions",
            )
        return Region(cells, truth, used)

    def _cells(self, number: int, most: float) -> Cells:
        """Return the largest cells with half their Nyquist wavenumber at least ``most`` [h/Mpc]."""
        samples, volume = self._samples, self._samples.volumes[number]
        rows = self._rows[samples.volume[self._rows] == number]
        rows = rows[np.lexsort((samples.halo_id[rows], *samples.voxel[rows].T))]  # order of sums
        size = volume.channels.shape[1]
        whole = len(rows) == np.count_nonzero(samples.volume == number)
        spans = [(0, size)] * 3 if whole else [_span(v, size) for v in samples.voxel[rows].T]
        least = min(length for _, length in spans)
        factor = int(0.5 * math.pi / volume.voxel_size / most * (1.0 + 1e-9))
        factor = max(1, min(factor, least // LEAST_SIDE))
        while whole and size % factor:  # cells must fill the box
            factor -= 1
        side = least // factor
        if side < LEAST_SIDE:
            raise BadValueError(
                f"held-out region of {volume.name}",
                f"subhalos that span {side} voxels along an axis",
                f"at least {LEAST_SIDE}",
                "hold out a larger region",
            )
        cell = ((samples.voxel[rows] - [first for first, _ in spans]) % size) // factor
        starts: list[tuple[int, ...]] = []
        if not whole:  # up to a quarter of a cube's last side may be empty
            fit = [int(length / factor / side + 1 / 4) for _, length in spans]
            starts = list(itertools.product(*(range(0, n * side, side) for n in fit)))
        return Cells(number, rows, cell, factor, side, starts)

    def _power(self, cells: Cells, mass: Array) -> Measurement | None:
        """Return the spectrum of a region, averaged over its cubes; None without mass."""
        volume, mine = self._samples.volumes[cells.volume], mass[cells.rows]
        cell_size = cells.factor * volume.voxel_size
        total, true = math.fsum(mine), math.fsum(self._mass[cells.rows])
        if not (math.isfinite(total) and total > 0 and true > 0):
            return None
        if not cells.starts:
            field = _grid(cells.cell, mine, cells.side)
            return power_of_field(field, volume.box_size, assignment="NGP", jackknife=0)
        # The true mean of the box, scaled by painted over true mass of the region.
        of_box = math.fsum(self._mass[self._samples.volume == cells.volume])
        mean = of_box * (cell_size / volume.box_size) ** 3 * (total / true)
        spectra = []
        for start in cells.starts:
            inside = cells.is_in(start)
            cube = _grid(cells.cell[inside] - start, mine[inside], cells.side)
            spectra.append(power_of_subcube(cube, cell_size, mean, assignment="NGP", jackknife=0))
        power = np.mean([each["power"] for each in spectra], axis=0)
        return replace(spectra[0], columns=dict(spectra[0].columns) | {"power": power})


def _grid(cell: Array, mass: Array, side: int) -> Array:
    """Return the mass in each cell of a cube."""
    flat = np.ravel_multi_index(tuple(cell.T), (side, side, side))
    return np.bincount(flat, mass, side**3).reshape(side, side, side)


def _span(voxel: Array, size: int) -> tuple[int, int]:
    """Return the first occupied voxel along a periodic axis, and the number of voxels spanned.

    The longest run of empty voxels lies outside the span.
    """
    occupied = np.unique(voxel)
    gaps = np.diff(occupied, append=occupied[0] + size)
    last = int(np.argmax(gaps))
    first = int(occupied[(last + 1) % len(occupied)])
    return first, size - int(gaps[last]) + 1
