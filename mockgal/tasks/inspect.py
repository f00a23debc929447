"""Describe a simulation, and what each painter can do with it: `mockgal inspect`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import registry
from ..errors import FormatError, UsageError, listed, printable
from ..layout import COLUMNS_READ, is_of_a_table
from ..protocols import ReadOptions, spelled_out
from ..quantity import stated_facts
from ..readers.tables.quantities import map_text
from ..system.display import light_cone
from ..types import MASS_DEFINITIONS
from .build import read
from .fitting.results import fit_or_none
from .readiness import Readings, readiness


@spelled_out
def inspect(
    path: object,
    *,
    format: str | None = None,
    matter: str | os.PathLike[str] | None = None,
    changed_by_hand: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Describe the simulation or the matter at ``path``, or the mock or fit that mockgal wrote.

    Parameters
    ----------
    path : path-like or object
        See `mockgal.read`.
    changed_by_hand : str, optional
        For a mock: see `mockgal.read_galaxies`.
    format, matter, **options
        See `mockgal.read`.

    Returns
    -------
    dict
        Plain JSON values; masses in Msun/h and lengths in Mpc/h, as the keys state.

    Raises
    ------
    MockgalError
        The path cannot be read, or is none of these.

    Examples
    --------
    >>> facts = mockgal.inspect("catalogs/demo/dark.hdf5")
    >>> facts["kind"], facts["subhalos"], facts["box_size_mpc_h"]
    ('gravity-only', 456, 16.0)
    """
    mock = None
    if isinstance(path, str | os.PathLike):
        a_fit = fit_or_none(
            path, format=format, matter=matter, changed_by_hand=changed_by_hand, **options
        )
        if a_fit is not None:
            return a_fit.facts()
        mock = describe_galaxies(path, changed_by_hand=changed_by_hand)
    if mock is None and changed_by_hand is not None:
        raise UsageError("--changed-by-hand", f"the simulation {path}", "a mock", "leave it out")
    if mock is not None:
        if format is not None or matter is not None or options:
            raise UsageError(
                path, "options for reading a simulation", "none: this is a mock", "leave them out"
            )
        return mock
    if options.get("columns") is not None:
        options["columns"] = map_text(options["columns"])
    try:
        sim = read(path, format=format, matter=matter, **options)
    except FormatError:
        found = _matter_alone(path, options) if format is None and matter is None else None
        if found is None:
            raise
        return found
    snapshot, halos = sim.snapshot, sim.halos
    mass, readings = halos["mass"], Readings(sim, path, format, options)
    return {
        "path": str(Path(path)) if isinstance(path, str | os.PathLike) else type(path).__name__,
        "format": snapshot.format,
        "simulation": snapshot.name,
        "kind": "hydrodynamic" if "stellar_mass" in halos else "gravity-only",
        "files": len(snapshot.source),
        "bytes": sum(file.size for file in snapshot.source),
        "box_size_mpc_h": snapshot.box_size,
        "redshift": snapshot.redshift,
        "light_cone": None if snapshot.light_cone is None else light_cone(snapshot),
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
        "painters": {name: readiness(readings, name) for name, _ in registry.working("painters")},
    }


def columns_read(record: Mapping[str, Any]) -> list[str]:
    """Return a line for each quantity that was read of a table: its columns, unit, who states it.

    Parameters
    ----------
    record : mapping
        Of a snapshot.
    """
    if not is_of_a_table(record):
        return []
    lines = []
    for quantity, stated in record[COLUMNS_READ].items():
        text = f"{quantity} from {listed(stated['from'], none='no column: 0')}"
        if "unit" in stated:
            text += f" [{stated['unit']}, as {stated['unit_from']} states]"
        lines.append(text)
    left_out = record.get("columns_left_out", {})
    lines += [f"{quantity} not read: {why}" for quantity, why in left_out.items()]
    lines.append(f"hosts from {record['hosts_from']}")
    if "facts_file" in record:
        beside = record["facts_file"]
        states = f"facts from {beside['path']} (SHA-256 {beside['sha256'][:16]}): "
        lines.append(states + listed(beside["states"]))
    return lines


def describe_galaxies(
    path: str | os.PathLike[str], *, changed_by_hand: str | None = None
) -> dict[str, Any] | None:
    """Describe a catalogue that `write` or `build` wrote; None if ``path`` is not a catalogue."""
    from ..readers.mocks.reader import describe_galaxies as describe
    from ..readers.mocks.reader import is_catalogue

    if not is_catalogue(path):
        return None
    return describe(path, changed_by_hand=changed_by_hand)


def _matter_alone(path: object, options: dict[str, Any]) -> dict[str, Any] | None:
    """Describe matter that comes without halos; None if ``path`` is something else."""
    from ..readers.matter.describe import describe

    if not isinstance(path, str | os.PathLike):
        return None
    return describe(Path(path), ReadOptions(**stated_facts(ReadOptions(**options)._asdict())))


def as_text(facts: dict[str, Any]) -> str:
    """Return the description as lines for people to read."""
    if facts["kind"] == "mock":
        return _mock_text(facts)
    if facts["kind"] == "matter":
        return _matter_text(facts)
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
            f"= {facts['box_size_mpc_h'] / cosmology['h']:.6g} Mpc, "
            + ("periodic" if facts["light_cone"] is None else "through copies of which it goes"),
        ),
        *_seen_from(facts["light_cone"]),
        ("redshift", f"{round(facts['redshift'], 9):.6g}"),
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
        lines += _painter_lines(name, state)
    read = columns_read(facts["record"])
    lines += [("columns" * (i == 0), text) for i, text in enumerate(read)]
    of_columns = (COLUMNS_READ, "columns_left_out", "hosts_from", "facts_file") if read else ()
    recorded = [
        f"{key} = {value:.6g}" if isinstance(value, float) else f"{key} = {value}"
        for key, value in facts["record"].items()
        if value and key not in ("original_source", *of_columns)
    ]
    lines += [("recorded" * (i == 0), text) for i, text in enumerate(recorded)]
    return "\n".join(f"{key:<15} {printable(value)}" for key, value in lines)


def _seen_from(light_cone: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return the lines on the observer of a light cone; none for a box."""
    if light_cone is None:
        return []
    place = ", ".join(f"{x:g}" for x in light_cone["observer_mpc_h"])
    low, high = light_cone["redshifts"]
    return [
        ("light cone", f"observer at ({place}) Mpc/h"),
        ("seen at", f"redshift {low:.6g} to {high:.6g}"),
    ]


def _painter_lines(name: str, state: dict[str, Any]) -> list[tuple[str, str]]:
    """Return lines that say whether a painter can paint this, and the commands that do."""
    text = "cannot paint this: " + state.get("missing", "")
    if state["ready"]:
        used = [
            f", with {kind} {state['with'][kind]}"
            for kind in ("calibration", "weights", "model")
            if kind in state["with"]
        ]
        text = "can paint this" + "".join(used)
    lines = [(f"painter {name}", text)]
    lines += [("", f"warning: {warning}") for warning in state.get("warnings", [])]
    if state["ready"] and "missing" in state:
        lines.append(("", f"not with its default options: {state['missing']}"))
    for way in state["ways"]:
        how = way["command"] or f"with {way['options']} and host mass {way['mass_definition']}"
        lines.append(("", how if way["valid"] else f"outside its domain of validity: {how}"))
    return lines


def _matter_text(facts: dict[str, Any]) -> str:
    """Return the lines that describe matter without its halos."""
    lines = [("format", f"{facts['format']}, {facts['files']} file(s), {facts['bytes']:,} bytes")]
    if "grid_size" in facts:
        stated = ", ".join(f"{name} {value}" for name, value in facts["stated"].items())
        lines += [
            ("grid", f"{facts['grid_size']}^3 voxels, mean {facts['mean']:.6g}"),
            ("stated", stated or "nothing"),
        ]
    else:
        mass, names = facts.get("particle_mass_msun_h"), ("h", "omega_m", "omega_lambda")
        cosmology = ", ".join(f"{name} = {facts[name]:g}" for name in names if name in facts)
        lines += [
            ("box", f"{facts['box_size_mpc_h']:g} Mpc/h comoving, periodic"),
            ("redshift", f"{round(facts['redshift'], 9):.6g}"),
            ("cosmology", cosmology or "not stated"),
            ("particles", f"{facts['particles']:,}"),
            ("particle mass", "not one for all" if mass is None else f"{mass:.6g} Msun/h"),
            *(("recorded", f"{name} = {value}") for name, value in facts["record"].items()),
        ]
    lines.append(("use", facts["use"]))
    return "\n".join(f"{key:<15} {printable(value)}" for key, value in lines)


def _mock_text(facts: dict[str, Any]) -> str:
    """Return the lines that describe a mock."""
    from ..painters.words import painter_in_words
    from ..precision import in_words as precision_in_words
    from .surveying.words import in_words

    painter, cosmology = facts["painter"], facts["cosmology"]
    h, box, mass = cosmology["h"], facts["box_size_mpc_h"], facts["particle_mass_msun_h"]
    galaxies = f"{facts['rows']:,}"
    if facts["centrals"] is not None:
        satellites = facts["rows"] - facts["centrals"]
        galaxies += f": {facts['centrals']:,} centrals, {satellites:,} satellites"
    stellar = facts["stellar_mass_range_msun_h"]
    missing = []
    if facts["missing_chunks"]:
        missing.append(f"chunks {facts['missing_chunks']} of the simulation")
    if facts["columns_absent"]:
        missing.append("columns " + ", ".join(facts["columns_absent"]))
    columns = [f"{name} [{unit}]" if unit else name for name, unit in facts["columns"].items()]
    ours = registry.is_built_in("mocks", facts["format"])
    checked = ", checksums right" * ours
    kinds = precision_in_words(facts["float32"] or {})
    several = {
        **{key: [text for kind, text in kinds if kind == key] for key in dict(kinds)},
        "columns": [", ".join(columns[i : i + 4]) for i in range(0, len(columns), 4)],
        "cuts": [
            f"{cut.get('cut')}: {cut.get('before')} -> {cut.get('after')}" for cut in facts["cuts"]
        ]
        or ["none"],
        "survey": [
            f"{step}: {text}" for step, texts in in_words(facts["survey"]) for text in texts
        ],
        "inputs": [_input_words(one) for one in facts["inputs"] if isinstance(one, Mapping)],
        "made with": _in_lines(f"{name} {text}" for name, text in facts["made_with"].items()),
        "warnings": facts["warnings"],
        "cite": painter.get("references", []),
    }
    lines = [
        ("format", f"mock, {facts['format']}, {facts['bytes']:,} bytes{checked}"),
        *([("data model", facts["data_model"])] if facts["data_model"] else []),
        ("made by", f"mockgal {facts['version'] or 'of unknown version'}" if ours else "others"),
        ("simulation", facts["simulation"]),
        (
            "box",
            f"{box:g} Mpc/h comoving = {box / h:.6g} Mpc, "
            + ("periodic" if facts["frame"] == "box" else "seen on the sky"),
        ),
        ("redshift", f"{round(facts['redshift'], 9):.6g}"),
        ("cosmology", ", ".join(f"{key} = {value:g}" for key, value in cosmology.items())),
        ("particle mass", "unknown" if mass is None else f"{mass:.6g} Msun/h (dark matter)"),
        ("host mass", facts["host_mass_definition"] or "unknown"),
        ("painter", f"{painter_in_words(painter)}, seed {facts['seed']}"),
        *_law_lines(painter),
        ("galaxies", galaxies),
        (
            "stellar mass",
            "none"
            if stellar is None
            else f"{stellar[0]:.4g} to {stellar[1]:.4g} Msun/h "
            f"= {stellar[0] / h:.4g} to {stellar[1] / h:.4g} Msun",
        ),
        ("complete", facts["completeness"]),
        ("units", f"{facts['units']} in the file" if ours else "converted to h"),
        *((key * (i == 0), text) for key, texts in several.items() for i, text in enumerate(texts)),
        ("missing", "; ".join(missing) or "nothing"),
        ("content", facts["content_digest"]),
    ]
    return "\n".join(f"{key:<15} {printable(value)}" for key, value in lines)


def _law_lines(painter: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return lines on the law of a mock's painter: its digest, or the values of its parameters."""
    from ..painters.halotools.words import parameters_in_words, values_in_words
    from ..painters.words import matching_in_words

    several = {
        "law": [
            f"{kind} {painter.get(kind)}, "
            + ("which comes with mockgal" if painter.get("comes_with_mockgal") else "a user's own")
            + f", digest {str(painter[f'{kind}_digest'])[:16]}"
            for kind in ("calibration", "weights")
            if f"{kind}_digest" in painter
        ],
        "parameters": parameters_in_words(painter),
        "matched": matching_in_words(painter),
        "model": values_in_words(painter.get("parameters")),
        "masses": values_in_words(painter.get("stellar_mass_parameters")),
        "evaluated": [
            f"in tiles of {size}^3 voxels on {painter.get('device')}, precision "
            f"{painter.get('precision')}"
            for size in [painter.get("tile_size")]
            if size is not None
        ],
    }
    return [
        (key * (i == 0), text) for key, texts in several.items() for i, text in enumerate(texts)
    ]


def _input_words(one: Mapping[str, Any]) -> str:
    """Return a line on a file that a mock was made from."""
    text, sha256 = f"{one.get('use')}: {one.get('name')}", str(one.get("sha256") or "")[:16]
    if files := one.get("files"):
        text += f", {f'{files:,} files, ' if files != 1 else ''}{one.get('bytes'):,} bytes"
    return text + (f", SHA-256 {sha256}" if sha256 else "")


def _in_lines(texts: Iterable[str], most: int = 5) -> list[str]:
    """Return texts joined by commas, so many in a line."""
    every = list(texts)
    return [", ".join(every[i : i + most]) for i in range(0, len(every), most)]
