"""Hosts in cells of mass: how many galaxies they have on average, for many sets of parameters.

A cell has the hosts of 0.01 dex of mass, of a half of the hosts at each mass where galaxies depend
on a second property, and, where satellites are subhalos, of one number of subhalos. Numbers of
galaxies are computed per cell. Pairs of galaxies are tabulated by classes of hosts that are
`CLASS_WIDTH` wide in mass, within which satellites follow the mass of their host.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...painters.halotools.decoration import BALANCED
from .leauthaud11 import above

Array = NDArray[Any]

CELL_WIDTH, CLASS_WIDTH = 0.01, 0.1  # dex
_PER_CLASS = round(CLASS_WIDTH / CELL_WIDTH)


class Hosts(NamedTuple):
    """The cells of the hosts of a simulation: columns of shape (n,).

    Parameters
    ----------
    log_mass : ndarray
        log10 of the mean mass of the hosts in the slice of mass of the cell [Msun/h].
    number : ndarray
        Number of hosts.
    upper : ndarray of bool
        Whether they are above the split in the second property.
    subhalos : ndarray of int
        Subhalos of each host; -1 where satellites are made.
    set_of : ndarray of int
        Number of the set of hosts near in mass, whose galaxies assembly bias only moves.
    class_of : ndarray of int
        Number of the class of hosts: of mass, and of the half.
    classes : int
        Number of classes of hosts.
    split : float
        Share of hosts of a mass below the split.
    """

    log_mass: Array
    number: Array
    upper: Array
    subhalos: Array
    set_of: Array
    class_of: Array
    classes: int
    split: float

    @classmethod
    def of(
        cls, mass: Array, upper: Array, subhalos: Array, split: float = 0.5
    ) -> tuple[Hosts, Array]:
        """Return the cells of hosts, and the class of each host.

        Parameters
        ----------
        mass : ndarray, shape (h,)
            [Msun/h], positive.
        upper : ndarray of bool, shape (h,)
        subhalos : ndarray of int, shape (h,)
        split : float
        """
        thin = np.floor(np.log10(mass) / CELL_WIDTH + 1e-9).astype(np.int64)
        keys = np.stack([thin, upper.astype(np.int64), subhalos], axis=1)
        cells, cell = np.unique(keys, axis=0, return_inverse=True)
        cell = cell.ravel()
        number = np.bincount(cell, minlength=len(cells)).astype(np.float64)
        wide = np.stack([cells[:, 0] // _PER_CLASS, cells[:, 1]], axis=1)
        names, class_of = np.unique(wide, axis=0, return_inverse=True)
        slice_of = np.unique(cells[:, 0], return_inverse=True)[1]
        log_mass = np.log10(np.bincount(slice_of[cell], mass) / np.bincount(slice_of[cell]))
        class_of = class_of.ravel()
        hosts = cls(
            log_mass[slice_of],
            number,
            cells[:, 1].astype(np.bool_),
            cells[:, 2],
            _sets(wide[:, 0], number, cells[:, 1]),
            class_of,
            len(names),
            split,
        )
        return hosts, class_of[cell]

    @property
    def in_class(self) -> Array:
        """Number of hosts in each class, shape (classes,)."""
        return np.bincount(self.class_of, self.number, minlength=self.classes)

    def mean(self, values: Array) -> Array:
        """Return the mean over the hosts of each class, shape (p, classes), of values (p, n)."""
        return np.asarray(_sums(values * self.number, self.class_of) / self.in_class)


class Numbers(NamedTuple):
    """Mean numbers of galaxies for p sets of parameters.

    Parameters
    ----------
    central, satellite : ndarray, shape (p, cells)
        Of each host in a cell.
    occupation : ndarray, shape (p, 2 * classes)
        Of centrals in each class of hosts, and of satellites.
    total, satellites : ndarray, shape (p,)
        Of all galaxies in the box, and of satellites.
    squares : ndarray, shape (p,)
        Sum of the squared probabilities of galaxies that can be there once: n (n - 1) for n
        galaxies is ``total**2`` less this, on average.
    above : ndarray, shape (p, m)
        Of all galaxies in the box above m stellar masses.
    """

    central: Array
    satellite: Array
    occupation: Array
    total: Array
    satellites: Array
    squares: Array
    above: Array


def numbers(
    hosts: Hosts,
    model: str,
    values: Mapping[str, Array],
    *,
    modulated: bool = False,
    log_stellar_mass: Sequence[float] = (),
) -> Numbers:
    """Return the mean numbers of galaxies in hosts.

    Parameters
    ----------
    hosts : Hosts
    model : str
        ``"zheng07"``, ``"abacushod"`` or ``"leauthaud11"``.
    values : mapping of str to ndarray, shape (p,)
        The parameters, in the unit of the model, and `A_cen`, `A_sat` and `f_ic`.
    modulated : bool
        Whether the number of satellites of zheng07 is multiplied by that of centrals.
    log_stellar_mass : sequence of float
        For leauthaud11: log10 of stellar masses [Msun/h^2]; galaxies are above the first.

    Returns
    -------
    Numbers
        Those of `mockgal.painters.halotools`, whose formulae are Zheng, Coil & Zehavi 2007
        (astro-ph/0703457), equations 2 and 5, Yuan et al. 2022 (arXiv:2110.11412), equations 2
        and 3, and Leauthaud et al. 2011 (`mockgal.fitting.tables.leauthaud11`); with assembly bias,
        Hearin et al. 2016 (arXiv:1512.03050).
    """
    at = {name: np.asarray(value, dtype=np.float64)[:, None] for name, value in values.items()}
    masses, mass = np.unique(hosts.log_mass, return_inverse=True)
    shares: tuple[Array, Array] | None = None
    if model == "leauthaud11":
        at_masses = above(at, masses, np.array(log_stellar_mass, dtype=np.float64))
        by_mass = tuple(values[:, 0] for values in at_masses)
        shares = _shares(*at_masses)
    else:
        if model == "abacushod":
            at |= _of_abacushod(at)
        by_mass = _zheng07(at, masses, modulated or model == "abacushod")
    central, satellite = (values[:, mass] for values in by_mass)
    of_subhalos = hosts.subhalos >= 0
    most = np.where(of_subhalos, hosts.subhalos, math.inf)
    satellite = np.minimum(satellite, most)
    if hosts.upper.any():
        central = _decorated(hosts, central, at["A_cen"], 1.0)
        satellite = _decorated(hosts, satellite, at["A_sat"], most)
    each = np.maximum(hosts.subhalos, 1)
    share = np.where(of_subhalos, satellite / each, 0.0)
    central, satellite, share = (at["f_ic"] * x for x in (central, satellite, share))
    satellites = (satellite * hosts.number).sum(axis=1)
    beyond = np.empty((len(central), 0))
    if shares is not None:
        beyond = sum(
            np.einsum("pmn,pn->pm", part, _by_mass(values * hosts.number, mass, len(masses)))
            for part, values in zip(shares, (central, satellite), strict=True)
        )
    return Numbers(
        central,
        satellite,
        np.concatenate([hosts.mean(central), hosts.mean(satellite)], axis=1),
        (central * hosts.number).sum(axis=1) + satellites,
        satellites,
        ((central**2 + each * share**2) * hosts.number).sum(axis=1),
        np.asarray(beyond),
    )


def _shares(central: Array, satellite: Array) -> tuple[Array, Array]:
    """Return the shares of galaxies above each stellar mass among those above the first."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return tuple(  # type: ignore[return-value]
            np.where(all_above[:, :1] > 0, all_above / all_above[:, :1], 0.0)
            for all_above in (central, satellite)
        )


def _by_mass(values: Array, mass: Array, masses: int) -> Array:
    """Return sums over the cells of each mass, shape (p, masses)."""
    return np.stack([np.bincount(mass, row, minlength=masses) for row in values])


def _of_abacushod(at: Mapping[str, Array]) -> dict[str, Array]:
    """Return the parameters of AbacusHOD as those of Zheng et al. 2007."""
    with np.errstate(divide="ignore"):
        log_m0 = np.where(at["kappa"] > 0, at["logM_cut"] + np.log10(at["kappa"]), 0.0)
    return {
        "logMmin": at["logM_cut"],
        "sigma_logM": math.sqrt(2.0) * at["sigma"],
        "logM0": np.maximum(0.0, log_m0),
    }


def _zheng07(at: Mapping[str, Array], log_mass: Array, modulated: bool) -> tuple[Array, Array]:
    from scipy.special import erf

    central = 0.5 * (1.0 + erf((log_mass - at["logMmin"]) / at["sigma_logM"]))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        above = 10.0 ** (log_mass - at["logM1"]) - 10.0 ** (at["logM0"] - at["logM1"])
        satellite = np.where(above > 0, np.maximum(above, 0.0) ** at["alpha"], 0.0)
    return central, satellite * central if modulated else satellite


def _decorated(hosts: Hosts, mean: Array, strength: Array, most: float | Array) -> Array:
    """Return mean numbers with assembly bias, whose sum over a set of hosts is as before.

    As `mockgal.painters.halotools.decoration` does it, for other sets of hosts near in mass: of the
    two changes, up and down, the larger is reduced and the smaller increased by one factor.
    """
    upper, ratio = hosts.upper, hosts.split / (1.0 - hosts.split)
    room = np.where(
        strength > 0, np.minimum(most - mean, mean * ratio), np.minimum(mean, (most - mean) * ratio)
    )
    up, down = strength * room, strength * room / ratio
    up_of = _sums(up * hosts.number * upper, hosts.set_of)
    down_of = _sums(down * hosts.number * ~upper, hosts.set_of)
    with np.errstate(divide="ignore", invalid="ignore"):
        by = np.where((up_of == 0) | (down_of == 0), 1.0, down_of / up_of)[:, hosts.set_of]
        most_up = np.where(strength == 0, 1.0, 1.0 / np.abs(strength))
    more_up = np.minimum(np.minimum(np.sqrt(by), most_up), most_up * by)
    decorated = mean + np.where(upper, up * more_up, -down * more_up / by)
    return np.asarray(np.clip(decorated, 0.0, most))


def _sets(wide: Array, number: Array, upper: Array) -> Array:
    """Return a set of hosts for each cell: classes of mass, joined until there are enough hosts.

    From the heaviest on, each has as many hosts as the least of `BALANCED`, and some in both halves
    if there are any.
    """
    bins, bin_of = np.unique(wide, return_inverse=True)
    bin_of = bin_of.ravel()
    halves = np.stack(
        [np.bincount(bin_of, number * half, minlength=len(bins)) for half in (upper, 1 - upper)]
    )
    set_of, current, held = np.zeros(len(bins), dtype=np.int64), 0, np.zeros(2)
    for i in reversed(range(len(bins))):
        set_of[i] = current
        held = held + halves[:, i]
        if held.sum() >= BALANCED[0] and (held.all() or not upper.any()):
            current, held = current + 1, np.zeros(2)
    if current and held.any():
        set_of[set_of == current] = current - 1
    return set_of[bin_of]


def _sums(values: Array, group: Array) -> Array:
    """Return sums of values, shape (p, n), over groups that all have some, shape (p, groups)."""
    order = np.argsort(group, kind="stable")
    first = np.flatnonzero(np.diff(group[order], prepend=-1))
    return np.asarray(np.add.reduceat(values[:, order], first, axis=1))
