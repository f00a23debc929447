"""Where a catalogue of hosts ends, and how many hosts are missing below, by a mass function."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import HeaderError
from ...layout import HOST_BIN
from ...theory.abundance import NAMES, halo_abundance, with_spectrum
from ...types import HaloCatalog, Scene

Array = NDArray[Any]

LOWEST = 8.0  # log10 of the lightest host that is counted [Msun/h]
FEW = 10  # hosts: too few to show the shape of a mass function
_WINDOW = 5  # bins of hosts that the mass function is scaled to
_DEFICIT, _SIGMAS = 0.7, 3.0  # share of the expected hosts, and its significance, at an edge
_SHAPE = 0.2  # relative uncertainty of a mass function over a decade, cosmic variance included
_REACH = (1, 2, 3, 5, 10)  # numbers of bins examined together below an edge
_RISE = 1.5  # rise of the number of hosts over half a decade towards low mass, without an edge
_SCALES = (1e-2, 1e2)  # hosts found over expected, beyond which a mass function says nothing


class Untold(Exception):
    """The number of missing hosts or galaxies cannot be determined; the text says why."""


class Subhalos(NamedTuple):
    """How many subhalos there are, and whether all of them are centrals."""

    number: int
    hosts_only: bool

    @classmethod
    def of(cls, halos: HaloCatalog) -> Subhalos:
        """Count those of a catalogue."""
        return cls(len(halos), bool(halos["is_central"].all()))


class Hosts(NamedTuple):
    """Hosts in bins of `HOST_BIN` dex: those found, and those that the input lacks.

    Parameters
    ----------
    log_mass : ndarray, shape (n,)
        Middle of the bin, log10 [Msun/h].
    found, lacking : ndarray, shape (n,)
        Number of hosts per bin.
    edge : float
        log10 of the mass below which the input lacks hosts; -inf if there is no detectable edge.
    function : str
        The mass function, and the parameters of its cosmology that were assumed.
    scale : float
        Hosts found over those of the mass function, just above the edge.
    uncertainty : float
        Relative uncertainty of ``lacking``.
    """

    log_mass: Array
    found: Array
    lacking: Array
    edge: float
    function: str
    scale: float
    uncertainty: float


def host_edge(found: Array, expected: Array) -> tuple[int, float, float]:
    """Find where a catalogue of hosts ends.

    Bins are examined from the heaviest down. Each is compared with the mass function, scaled to
    the hosts of up to five bins above, and so are the next ten together: the edge is where both
    have less than 70% of the expected hosts, and fewer than chance explains. Chance is three
    standard deviations of a Poisson number whose mean is lowered by three standard deviations of
    the scale: those of its own hosts, and 20% for the shape of the mass function.

    In the exponential tail a small error of the cosmology, or of the fit, is a large error of the
    shape. There, as everywhere above an edge, hosts still rise towards low masses, by a factor of
    2 and more in half a decade; where they rise by 1.5 and more there is no edge. A cut that
    removes less than half of the hosts in the tail is therefore not found.

    In tests with boxes of 30 to 2000 Mpc/h at redshifts 0 to 4, drawn from mass functions of
    sigma_8 0.7 to 1.1 where 0.81 is expected, Omega_m 0.2 or 0.4 for 0.3, or Sheth & Tormen's for
    Tinker's and the reverse, one in 1e4 has a false edge (4 of 38900, all in boxes of 60 Mpc/h and
    less). All sharp edges are found with 30 hosts and more above, wherever ten bins below should
    have as many.

    Parameters
    ----------
    found, expected : ndarray, shape (n,)
        Hosts per bin of mass, the lightest first.

    Returns
    -------
    edge : int
        The first complete bin; 0 if all are complete, or if there are too few hosts to tell.
    scale, uncertainty : float
        Hosts found over expected in the bins above the edge, and its relative uncertainty.
    """
    top = int(np.max(np.flatnonzero(found), initial=-1)) + 1
    for b in range(top - 1, -1, -1):
        end = min(b + 1 + _WINDOW, top)
        while end < top and found[b + 1 : end].sum() < FEW:
            end += 1
        above = float(found[b + 1 : end].sum())
        if above < FEW:
            continue
        scale = above / float(expected[b + 1 : end].sum())
        if found[b] >= _DEFICIT * scale * expected[b]:
            continue
        wide = max(_WINDOW, end - b - 1)
        if found[max(b + 1 - wide, 0) : b + 1].sum() >= _RISE * above:
            continue
        for reach in _REACH:
            part = slice(max(b + 1 - reach, 0), b + 1)
            should, there = scale * float(expected[part].sum()), float(found[part].sum())
            least = should * math.exp(-_SIGMAS * _uncertainty(above))
            if there < _DEFICIT * should and least - there > _SIGMAS * math.sqrt(least):
                return _change(found, expected, max(b + 1 - _REACH[-1], 0), b + 1, end)
    return 0, 1.0, math.inf


def _change(
    found: Array, expected: Array, lowest: int, highest: int, end: int
) -> tuple[int, float, float]:
    """Return the bin, from lowest to highest, below which hosts are most likely missing.

    The likelihood is that of Poisson numbers with one scale above the bin and one below.
    """

    def likelihood(edge: int) -> float:
        total = 0.0
        for part in (slice(lowest, edge), slice(edge, end)):
            should, there = float(expected[part].sum()), float(found[part].sum())
            if there:
                rate = expected[part] * (there / should)
                total += float(np.sum(found[part] * np.log(rate))) - there
        return total

    edge = max(range(lowest, highest + 1), key=likelihood)
    above = float(found[edge:end].sum())
    return edge, above / float(expected[edge:end].sum()), _uncertainty(above)


def _uncertainty(hosts: float) -> float:
    """Return the relative uncertainty of a scale measured from a number of hosts."""
    return math.hypot(1.0 / math.sqrt(hosts), _SHAPE)


def count_lacking(scene: Scene, counted: Mapping[str, Any]) -> Hosts:
    """Count the hosts that a simulation lacks, by mass.

    Parameters
    ----------
    scene : Scene
    counted : mapping
        The result of `mockgal.painters.draw.count_hosts`.

    Raises
    ------
    Untold
        There is no mass function for the cosmology, or it is nothing like the input.
    """
    lowest = round(LOWEST / HOST_BIN)
    edges, counts = counted["log10_mass_edges"], np.asarray(counted["counts"], dtype=np.float64)
    first = round(edges[0] / HOST_BIN) if len(counts) else lowest
    start = min(first, lowest)
    number = max(first + len(counts), lowest + 1) - start
    found = np.zeros(number)
    found[first - start : first - start + len(counts)] = counts
    log_mass = (start + np.arange(number) + 0.5) * HOST_BIN
    expected, function = _expected(scene, log_mass)
    with np.errstate(over="ignore"):  # where almost no hosts are expected
        bin_edge, scale, uncertainty = host_edge(found, expected)
    if bin_edge and not _SCALES[0] <= scale <= _SCALES[1]:
        raise Untold(
            f"the input has {scale:.2g} times the hosts of the mass function of {function}, which "
            "says nothing of it"
        )
    below = np.arange(number) < bin_edge
    lacking = np.where(below, np.maximum(scale * expected - found, 0.0), 0.0)
    edge = (start + bin_edge) * HOST_BIN if bin_edge else -math.inf
    return Hosts(log_mass, found, lacking, edge, function, scale, uncertainty)


def _expected(scene: Scene, log_mass: Array) -> tuple[Array, str]:
    """Return the expected hosts per bin in the box, all above 0, and the mass function's name."""
    snapshot, definition = scene.snapshot, scene.halos.mass_definition
    if snapshot.frame != "box":
        raise Untold("the volume of a light cone is not stated, which expected hosts depend on")
    function = NAMES[definition == "fof"]
    redshift = max(snapshot.redshift, 0.0)
    try:
        cosmology, assumed = with_spectrum(snapshot.cosmology)
        if assumed:
            function += f" ({', '.join(assumed)} of Planck 2018, as the run does not state them)"
        with np.errstate(all="ignore"):
            per_volume = halo_abundance(
                cosmology, log_mass, mass_definition=definition, redshift=redshift
            )
            expected = per_volume * HOST_BIN * snapshot.box_size**3
        if not np.isfinite(expected).all():
            raise ArithmeticError("numbers that are not finite")
    except (HeaderError, ArithmeticError, ValueError) as error:
        raise Untold(
            f"the mass function of {function} cannot be computed with the run's cosmology: {error}"
        ) from error
    return np.maximum(expected, 1e-300), function
