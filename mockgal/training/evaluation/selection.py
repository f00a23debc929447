"""How well the painted stellar mass of a region clusters: what chooses among epochs.

The validation subhalos are painted as a catalogue would be: luminous or not, and with what stellar
mass, is drawn from the network's law with random numbers that are keyed by the subhalo and the same
in every epoch. (The mean of the law would lack the power of its scatter.) Painted and true masses
are those at the gravity-only positions. They are put on one grid by NGP, and their power spectra
are measured with one window. Each is of the overdensity relative to its own mass: what the network
gets wrong of the mean mass is told apart.
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

LEAST_SIDE = 8  # cells of a cube
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
        Painted stellar mass over the true one, of all regions; None if it is no galaxies' mass.
    power : list of list of float
        P painted of each volume, [(Mpc/h)^3].
    """

    score: float | None
    mass_ratio: float | None
    power: list[list[float]]


class Cells(NamedTuple):
    """Subhalos of one volume in the cells of a grid, and the cubes of it that are measured.

    Parameters
    ----------
    volume : int
    rows : ndarray of int, shape (n,)
    cell : ndarray of int, shape (n, 3)
        Of ``factor`` voxels along each side.
    factor, side : int
        Voxels of a cell, and cells of a cube, along each side.
    starts : list of tuple of int
        First cells of the cubes; none if the cube is the whole periodic volume.
    """

    volume: int
    rows: Array
    cell: Array
    factor: int
    side: int
    starts: list[tuple[int, ...]]

    def is_in(self, start: tuple[int, ...]) -> Array:
        """Which subhalos are in the cube that starts there, shape (n,)."""
        return np.asarray(((self.cell >= start) & (self.cell < np.add(start, self.side))).all(1))

    @property
    def outside(self) -> int:
        """Subhalos in no cube."""
        inside = [self.is_in(start) for start in self.starts]
        return len(self.rows) - int(np.count_nonzero(np.any(inside, axis=0))) if inside else 0


class Region(NamedTuple):
    """What is compared in one volume: the true spectrum, and which of its shells are used."""

    cells: Cells
    truth: Measurement
    used: Array


def kept(rows: Sequence[Mapping[str, Any]]) -> int:
    """The place of the row whose weights are kept.

    The spectrum of one region is dominated by its heaviest galaxies, and by what was drawn for
    them: alone, it may choose an epoch that has hardly learnt. So it chooses among those whose
    validation loss is not told from the least (the rule of one standard error: Breiman et al. 1984,
    Classification and Regression Trees, section 3.4.3). Rows are judged in their order, as weights
    of earlier ones are not at hand.

    Parameters
    ----------
    rows : sequence of mapping
        One or more, with ``score``, ``validation_loss`` and ``validation_loss_error``. Rows without
        a score come after those with one, and of equals those with the lesser loss first.
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
    """The place of the best row, by the rule of `kept`, where the weights of all are at hand."""
    least = min(rows, key=lambda row: row["validation_loss"])
    bar = least["validation_loss"] + least["validation_loss_error"]
    among = [k for k, row in enumerate(rows) if row["validation_loss"] <= bar]
    return min(among, key=lambda k: _rank(rows[k]))


def _rank(row: Mapping[str, Any]) -> tuple[bool, float, float]:
    """Rows in the order of this are from the best to the worst."""
    score = row["score"]
    return score is None, 0.0 if score is None else score, row["validation_loss"]


def stellar_mass(samples: Samples, header: WeightsHeader) -> Array:
    """True stellar mass of each row [Msun/h], 0 where there is no galaxy.

    Where the target is the mass of the voxel, each subhalo has its share of it, as it is painted.
    """
    mass = np.where(samples.luminous, 10.0**samples.log_stellar_mass, 0.0)
    if header.target == "voxel":
        mass = shares_of(samples) * np.maximum(mass - samples.luminous, 0.0)
    return np.asarray(mass)


def shares_of(samples: Samples) -> Array:
    """Each row's part of the bound mass of those in its voxel."""
    place = np.column_stack([samples.volume, samples.voxel])
    order = np.lexsort((samples.halo_id, *place.T[::-1]))
    found = np.empty(len(order))
    found[order] = shares(place[order], samples.mass[order])
    return found


def law_of(samples: Samples, rows: Array, output: Array, header: WeightsHeader) -> Distribution:
    """What is drawn from for some rows, given the network's output for them."""
    share = np.ones(len(rows)) if header.target == "subhalo" else shares_of(samples)[rows]
    with np.errstate(over="ignore"):  # of a network that has learned little
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
    """Power spectra of held-out regions, against the truth.

    A region is the whole periodic volume where all of its subhalos are among the rows; else as many
    cubes as fit in the voxels that they span along the three axes, whose spectra are averaged. One
    without stellar mass has no spectrum: it counts in the ratio of the masses alone.

    Parameters
    ----------
    samples : Samples
    rows : ndarray of int
        Subhalos that are held out.
    header : WeightsHeader
        Of the weights.
    power_range : tuple of float
        Wavenumbers that count [h/Mpc]; cut at half the Nyquist wavenumber of the voxels.

    Raises
    ------
    UsageError
        There is no wave in the range.
    BadValueError
        Regions too small to measure, or none with stellar mass.
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
        found = {k: self._region(k) for k in held_out}
        self.regions = [region for region in found.values() if region is not None]
        self._without_mass = [samples.volumes[k] for k, region in found.items() if region is None]
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
        """What is compared: plain JSON values."""
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
        """Paint the rows and compare.

        Parameters
        ----------
        output : ndarray of float64, shape (n, o)
            The network's, of each row.
        seed : int
            Of the draw.
        """
        return self.score_of_mass(self._painted(output, seed))

    def score_of_mass(self, mass: Array | None) -> Score:
        """The same of stellar masses of the rows [Msun/h], or None if they are no masses."""
        if mass is None:
            return Score(None, None, [])
        true = math.fsum(self._mass[self._rows])
        ratio = math.fsum(mass) / true
        painted = np.zeros(len(self._samples.halo_id))
        painted[self._rows] = mass
        squares, modes, curves = 0.0, 0.0, []
        for region in self.regions:
            found = self._power(region.cells, painted)
            if found is None:
                return Score(None, ratio, [])
            power = found["power"][region.used]
            curves.append([float(value) for value in power])
            logs = np.log(power / region.truth["power"][region.used])
            counts = region.truth["modes"][region.used] * max(1, len(region.cells.starts))
            squares += float(np.sum(counts * logs**2))
            modes += float(np.sum(counts))
        score = math.sqrt(squares / modes)
        return Score(score if math.isfinite(score) else None, ratio, curves)

    def _painted(self, output: Array, seed: int) -> Array | None:
        """Stellar mass of each row; None where the network gives what is none of a galaxy."""
        mass = np.zeros(len(self._rows))
        made = law_of(self._samples, self._rows, output, self._header)
        try:
            luminous, log_mass = draw(made, self._samples.draw_ids(self._rows), seed=seed)
        except (DomainError, InternalError):
            return None
        mass[luminous] = 10.0**log_mass
        return mass

    def _region(self, number: int) -> Region | None:
        """The region of a volume; None where it has no stellar mass."""
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
        """Cells as large as half their Nyquist wavenumber allows, ``most`` [h/Mpc]."""
        samples, volume = self._samples, self._samples.volumes[number]
        rows = self._rows[samples.volume[self._rows] == number]
        rows = rows[np.lexsort((samples.halo_id[rows], *samples.voxel[rows].T))]  # sums in order
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
        if not whole:  # a cube may be empty at its end, by a quarter at most
            fit = [int(length / factor / side + 1 / 4) for _, length in spans]
            starts = list(itertools.product(*(range(0, n * side, side) for n in fit)))
        return Cells(number, rows, cell, factor, side, starts)

    def _power(self, cells: Cells, mass: Array) -> Measurement | None:
        """Spectrum of the masses of a region, averaged over its cubes; None without mass."""
        volume, mine = self._samples.volumes[cells.volume], mass[cells.rows]
        cell_size = cells.factor * volume.voxel_size
        total, true = math.fsum(mine), math.fsum(self._mass[cells.rows])
        if not (math.isfinite(total) and total > 0 and true > 0):
            return None
        if not cells.starts:
            field = _grid(cells.cell, mine, cells.side)
            return power_of_field(field, volume.box_size, assignment="NGP", jackknife=0)
        # The true mean of the box, scaled by what the region has of its true mass.
        of_box = math.fsum(self._mass[self._samples.volume == cells.volume])
        mean = of_box * (cell_size / volume.box_size) ** 3 * (total / true)
        found = []
        for start in cells.starts:
            inside = cells.is_in(start)
            cube = _grid(cells.cell[inside] - start, mine[inside], cells.side)
            found.append(power_of_subcube(cube, cell_size, mean, assignment="NGP", jackknife=0))
        power = np.mean([each["power"] for each in found], axis=0)
        return replace(found[0], columns=dict(found[0].columns) | {"power": power})


def _grid(cell: Array, mass: Array, side: int) -> Array:
    """Mass per cell of a cube."""
    flat = np.ravel_multi_index(tuple(cell.T), (side, side, side))
    return np.bincount(flat, mass, side**3).reshape(side, side, side)


def _span(voxel: Array, size: int) -> tuple[int, int]:
    """First of the voxels along a periodic axis that are occupied, and how many they span.

    The longest run of empty voxels is what lies outside.
    """
    occupied = np.unique(voxel)
    gaps = np.diff(occupied, append=occupied[0] + size)
    last = int(np.argmax(gaps))
    first = int(occupied[(last + 1) % len(occupied)])
    return first, size - int(gaps[last]) + 1
