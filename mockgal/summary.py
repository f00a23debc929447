"""What a simulation is, and what each painter could do with it: `mockgal inspect`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from . import registry
from .errors import MockgalError, listening, printable
from .pipeline import make_painter, read
from .types import MASS_DEFINITIONS, Scene


def inspect(
    path: str | os.PathLike[str], *, format: str | None = None, **options: Any
) -> dict[str, Any]:
    """Describe the simulation at ``path``.

    Parameters
    ----------
    path : path-like
        A bundle, one file of a set, or a directory.
    format, **options
        See `mockgal.read`.

    Returns
    -------
    dict
        Plain JSON values; masses in Msun/h, lengths in Mpc/h, as the keys say.
    """
    sim = read(path, format=format, **options)
    snapshot, halos = sim.snapshot, sim.halos
    mass = halos["mass"]
    return {
        "path": str(Path(path)),
        "format": snapshot.format,
        "simulation": snapshot.name,
        "kind": "hydrodynamic" if "stellar_mass" in halos else "gravity-only",
        "files": len(snapshot.source),
        "bytes": sum(file.size for file in snapshot.source),
        "box_size_mpc_h": snapshot.box_size,
        "redshift": snapshot.redshift,
        "cosmology": snapshot.cosmology.to_dict(),
        "particle_mass_msun_h": snapshot.particle_mass,
        "particles": None if sim.particles is None else sim.particles.count,
        "density_grid": None if sim.field is None else sim.field.grid_size,
        "halos": halos.record.get("groups"),
        "subhalos": len(halos),
        "centrals": int(np.sum(halos["is_central"])),
        "satellites": int(np.sum(~halos["is_central"])),
        "subhalo_mass_range_msun_h": [float(mass.min()), float(mass.max())] if len(mass) else None,
        "host_mass_definition": halos.mass_definition,
        "largest_host_mass_msun_h": float(halos["host_mass"].max()) if len(mass) else None,
        "halo_digest": halos.digest(),
        "record": dict(snapshot.record) | dict(halos.record),
        "painters": {name: _readiness(sim, name) for name in registry.names("painters")},
    }


def _readiness(sim: Scene, name: str) -> dict[str, Any]:
    """Whether a painter with its default options can paint ``sim``, and if not, why."""
    try:
        painter = make_painter(name, {})
        missing = painter.needs - sim.contents
        if missing:
            return {"ready": False, "missing": f"no {', '.join(sorted(missing))}"}
        described = painter.describe(sim)
        with listening(quiet=True) as told:
            painter.predict(sim)
    except MockgalError as error:
        return {"ready": False, "missing": str(error)}
    return {"ready": True, "with": described, "warnings": told}


def as_text(facts: dict[str, Any]) -> str:
    """The lines that people read."""
    cosmology = facts["cosmology"]
    matter = []
    if facts["particles"] is not None:
        matter.append(f"{facts['particles']:,} particles")
    if facts["density_grid"] is not None:
        matter.append(f"density on {facts['density_grid']}^3 voxels")
    mass = facts["particle_mass_msun_h"]
    subhalo_range = facts["subhalo_mass_range_msun_h"]
    definition = facts["host_mass_definition"]
    host_mass = f"{definition} ({MASS_DEFINITIONS[definition]})"
    if subhalo_range is not None:
        host_mass += f", up to {facts['largest_host_mass_msun_h']:.4g} Msun/h"
    lines = [
        ("format", f"{facts['format']}, {facts['files']} file(s), {facts['bytes']:,} bytes"),
        ("simulation", f"{facts['simulation']} ({facts['kind']})"),
        (
            "box",
            f"{facts['box_size_mpc_h']:g} Mpc/h comoving "
            f"= {facts['box_size_mpc_h'] / cosmology['h']:.6g} Mpc, periodic",
        ),
        ("redshift", f"{facts['redshift']:.6g}"),
        ("cosmology", ", ".join(f"{key} = {value:g}" for key, value in cosmology.items())),
        ("particle mass", "unknown" if mass is None else f"{mass:.6g} Msun/h (dark matter)"),
        ("matter", ", ".join(matter) or "none: halos only"),
        ("halos", "unknown" if facts["halos"] is None else f"{facts['halos']:,} groups"),
        (
            "subhalos",
            f"{facts['subhalos']:,}: {facts['centrals']:,} centrals, "
            f"{facts['satellites']:,} satellites",
        ),
        (
            "subhalo mass",
            "none"
            if subhalo_range is None
            else f"{subhalo_range[0]:.4g} to {subhalo_range[1]:.4g} Msun/h (bound mass)",
        ),
        ("host mass", host_mass),
    ]
    for name, state in facts["painters"].items():
        if state["ready"]:
            calibration = state["with"].get("calibration")
            text = "can paint this" + (f", with calibration {calibration}" if calibration else "")
        else:
            text = "cannot paint this: " + state["missing"]
        lines.append((f"painter {name}", text))
        lines += [("", f"warning: {warning}") for warning in state.get("warnings", [])]
    recorded = [
        f"{key} = {value:.6g}" if isinstance(value, float) else f"{key} = {value}"
        for key, value in facts["record"].items()
        if value and key != "original_source"
    ]
    lines += [("recorded" * (i == 0), text) for i, text in enumerate(recorded)]
    return "\n".join(f"{key:<15} {printable(value)}" for key, value in lines)
