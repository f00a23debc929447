"""Concentrations of hosts: relations from the literature, the catalogue's own, or one number."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import BadValueError, MissingDatasetError, UsageError
from ..types import Scene

Array = NDArray[Any]

CATALOGUE = "catalogue"
CONCENTRATION_RANGE = (0.1, 1000.0)  # covered by the tables of the profile


@dataclass(frozen=True)
class Relation:
    """A fit of log10 c = ``amplitude`` + ``slope`` log10 (M / ``pivot``), c = R / r_s.

    Parameters
    ----------
    definitions : dict
        For each mass definition with a fit, a function of redshift that returns amplitude and
        slope.
    pivot : float
        [Msun/h]
    log_mass : tuple of float
        Range of log10 M [Msun/h] of the fitted halos.
    redshift : float
        Highest redshift of the fitted halos.
    reference : str
    """

    definitions: dict[str, Callable[[float], tuple[float, float]]]
    pivot: float
    log_mass: tuple[float, float]
    redshift: float
    reference: str


def _duffy(a: float, b: float, c: float) -> Callable[[float], tuple[float, float]]:
    return lambda z: (math.log10(a) + c * math.log10(1.0 + z), b)


# CompaSO's halos end at 1.126 times the virial density. The radius where an NFW profile has it is
# 0.952 times the virial one, within 0.5% for concentrations from 4 to 20; the mass within is 2 to
# 4% below the virial one, which is less than 0.4% in concentration.
_COMPASO = 0.952


def _at_edge_of_compaso(
    virial: Callable[[float], tuple[float, float]],
) -> Callable[[float], tuple[float, float]]:
    def fit(redshift: float) -> tuple[float, float]:
        amplitude, slope = virial(redshift)
        return amplitude + math.log10(_COMPASO), slope

    return fit


# Duffy et al.: full sample (relaxed or not), NFW fits, redshifts 0 to 2; table 1 there.
# Dutton & Maccio: eqs. 10 to 13 there; halos of all redshifts fitted are below 10^15 Msun/h.
_DUFFY, _DUTTON_MACCIO = (
    _duffy(7.85, -0.081, -0.71),
    lambda z: (0.537 + (1.025 - 0.537) * math.exp(-0.718 * z**1.08), -0.097 + 0.024 * z),
)  # of virial masses
RELATIONS = {
    "duffy08": Relation(
        {
            "200c": _duffy(5.71, -0.084, -0.47),
            "vir": _DUFFY,
            "200m": _duffy(10.14, -0.081, -1.01),
            "compaso": _at_edge_of_compaso(_DUFFY),
        },
        pivot=2e12,
        log_mass=(11.0, 15.0),
        redshift=2.0,
        reference="Duffy et al. 2008, arXiv:0804.2486",
    ),
    "dutton_maccio14": Relation(
        {
            "200c": lambda z: (
                0.520 + (0.905 - 0.520) * math.exp(-0.617 * z**1.21),
                -0.101 + 0.026 * z,
            ),
            "vir": _DUTTON_MACCIO,
            "compaso": _at_edge_of_compaso(_DUTTON_MACCIO),
        },
        pivot=1e12,
        log_mass=(10.0, 15.0),
        redshift=5.0,
        reference="Dutton & Maccio 2014, arXiv:1402.7073",
    ),
}


@dataclass(frozen=True)
class Concentration:
    """The concentrations of the hosts of one scene.

    Parameters
    ----------
    scene : Scene
    chosen : str or float
        A key of `RELATIONS`, `CATALOGUE`, or a number.
    definition : str
        Mass definition of the hosts' radius.

    Raises
    ------
    UsageError
        The relation was not fitted for the definition.
    MissingDatasetError
        `CATALOGUE` is chosen and the catalogue has no concentrations.
    """

    scene: Scene
    chosen: str | float
    definition: str

    def __post_init__(self) -> None:
        if self.chosen == CATALOGUE and "concentration" not in self.scene.halos:
            raise MissingDatasetError(
                f"simulation {self.scene.snapshot.name}",
                "no column concentration",
                "concentrations of the hosts, for their own mass definition",
                "choose a relation: --concentration " + " or ".join(RELATIONS),
            )
        if self.chosen not in RELATIONS:
            return
        fitted = RELATIONS[str(self.chosen)].definitions
        if self.definition not in fitted:
            others = [name for name, r in RELATIONS.items() if self.definition in r.definitions]
            raise UsageError(
                "populate:concentration",
                f"{self.chosen} for masses that are {self.definition}",
                "a definition that it was fitted for: " + ", ".join(fitted),
                f"choose {' or '.join([*others, CATALOGUE, 'a number'])}, or read the hosts with "
                f"--mass-definition {next(iter(fitted))}",
            )

    def of(self, rows: Array, mass: Array) -> tuple[Array, int]:
        """Return the concentrations of some hosts, and how many hosts are outside the fitted range.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Rows of the hosts.
        mass : ndarray, shape (n,)
            Their host masses [Msun/h], positive.

        Returns
        -------
        ndarray, shape (n,)
        int

        Raises
        ------
        BadValueError
            Concentrations beyond `CONCENTRATION_RANGE`.
        """
        outside = 0
        if self.chosen in RELATIONS:
            relation, z = RELATIONS[str(self.chosen)], self.scene.snapshot.redshift
            amplitude, slope = relation.definitions[self.definition](z)
            log_mass = np.log10(mass)
            value = 10.0 ** (amplitude + slope * (log_mass - math.log10(relation.pivot)))
            low, high = relation.log_mass
            nearest, farthest = self.scene.snapshot.redshifts
            known = nearest >= -1e-6 and farthest <= relation.redshift
            inside = (log_mass >= low) & (log_mass <= high) & known
            outside = len(inside) - int(np.count_nonzero(inside))
        elif self.chosen == CATALOGUE:
            value = self.scene.halos["concentration"][rows]
        else:
            value = np.full(len(rows), float(self.chosen))
        least, most = CONCENTRATION_RANGE
        if len(value) and not (value.min() >= least and value.max() <= most):
            bad = np.flatnonzero(~((value >= least) & (value <= most)))
            ids = self.scene.halos["halo_id"][rows[bad]]
            first = np.argmin(ids)
            raise BadValueError(
                f"{self.scene.snapshot.name}:concentration ({self.chosen})",
                f"{value[bad[first]]:.6g} for host {ids[first]}, which has satellites",
                f"a concentration from {least:g} to {most:g}",
                "choose a relation: --concentration " + " or ".join(RELATIONS),
            )
        return value, outside
