"""Doubtful properties of painted galaxies, in numbers: for the record and the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...completeness import KEY as COMPLETENESS
from ...cosmology import Cosmology
from ...errors import DomainError
from ...system.columns.on_disk import blocks_of

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
    number, largest = 0, [-np.inf, -np.inf]
    for flags, *masses in blocks_of(columns, "extrapolated", "stellar_mass", "halo_mass"):
        if here := int(np.count_nonzero(flags)):
            number += here
            largest = [max(a, float(m[flags].max())) for a, m in zip(largest, masses, strict=True)]
    if not number:
        return {}
    summary: dict[str, Any] = {
        "galaxies": number,
        "share": round(number / len(columns["extrapolated"]), 6),
        "largest_stellar_mass_msun_h": largest[0],
        "largest_host_mass_msun_h": largest[1],
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
    share = (cosmology.omega_b or BARYONS * cosmology.omega_m) / cosmology.omega_m
    beyond, impossible, worst = 0, 0, (0.0, 0.0, 0.0)
    for stars, host in blocks_of(columns, "stellar_mass", "halo_mass"):
        known = host > 0
        beyond += int(np.count_nonzero(known & (stars > share * host)))
        rows = np.flatnonzero(known & (stars > host))
        impossible += len(rows)
        if len(rows):
            ratio = stars[rows] / host[rows]
            row = rows[np.argmax(ratio)]
            worst = max(worst, (float(ratio.max()), float(stars[row]), float(host[row])))
    galaxies = len(columns["stellar_mass"])
    if impossible >= max(_LEAST, FEW * galaxies):
        raise DomainError(
            "painted stellar mass",
            f"{impossible} of {galaxies} galaxies with more stars than their host has mass, "
            f"such as {worst[1]:.4g} Msun/h of stars in a host of {worst[2]:.4g} Msun/h",
            "less than the baryons of the host",
            "paint within the range of the law: leave --allow-extrapolation out, take another "
            "calibration or other weights, and check the units of host masses",
        )
    return beyond


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
    painter = provenance.get("painter", {})
    left = extrapolated(columns, painter) if "extrapolated" in columns else {}
    if left:
        number, galaxies = left["galaxies"], len(columns["extrapolated"])
        who = "all" if number == galaxies else f"{number:,} of"
        text = (
            f"{who} {galaxies:,} galaxies ({left['share']:.2%}) are extrapolated: up to "
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
    least, lightest, light, satellites = np.inf, np.inf, 0, 0
    for stars, central in blocks_of(columns, "stellar_mass", "is_central"):
        least = min(least, float(stars[central].min(initial=np.inf)))
    for stars, central in blocks_of(columns, "stellar_mass", "is_central"):
        satellites += int(np.count_nonzero(~central))
        below = stars[~central & (stars < least)]
        light += len(below)
        lightest = min(lightest, float(below.min(initial=np.inf)))
    if not light or not np.isfinite(least):
        return ""
    return (
        f"{light:,} of {satellites:,} satellites have less stellar mass than "
        f"any central of the sample, down to {lightest:.4g} Msun/h: it is taken from the mass "
        "that stripping has left them"
    )
