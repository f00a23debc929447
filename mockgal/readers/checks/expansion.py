"""Statements of a file about the expansion beside H0, Omega_m and Omega_Lambda: used or refused.

Codes have many names for the same parameter; case and underscores are ignored. Statements are w0
and wa of the dark energy; radiation, as Omega_r or by the CMB temperature and N_eff; massive
neutrinos, as Omega_nu or by the sum of their masses; and curvature, which follows from the others
and must agree with them. A tabulated dark energy is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from math import isclose
from typing import Any

from ...errors import HeaderError, shown
from ...system import scalars
from ..hdf5 import headers, safe

# Keys are parameters of `mockgal.cosmology.Cosmology`, or quantities that are converted to them.
NAMES = {
    "w0": ("w0", "w", "w0fld", "w0de", "wde", "darkenergyw0", "darkenergyparam"),
    "wa": ("wa", "wafld", "wade", "darkenergywa"),
    "omega_r": ("omegar", "omegar0", "or0", "omegarad", "omegaradiation"),
    "photons": ("omegag", "omegagamma", "ogamma0", "omegaphoton"),
    "massless": ("omegaur", "omegaurel"),
    "temperature": ("tcmb", "tcmb0", "cmbtemperature", "tcmbk"),
    "n_eff": ("neff", "nur", "nnu"),
    "omega_nu": ("omeganu", "omeganu0", "onu0", "omegancdm", "omeganeutrino", "omeganeutrinos"),
    "masses": ("mnu", "mnuev", "summnu", "mnutot", "mnutotal", "mncdm", "neutrinomass"),
    "flavours": ("mnue", "mnum", "mnut"),
    "curvature": ("omegak", "omegak0", "ok0", "omegacurvature"),
    "table": ("darkenergyfile", "darkenergytable", "wtable", "omegafld"),
}
_OF = {name: key for key, names in NAMES.items() for name in names}

_PHOTONS = 2.472824e-5  # Omega h^2 of photons of 2.7255 K
_KELVIN, _N_EFF = 2.7255, 3.044
PER_N_EFF = 0.22710731766  # density per unit of N_eff, over that of photons: 7/8 (4/11)^(4/3)
_EV = 93.14  # sum of neutrino masses for Omega_nu h^2 = 1 [eV]
_LEAST_H = 0.01
_SAME = 1e-3  # of density parameters
_REPEATED = 1e-5  # relative, between two statements of a number, of which one may be float32
_FIX = "correct it, or remove it if the run had no such component"

Statement = tuple[str, str, Any]  # place, name, value


def meaning(name: str) -> str | None:
    """Return the key of `NAMES` that a name belongs to, or None."""
    return _OF.get(_plain(name))


def _plain(name: str) -> str:
    """Return a name in lower case without underscores."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def in_file(file: safe.File, groups: Iterable[str]) -> list[Statement]:
    """Return the statements among the attributes of groups of an HDF5 file."""
    return [
        (f"{safe.where_of(file, group)}@{name}", name, headers.attribute(file, group, name))
        for group in groups
        for name in headers.names(file, group)
        if meaning(name)
    ]


def further(statements: Iterable[Statement], known: Mapping[str, float | None]) -> dict[str, float]:
    """Return the parameters of `mockgal.cosmology.Cosmology` that follow from statements.

    Parameters
    ----------
    statements : iterable of (str, str, object)
        Statements whose names have no `meaning` are ignored.
    known : mapping of str to float
        h, omega_m and omega_lambda.

    Returns
    -------
    dict of str to float
        ``w0`` and ``wa`` if stated, ``omega_r`` and ``omega_nu`` if not 0, and ``omega_m`` without
        neutrinos if it was stated with them.

    Raises
    ------
    HeaderError
        Values that are no numbers, contradictions, or a dark energy that w0 and wa do not describe.
    """
    found: dict[str, float] = {}
    places: dict[str, str] = {}
    for where, name, value in statements:
        key = meaning(name)
        if key is None:
            continue
        if key == "table":
            _refuse_table(where, value)
            continue
        several = key in ("masses", "flavours")
        numbers = scalars.numbers(where, value) if several else [scalars.number(where, value)]
        number = float(sum(numbers))
        key = _plain(name) if key == "flavours" else key
        if not isclose(found.setdefault(key, number), number, rel_tol=_REPEATED):
            raise HeaderError(where, f"{number:g}", f"{found[key]:g}, as {places[key]} says", _FIX)
        places.setdefault(key, where)
    if flavours := [name for name in NAMES["flavours"] if name in found]:
        found["flavours"] = sum(found[name] for name in flavours)
        places["flavours"] = places[flavours[0]]
    h, omega_m, omega_lambda = (float(known[n] or 0.0) for n in ("h", "omega_m", "omega_lambda"))
    if not _LEAST_H < h < 1 / _LEAST_H:  # `Cosmology` refuses it
        return {}
    result: dict[str, float] = {name: found[name] for name in ("w0", "wa") if name in found}
    if radiation := _radiation(found, h):
        result["omega_r"] = radiation
    neutrinos = _neutrinos(found, places, h)
    if neutrinos:
        result["omega_nu"] = neutrinos
        result["omega_m"] = _without(neutrinos, places, omega_m, omega_lambda + radiation)
    _check_curvature(found, places, result, omega_m, omega_lambda)
    return result


def _refuse_table(where: str, value: Any) -> None:
    text = scalars.scalar(value)
    if text in (0, 0.0, "", "none", "None", "-"):
        return
    raise HeaderError(
        where,
        f"dark energy from a table or a fluid ({shown(value)})",
        "w0 and wa, or a cosmological constant",
        "state w0 and wa instead, if they describe it",
    )


def _radiation(found: Mapping[str, float], h: float) -> float:
    """Return the density parameter of photons and massless neutrinos today."""
    if "omega_r" in found:
        return found["omega_r"]
    per_n_eff = found.get("n_eff", _N_EFF) * PER_N_EFF
    if "photons" in found:
        return found["photons"] + found.get("massless", found["photons"] * per_n_eff)
    if found.get("temperature", 0.0) > 0:
        photons = _PHOTONS * (found["temperature"] / _KELVIN) ** 4 / h**2
        return photons + found.get("massless", photons * per_n_eff)
    return found.get("massless", 0.0)


def _neutrinos(found: Mapping[str, float], places: Mapping[str, str], h: float) -> float:
    """Return the density parameter of massive neutrinos today."""
    masses = found.get("masses", found.get("flavours", 0.0))
    of_masses = masses / _EV / h**2
    flavours = found.get("flavours", masses)
    if abs(flavours - masses) > 0.05 * masses:
        raise HeaderError(places["flavours"], f"{flavours:g} eV", f"{masses:g} eV in all", _FIX)
    stated = found.get("omega_nu", of_masses)
    if masses and abs(stated - of_masses) > max(_SAME, 0.05 * of_masses):
        raise HeaderError(
            places["omega_nu"],
            f"{stated:g}",
            f"{of_masses:.4g}, from masses of {masses:g} eV",
            _FIX,
        )
    return stated


def _without(neutrinos: float, places: Mapping[str, str], omega_m: float, others: float) -> float:
    """Return Omega_m without neutrinos. Codes state either; the universe must be flat with one.

    Raises
    ------
    HeaderError
        The universe is flat with neither.
    """
    excess = omega_m + others - 1.0  # 0 if Omega_m includes the neutrinos, -Omega_nu if not
    if abs(excess) <= 0.25 * neutrinos:
        return omega_m - neutrinos
    if abs(excess + neutrinos) <= 0.25 * neutrinos:
        return omega_m
    place = next(places[key] for key in ("omega_nu", "masses", "flavours") if key in places)
    raise HeaderError(
        place,
        f"massive neutrinos, Omega = {neutrinos:.4g}, in a universe with Omega_m = {omega_m:g} and "
        f"{others:g} in other components, which is flat neither with nor without them in Omega_m",
        "an Omega_m that clearly includes or excludes them",
        "state Omega_m and Omega_Lambda so that all add up to 1, or remove the statement of "
        "neutrinos, if Omega_m counts them as matter that clusters",
    )


def _check_curvature(
    found: Mapping[str, float],
    places: Mapping[str, str],
    result: Mapping[str, float],
    omega_m: float,
    omega_lambda: float,
) -> None:
    if "curvature" not in found:
        return
    others = result.get("omega_r", 0.0) + result.get("omega_nu", 0.0)
    curvature = 1.0 - result.get("omega_m", omega_m) - omega_lambda - others
    if abs(found["curvature"] - curvature) > _SAME:
        raise HeaderError(
            places["curvature"],
            f"{found['curvature']:g}",
            f"{curvature:.4g}, from Omega_m = {omega_m:g} and Omega_Lambda = {omega_lambda:g}",
            "correct the value that is wrong",
        )
