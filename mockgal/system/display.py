"""How objects are displayed: a few lines at a prompt, a small table in a notebook.

Also `simulation_facts`, which reports and the provenance of outputs share.

Only counts and names are shown: no column except `is_central` is computed, joined or read, and no
array is printed. Names come from files, so they are shortened, and escaped in HTML.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..errors import printable

Lines = list[tuple[str, str]]

_MOST = 160  # characters of a line
_MOST_NAMES = 24


class Shown:
    """An object that is displayed as a title and some lines, which `_lines` returns."""

    def _lines(self) -> tuple[str, Lines]:
        raise NotImplementedError

    def __repr__(self) -> str:
        title, lines = self._lines()
        width = max((len(name) for name, _ in lines), default=0)
        return "\n".join([_short(title), *(f"  {name:<{width}}  {_short(x)}" for name, x in lines)])

    def _repr_html_(self) -> str:
        """Return the title and the lines as a table, for notebooks."""
        title, lines = self._lines()
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th>"
            f"<td style='text-align:left'>{html.escape(_short(x))}</td></tr>"
            for name, x in lines
        )
        return f"<div><strong>{html.escape(_short(title))}</strong><table>{rows}</table></div>"


def _short(text: object) -> str:
    """Return ``text`` on one line of bounded length."""
    line = printable(str(text)[: 4 * _MOST])
    return line if len(line) <= _MOST else line[: _MOST - 3] + "..."


def listed(names: Iterable[str]) -> str:
    """Return names separated by commas; if there are many, the first ones and how many follow."""
    names = list(names)
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _mapping(value: object) -> Mapping[str, Any]:
    """Return ``value`` if it is a mapping, else an empty one: provenance may hold anything."""
    return value if isinstance(value, Mapping) else {}


def _counts(noun: str, columns: Mapping[str, Any]) -> str:
    """Return the number of rows, and of centrals and satellites if the columns tell them apart.

    Halos always have `is_central`; their other columns may be `Deferred` or `Joined`.
    """
    if "is_central" not in columns:
        return f"{len(next(iter(columns.values()), ())):,} {noun}"
    central = columns["is_central"]
    n, centrals = len(central), int(np.count_nonzero(central))
    return f"{n:,} {noun}: {centrals:,} centrals, {n - centrals:,} satellites"


def _box(snapshot: Any) -> str:
    c = snapshot.cosmology
    return (
        f"{place(snapshot)}, "
        f"h = {c.h:g}, Omega_m = {c.omega_m:g}, Omega_Lambda = {c.omega_lambda:g}"
    )


def place(snapshot: Any) -> str:
    """Return where and when the halos are: ``"box 100 Mpc/h, redshift 0.5"``."""
    box = f"box {snapshot.box_size:.6g} Mpc/h"
    if snapshot.light_cone is None:
        return f"{box}, redshift {round(snapshot.redshift, 9):.4g}"
    low, high = snapshot.redshifts
    return f"light cone through copies of a {box}, redshift {low:.4g} to {high:.4g}"


def snapshot(of: Any) -> tuple[str, Lines]:
    """Return the title and the lines of a `Snapshot`."""
    mass = "unknown" if of.particle_mass is None else f"{of.particle_mass:.6g} Msun/h"
    lines = [("box", _box(of)), ("particle mass", mass)]
    lines += [("files", f"{len(of.source)}")] * bool(of.source)
    lines += [("recorded", listed(of.record))] * bool(of.record)
    return f"Snapshot {of.name} ({of.format})", lines


def halos(of: Any) -> tuple[str, Lines]:
    """Return the title and the lines of a `HaloCatalog`."""
    lines = [("host mass", of.mass_definition), ("columns", listed(of.columns))]
    return "HaloCatalog of " + _counts("subhalos", of.columns), lines


def scene(of: Any) -> tuple[str, Lines]:
    """Return the title and the lines of a `Scene`."""
    matter = []
    if of.particles is not None:
        matter.append(f"{of.particles.count:,} particles")
    if of.field is not None:
        matter.append(f"density on {of.field.grid_size}^3 voxels ({of.field.assignment})")
    lines = [
        ("box", _box(of.snapshot)),
        ("halos", _counts("subhalos", of.halos.columns)),
        ("host mass", of.halos.mass_definition),
        ("matter", ", ".join(matter) or "none: halos only"),
    ]
    return f"Scene of {of.snapshot.name} ({of.snapshot.format})", lines


def galaxies(of: Any) -> tuple[str, Lines]:
    """Return the title and the lines of a `GalaxyCatalog`."""
    provenance = of.provenance
    painter = _mapping(provenance.get("painter"))
    facts = [str(painter.get("name", "not stated"))]
    facts += [f"{k} {painter[k]}" for k in ("model", "calibration", "weights") if k in painter]
    facts += [f"seed {provenance['seed']}"] if "seed" in provenance else []
    cuts = provenance.get("cuts")
    cuts = cuts if isinstance(cuts, list | tuple) else []
    lines = [
        ("simulation", of.snapshot.name),
        ("box", _box(of.snapshot)),
        ("painter", ", ".join(facts)),
        ("cuts", "; ".join(str(_mapping(cut).get("cut", cut)) for cut in cuts) or "none"),
        ("columns", listed(of.columns)),
    ]
    warnings = provenance.get("warnings")
    if isinstance(warnings, list | tuple) and warnings:
        lines.append(("warnings", f'{len(warnings)}, in .provenance["warnings"]'))
    return "GalaxyCatalog of " + _counts("galaxies", of.columns), lines


def measurement(of: Any) -> tuple[str, Lines]:
    """Return the title and the lines of a `Measurement`."""

    def named(column: str) -> str:
        unit = of.fields[column].unit
        return f"{column} [{unit}]" if unit else column

    catalogue = _mapping(of.settings.get("catalogue"))
    lines = [
        ("bins", f"{len(of)} in {named(of.axis)}"),
        ("estimates", listed(map(named, of.estimates)) + ", each with its ..._error"),
        ("count", of.count),
    ]
    if "errors" in of.settings:
        lines.append(("errors", str(of.settings["errors"])))
    if catalogue:
        what = f"{catalogue.get('galaxies', '?')} galaxies of {catalogue.get('simulation', '?')}"
        lines.append(("catalogue", what))
    return f"Measurement of {of.statistic}", lines


def simulation_facts(scene: Any) -> dict[str, Any]:
    """Return the facts of a simulation for reports and provenance, as plain JSON values."""
    snapshot = scene.snapshot
    return {
        "name": snapshot.name,
        "format": snapshot.format,
        "box_size_mpc_h": snapshot.box_size,
        "redshift": snapshot.redshift,
        "cosmology": snapshot.cosmology.to_dict(),
        "particle_mass_msun_h": snapshot.particle_mass,
        "mass_definition": scene.halos.mass_definition,
        **({} if snapshot.light_cone is None else {"light_cone": light_cone(snapshot)}),
    }


def light_cone(snapshot: Any) -> dict[str, Any]:
    """Return the facts of a light cone, as plain JSON values."""
    observer, redshifts = snapshot.light_cone
    return {"observer_mpc_h": list(observer), "redshifts": list(redshifts)}
