"""Doubtful properties of painted galaxies, in numbers: for the record and the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...completeness import KEY as COMPLETENESS
from ...cosmology import Cosmology
from ...errors import DomainError

Array = NDArray[Any]

BARYONS = 0.157  # share of the matter if a run does not state it: Planck 2018, arXiv:1807.06209
FEW = 0.1  # share of the galaxies that may have more stars than their host has mass
_LEAST = 3


def extrapolated(columns: Mapping[str, Array], described: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many galaxies are extrapolated, and how far; empty if none are.

    Parameters
    ----------
    columns : mapping of str to ndarray
        Columns of the galaxies.
    described : mapping
        The result of `Painter.describe`.

    Returns
    -------
    dict
        Plain JSON values: ``galaxies`` and ``share``, the number and share of extrapolated
        galaxies; the ``largest_stellar_mass_msun_h`` and ``largest_host_mass_msun_h`` among them;
        ``law_to_host_mass_msun_h`` if the law states where it ends; ``outside_domain``, the reasons
        if all are extrapolated.
    """
    chosen = columns["extrapolated"]
    number = int(np.count_nonzero(chosen))
    if not number:
        return {}
    summary: dict[str, Any] = {
        "galaxies": number,
        "share": round(number / len(chosen), 6),
        "largest_stellar_mass_msun_h": float(columns["stellar_mass"][chosen].max()),
        "largest_host_mass_msun_h": float(columns["halo_mass"][chosen].max()),
    }
    reach = described.get("log_mass_range")
    if isinstance(reach, Mapping):
        reach = reach.get("central")
    if reach is None:
        reach = described.get("network", {}).get("domain", {}).get("log_host_mass")
    if reach is not None:
        summary["law_to_host_mass_msun_h"] = float(f"{10.0 ** reach[1]:.4g}")
    if described.get("outside_domain"):
        summary["outside_domain"] = list(described["outside_domain"])
    return summary


def stars_and_baryons(columns: Mapping[str, Array], cosmology: Cosmology) -> int:
    """Return how many galaxies have more stars than their host has baryons on average.

    A few such galaxies are no fault: masses within a radius leave out some of the bound mass, and
    runs without feedback turn most baryons into stars.

    Raises
    ------
    DomainError
        A tenth of the galaxies (and at least 3) have more stars than their host has mass.
    """
    stars, host = columns["stellar_mass"], columns["halo_mass"]
    known = host > 0
    impossible = np.flatnonzero(known & (stars > host))
    if len(impossible) >= max(_LEAST, FEW * len(stars)):
        worst = impossible[np.argmax(stars[impossible] / host[impossible])]
        raise DomainError(
            "painted stellar mass",
            f"{len(impossible)} of {len(stars)} galaxies with more stars than their host has mass, "
            f"such as {stars[worst]:.4g} Msun/h of stars in a host of {host[worst]:.4g} Msun/h",
            "less than the baryons of the host",
            "paint within the range of the law: leave --allow-extrapolation out, take another "
            "calibration or other weights, and check the units of host masses",
        )
    share = (cosmology.omega_b or BARYONS * cosmology.omega_m) / cosmology.omega_m
    return int(np.count_nonzero(known & (stars > share * host)))


def in_words(provenance: Mapping[str, Any], columns: Mapping[str, Array]) -> list[str]:
    """Return what a user must know about the galaxies left after cuts, one line per caveat.

    Parameters
    ----------
    provenance : mapping
        Provenance of the catalogue.
    columns : mapping of str to ndarray
        Its columns, after cuts.
    """
    lines = []
    if not len(columns["stellar_mass"]):
        lines.append("the catalogue is empty")
    flags = columns["extrapolated"] if "extrapolated" in columns else np.zeros(0, dtype=np.bool_)
    number = int(np.count_nonzero(flags))
    if number:
        painter = provenance.get("painter", {})
        left = extrapolated(columns, painter)
        who = "all" if number == len(flags) else f"{number:,} of"
        text = (
            f"{who} {len(flags):,} galaxies ({left['share']:.2%}) are extrapolated: up to "
            f"{left['largest_stellar_mass_msun_h']:.4g} Msun/h of stars, in hosts of up to "
            f"{left['largest_host_mass_msun_h']:.4g} Msun/h"
        )
        if "law_to_host_mass_msun_h" in left:
            text += f"; the law ends at hosts of {left['law_to_host_mass_msun_h']:.4g} Msun/h"
        if "outside_domain" in left:
            text += "; outside its domain: " + "; ".join(map(str, left["outside_domain"]))
        lines.append(text)
    beyond = provenance.get("more_stars_than_baryons", 0)
    if beyond:
        lines.append(
            f"{beyond:,} of {provenance.get('painted', 0):,} painted galaxies have more stars than "
            "their host has baryons"
        )
    faint = _fainter_satellites(provenance.get("painter", {}), columns)
    if faint:
        lines.append(faint)
    lacking = provenance.get("lacking", {})
    complete = provenance.get(COMPLETENESS, {})
    why = complete.get("because", "")
    # only while no cut has replaced this limit
    if lacking and (complete.get("not_complete") or (why and why in lacking["because"])):
        lines.append(
            f"{lacking['share']:.1%} (+- {lacking['uncertainty']:.1%}) of the galaxies that the "
            f"law has are missing: {lacking['because']}"
        )
    return lines


def _fainter_satellites(painter: Mapping[str, Any], columns: Mapping[str, Array]) -> str:
    """Return a line on the satellites of a luminosity sample that are too light to be in it.

    Their stellar masses follow from the bound mass that stripping has left them, but the relation
    is for the mass at infall.
    """
    if painter.get("stellar_mass_law") is None or "is_central" not in columns:
        return ""
    stars, central = columns["stellar_mass"], columns["is_central"]
    if not central.any():
        return ""
    light = stars[~central & (stars < stars[central].min())]
    if not len(light):
        return ""
    return (
        f"{len(light):,} of {np.count_nonzero(~central):,} satellites have less stellar mass than "
        f"any central of the sample, down to {light.min():.4g} Msun/h: it is taken from the mass "
        "that stripping has left them"
    )
