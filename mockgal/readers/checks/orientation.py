"""Check that a density grid belongs to its halos: orientation, origin, and run."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import BadValueError
from ...types import DensityField, HaloCatalog

Array = NDArray[Any]

MOST = 3000  # hosts that are used, the most massive
_FEWEST = 15  # hosts that are needed
_FITS = 10.0  # standard deviations at which a view fits
# A view also fits with `_LEAST` standard deviations if no other has more than 1 / `_AHEAD` of it.
_AHEAD = 1.5
_LEAST = 6.0
# The right view must fit if this many hosts, and half of all, are heavier than a mean voxel, and
# the contrast has this rms.
_ENOUGH, _ROUGH = 100, 2.0
_FLOOR = 0.05  # added to the density over its mean, for empty voxels


class View(NamedTuple):
    """An orientation of a grid: its axis a is axis ``axes[a]`` of the box.

    An axis runs backwards if it is ``flipped``, and is half a box off if it is ``moved``.
    """

    axes: tuple[int, ...]
    flipped: tuple[bool, ...]
    moved: tuple[bool, ...]

    def places(self, voxel: Array, size: int, origin: str) -> Array:
        """Return indices into the grid for voxels of the box, both of shape (n, 3)."""
        result = voxel[:, self.axes]
        for a, (flipped, moved) in enumerate(zip(self.flipped, self.moved, strict=True)):
            if flipped:
                result[:, a] = (size - (origin == "corner") - result[:, a]) % size
            if moved:
                result[:, a] = (result[:, a] + size // 2) % size
        return result

    def remedy(self, size: int, origin: str) -> str:
        """Return the NumPy expression that corrects ``grid``."""
        code = "grid"
        moved, flipped = (
            tuple(a for a, yes in enumerate(mask) if yes) for mask in (self.moved, self.flipped)
        )
        if moved:
            code = f"np.roll({code}, {-(size // 2)}, {moved})"
        if flipped:
            code = f"np.flip({code}, {flipped})"
            if origin == "centre":
                code = f"np.roll({code}, 1, {flipped})"
        if self.axes != (0, 1, 2):
            code += f".transpose({', '.join(map(str, np.argsort(self.axes)))})"
        return code

    def words(self) -> str:
        """Return what was done to the grid, in words."""
        parts = []
        if self.axes != (0, 1, 2):
            parts.append("axes in the order " + ", ".join("xyz"[a] for a in self.axes))
        for mask, what in ((self.flipped, "flipped along"), (self.moved, "half a box off along")):
            along = [f"axis {a}" for a, yes in enumerate(mask) if yes]
            if along:
                parts.append(f"{what} {', '.join(along)}")
        return "; ".join(parts)


AS_IT_IS = View((0, 1, 2), (False,) * 3, (False,) * 3)
VIEWS = [
    View(axes, flipped, moved)
    for axes in permutations(range(3))
    for flipped in product((False, True), repeat=3)
    for moved in product((False, True), repeat=3)
]


class Sampler:
    """Density at the places of hosts in each view, collected slab by slab.

    Parameters
    ----------
    halos : HaloCatalog
    field : DensityField
    voxel_mass : float
        Mean mass in a voxel [Msun/h].
    """

    def __init__(self, halos: HaloCatalog, field: DensityField, voxel_mass: float) -> None:
        hosts = np.flatnonzero(halos["is_central"])
        if len(hosts) > MOST:
            hosts = hosts[np.argpartition(-halos["mass"][hosts], MOST)[:MOST]]
        self._heavy = int(np.count_nonzero(halos["mass"][hosts] > voxel_mass))
        self._field, size = field, field.grid_size
        place = halos["position"][hosts] / field.voxel_size + 0.5 * (field.origin == "centre")
        voxel = np.floor(place).astype(np.int64) % size
        self._index = np.stack([view.places(voxel, size, field.origin) for view in VIEWS])
        self._index = self._index.astype(np.int32)
        self._found = np.zeros((len(VIEWS), len(hosts)), np.float32)

    def see(self, start: int, slab: Array) -> None:
        """Collect densities from the rows that begin at ``start``, shape (rows, N, N)."""
        row = self._index[..., 0]
        here = np.nonzero((row >= start) & (row < start + len(slab)))
        x, y, z = self._index[here].T
        self._found[here] = slab[x - start, y, z]

    def verdict(self, mean: float, where: str) -> dict[str, Any]:
        """Return how well the grid fits the halos, or that these cannot show it.

        The mean of ln(0.05 + density) at the most massive hosts is compared with that in all 384
        views: all orders and directions of the three axes, with and without shifts by half a box.
        Its excess over their median is in units of their scatter (1.48 times the median absolute
        deviation). In Gadget-4 runs of 16 Mpc/h, with 15 to 370 hosts and voxels of 0.125 to
        0.5 Mpc/h, the right view has 19 to 80, and the best of the others 4 to 8. Smoothed over
        1 Mpc/h the right view has 7 to 9; smoothed over 3 Mpc/h the views are indistinguishable. An
        offset below the size of a halo, such as half a voxel, cannot be detected.

        Parameters
        ----------
        mean : float
            Mean of the grid's values; 0 for a density contrast.
        where : str
            Place of the grid, for messages.

        Returns
        -------
        dict
            ``fits`` (True, or None if halos are too few or the grid is too smooth), and the numbers
            that it is based on.

        Raises
        ------
        BadValueError
            Another view fits far better; or no view fits, although hosts are as heavy as voxels.
        """
        field, hosts = self._field, self._found.shape[1]
        density = self._found + 1.0 if field.kind == "delta" else self._found / (mean or 1.0)
        if hosts < _FEWEST:
            return {"fits": None, "hosts": hosts}
        ln = np.log(np.maximum(density, 0.0) + _FLOOR)
        height = ln.mean(axis=1)
        middle = np.median(height)
        scatter = max(1.4826 * float(np.median(np.abs(height - middle))), 1e-6)
        sigma = (height - middle) / scatter
        own = VIEWS.index(AS_IT_IS)
        others = np.delete(np.arange(len(VIEWS)), own)
        best = int(others[np.argmax(sigma[others])])
        facts = {
            "fits": None,
            "hosts": hosts,
            "sigma": round(float(sigma[own]), 2),
            "sigma_of_best_other_view": round(float(sigma[best]), 2),
            "mean_density_at_hosts": round(float(density[own].mean()), 3),
        }
        result = (
            f"a density of {facts['mean_density_at_hosts']:.3g} times the mean at the {hosts} most "
            f"massive hosts, {facts['sigma']:.1f} standard deviations above what other "
            "orientations of the grid give"
        )
        if sigma[best] >= _FITS and sigma[best] >= _AHEAD * sigma[own]:
            view = VIEWS[best]
            raise BadValueError(
                where,
                f"{result}, and {sigma[best]:.1f} with {view.words()}",
                "a grid with the axes and the origin of the halos",
                f"write it again as {view.remedy(field.grid_size, field.origin)} with NumPy as np",
            )
        high = sigma[own] >= _LEAST and sigma[own] >= _AHEAD * sigma[best]
        if sigma[own] >= _FITS or high:
            return {**facts, "fits": True}
        if self._heavy >= max(_ENOUGH, hosts / 2) and float(density.std()) >= _ROUGH:
            raise BadValueError(
                where,
                f"{result}, and no orientation that fits: the halos are not where the matter is",
                "the grid of the matter that the halos consist of",
                "use the grid of the same run and snapshot, not shifted; `mockgal field` makes "
                "one from particles",
            )
        return facts
