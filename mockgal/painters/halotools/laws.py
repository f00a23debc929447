"""halotools' occupation and stellar-mass models in mockgal's units, and where they are valid.

halotools' halo masses are in Msun/h, as in mockgal. Its stellar masses are in Msun/h^2, since
masses measured from light scale with the square of the distance; they become Msun/h with the h of
the run.

halotools is imported when a model is first made. At import it switches off NumPy's warnings of
division by zero for the whole process; this module restores them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError

Array = NDArray[Any]

THRESHOLDS = (-18.0, -18.5, -19.0, -19.5, -20.0, -20.5, -21.0, -21.5, -22.0)
STELLAR_RANGE = (8.5, 12.5)  # log10 of Msun/h^2 where halotools inverts M_h(M*); linear beyond
_DEFAULT_SCATTER = "halotools' default, which the paper does not give"


class Validity(NamedTuple):
    """Range that a model was published for.

    Parameters
    ----------
    reference : str
    mass_definition : str
        Definition of the halo mass, a key of `mockgal.types.MASS_DEFINITIONS`.
    redshift, log_mass : tuple of float
        Lowest and highest redshift, and log10 of halo mass [Msun/h].
    form : str
        Source of the formulae, if the parameters are another's.
    """

    reference: str
    mass_definition: str
    redshift: tuple[float, float]
    log_mass: tuple[float, float]
    form: str = ""


# Redshifts and log10 of masses [Msun/h] that parameters of the user are taken to be for.
ANY = ((-1.0, 1e5), (0.0, 20.0))

# The mass ranges are those in which the papers show their relations, rounded. Behroozi10 and
# Leauthaud11 begin where halotools' tables do, at M* = 10^8.5 Msun/h^2.
OCCUPATIONS = {
    "zheng07": Validity(
        "Zheng, Coil & Zehavi 2007, arXiv:astro-ph/0703457, table 1 (SDSS)",
        "200m",
        (0.0, 0.25),
        (10.0, 15.0),
        "Zheng, Coil & Zehavi 2007, arXiv:astro-ph/0703457",
    ),
    "leauthaud11": Validity(
        "Leauthaud et al. 2011, arXiv:1103.2077; parameters of Leauthaud et al. 2012, "
        "arXiv:1104.0928, table 5 (SIG_MOD1, z = 0.22 to 0.48)",
        "200m",
        (0.22, 0.48),
        (11.0, 15.0),
        "Leauthaud et al. 2011, arXiv:1103.2077",
    ),
    "abacushod": Validity(
        "",
        "200m",
        *ANY,
        "Yuan et al. 2022, arXiv:2110.11412 (AbacusHOD)",
    ),
}
STELLAR_MASS_LAWS = {
    "behroozi10": Validity(
        "Behroozi, Conroy & Wechsler 2010, arXiv:1001.0015, table 2 (0 < z < 1)",
        "vir",
        (0.0, 1.0),
        (10.9, 15.0),
    ),
    "moster13": Validity(
        "Moster, Naab & White 2013, arXiv:1205.5807, table 1", "200c", (0.0, 4.0), (10.0, 15.0)
    ),
}


@contextmanager
def halotools_switches() -> Iterator[None]:
    """Set NumPy's error handling as halotools wants it, and restore it at the end of the block."""
    with np.errstate(all="ignore"):
        yield


def parameter(value: float, source: str) -> dict[str, Any]:
    """Return a parameter in the form of the record."""
    return {"value": float(value), "source": source}


@dataclass(frozen=True)
class StellarMassLaw:
    """A mean relation of stellar to halo mass, with log-normal scatter.

    Parameters
    ----------
    model : object
        halotools' model.
    scatter : float
        Scatter of stellar mass [dex].
    parameters : dict
        Each parameter with its source: JSON values.
    """

    model: Any
    scatter: float
    parameters: dict[str, dict[str, Any]]

    def log_mean(self, halo_mass: Array, h: float) -> Array:
        """Return log10 of the mean relation [Msun/h] at halo masses [Msun/h], shape (n,)."""
        with halotools_switches():
            mean = np.log10(self.model.mean_stellar_mass(prim_haloprop=halo_mass))
        return np.asarray(mean) - math.log10(h)


@cache
def stellar_mass_law(name: str, redshift: float) -> StellarMassLaw:
    """Return a law of `STELLAR_MASS_LAWS` at a redshift."""
    with halotools_switches():
        from halotools.empirical_models import Behroozi10SmHm, Moster13SmHm

        classes = {"behroozi10": Behroozi10SmHm, "moster13": Moster13SmHm}
        model = classes[name](redshift=redshift)
    source = STELLAR_MASS_LAWS[name].reference
    parameters = {
        key: parameter(value, _DEFAULT_SCATTER if key.startswith("scatter") else source)
        for key, value in model.param_dict.items()
    }
    return StellarMassLaw(model, float(model.param_dict["scatter_model_param1"]), parameters)


@dataclass(frozen=True)
class Occupation:
    """Mean numbers of luminous galaxies in hosts.

    Parameters
    ----------
    central, satellite : object
        halotools' occupation models.
    half_mass : float
        Host mass at which half of the centrals are luminous [Msun/h].
    parameters : dict
        Each parameter with its source: JSON values.
    """

    central: Any
    satellite: Any
    half_mass: float
    parameters: dict[str, dict[str, Any]]

    def centrals(self, host_mass: Array) -> Array:
        """Return the probability of a luminous central at host masses [Msun/h], shape (n,)."""
        with halotools_switches():
            return np.asarray(self.central.mean_occupation(prim_haloprop=host_mass))

    def satellites(self, host_mass: Array) -> Array:
        """Return the mean number of luminous satellites at host masses [Msun/h], shape (n,)."""
        with halotools_switches():
            return np.asarray(self.satellite.mean_occupation(prim_haloprop=host_mass))


Values = tuple[tuple[str, float], ...]  # parameters by name, which can be cached by
GIVEN = "given by the user"


@cache
def zheng07(threshold: float | None, given: Values = (), *, modulated: bool = False) -> Occupation:
    """Return the occupation of Zheng et al. 2007.

    Parameters
    ----------
    threshold : float or None
        Absolute magnitude M_r - 5 log10 h of the faintest galaxies, one of `THRESHOLDS`, whose
        parameters were published: halotools takes any other value for -20. None if all parameters
        are given.
    given : tuple
        Parameters in place of the published ones, in halotools' units.
    modulated : bool
        Whether the number of satellites is multiplied by that of centrals. By halotools' default
        it is not.
    """
    known = THRESHOLDS[0] if threshold is None else threshold
    with halotools_switches():
        from halotools.empirical_models import Zheng07Cens, Zheng07Sats

        central = Zheng07Cens(threshold=known)
        central.param_dict.update((k, v) for k, v in given if k in central.param_dict)
        more = {"cenocc_model": central} if modulated else {}
        satellite = Zheng07Sats(threshold=known, modulate_with_cenocc=modulated, **more)
        satellite.param_dict.update((k, v) for k, v in given if k in satellite.param_dict)
    values = {**satellite.param_dict, **central.param_dict}
    own = dict(given)
    parameters = {
        key: parameter(value, GIVEN if key in own else OCCUPATIONS["zheng07"].reference)
        for key, value in values.items()
    }
    return Occupation(central, satellite, 10.0 ** values["logMmin"], parameters)


def abacushod(given: Values) -> Occupation:
    """Return the occupation of Zheng et al. 2007 with parameters as AbacusHOD has them.

    log Mmin = log M_cut, sigma_logM = sqrt(2) sigma, M0 = kappa M_cut; and the number of satellites
    is multiplied by that of centrals (Yuan et al. 2022, arXiv:2110.11412, eqs. 2 and 3).
    """
    values = dict(given)
    log_m0 = 0.0  # as good as no least mass
    if values["kappa"] > 0:
        log_m0 = max(0.0, values["logM_cut"] + math.log10(values["kappa"]))
    translated = {
        "logMmin": values["logM_cut"],
        "sigma_logM": math.sqrt(2.0) * values["sigma"],
        "logM0": log_m0,
        "logM1": values["logM1"],
        "alpha": values["alpha"],
    }
    return zheng07(None, tuple(translated.items()), modulated=True)


@cache
def leauthaud11(log_floor: float, given: Values = ()) -> Occupation:
    """Return the occupation of Leauthaud et al. 2011 for stellar masses above a floor.

    The parameters are those that were fitted together. halotools' model starts with the relation of
    Behroozi et al. 2010, and its evolution, in place of the one that the satellites' parameters
    belong to; the centrals that multiply the satellites are then at redshift 0, whatever redshift
    is asked for.

    Parameters
    ----------
    log_floor : float
        log10 of the floor [Msun/h^2].
    given : tuple
        Parameters in place of the published ones, in halotools' units: masses are log10 of Msun,
        with h = 0.72.

    Raises
    ------
    UsageError
        Halo mass falls with stellar mass somewhere, so that the relation cannot be inverted.
    """
    with halotools_switches():
        from halotools.empirical_models import Leauthaud11Cens, Leauthaud11Sats

        central = Leauthaud11Cens(threshold=log_floor, redshift=0.0)
        published = central.get_published_parameters()
        fixed = {key: 0.0 for key in central.param_dict if key.endswith("_a")}
        central.param_dict.update(published | fixed)
        central.param_dict.update((k, v) for k, v in given if k in central.param_dict)
        halo = central.mean_log_halo_mass(np.linspace(*STELLAR_RANGE, 100))
        if not np.all(np.diff(halo) > 0):
            raise UsageError(
                "painter hod:parameters",
                "a relation of stellar to halo mass in which halo mass falls with stellar mass",
                "one in which it rises",
                "give other smhm_beta_0, smhm_delta_0 or smhm_gamma_0",
            )
        satellite = Leauthaud11Sats(threshold=log_floor, redshift=0.0, cenocc_model=central)
        satellite.param_dict.update(given)
        half_mass = 10.0 ** float(central.mean_log_halo_mass(log_floor))
    none = "no evolution: the parameters are those of one bin of redshift"
    sources = dict.fromkeys(fixed, none) | dict.fromkeys(dict(given), GIVEN)
    parameters = {
        key: parameter(value, sources.get(key, OCCUPATIONS["leauthaud11"].reference))
        for key, value in satellite.param_dict.items()
    }
    return Occupation(central, satellite, half_mass, parameters)


def satellites_above(log_stellar_mass: Array, host_mass: Array, given: Values = ()) -> Array:
    """Return mean numbers of satellites of Leauthaud et al. 2011 above stellar masses.

    Parameters
    ----------
    log_stellar_mass : ndarray, shape (m,)
        log10 of stellar mass [Msun/h^2].
    host_mass : ndarray, shape (n,)
        Msun/h.
    given : tuple
        See `leauthaud11`.

    Returns
    -------
    ndarray, shape (m, n)
    """
    occupation = leauthaud11.__wrapped__(float(log_stellar_mass[0]), given)  # not the cached one
    numbers = np.empty((len(log_stellar_mass), len(host_mass)))
    for row, threshold in enumerate(log_stellar_mass):
        occupation.central.threshold = occupation.satellite.threshold = float(threshold)
        numbers[row] = occupation.satellites(host_mass)
    return numbers
