"""Statistics by name: options are checked, and results record what was measured."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

from .. import __version__, registry
from ..completeness import BY_ROWS
from ..errors import UsageError, warn
from ..quantity import in_unit
from ..types import GalaxyCatalog, HaloCatalog, Scene
from .result import Measurement

# The unit of plain numbers for options that have one; texts state their own unit.
UNITS = {
    "k1": "littleh / Mpc",
    "k2": "littleh / Mpc",
    "shell_width": "littleh / Mpc",
    "k_min": "littleh / Mpc",
    "k_max": "littleh / Mpc",
    "k_width": "littleh / Mpc",
    "log_k_width": "dex",
    "bin_width": "dex",
    "r_min": "Mpc / littleh",
    "r_max": "Mpc / littleh",
    "pi_max": "Mpc / littleh",
    "theta_min": "deg",
    "theta_max": "deg",
}
_OF_EACH_GALAXY = ("stellar_to_halo", "satellite_fraction")  # built-in, independent of the volume


def options_of(name: str) -> tuple[str, ...]:
    """Return the names of the options of the statistic ``name``."""
    function = registry.load("statistics", name)
    with registry.guarded("statistics", name, "looking at its options"):
        parameters = inspect.signature(function).parameters.values()
    return tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)


def _takes(name: str, parameter: str) -> bool:
    """Return whether the function of the statistic ``name`` has a parameter."""
    function = registry.load("statistics", name)
    with registry.guarded("statistics", name, "looking at its options"):
        return parameter in inspect.signature(function).parameters


def is_of_two(name: str) -> bool:
    """Return whether the statistic ``name`` is one of two samples: its function takes ``other``."""
    return _takes(name, "other")


def is_on_the_sky(name: str) -> bool:
    """Return whether a statistic is of galaxies on the sky: its function takes ``randoms``."""
    return _takes(name, "randoms")


def takes_hosts(name: str) -> bool:
    """Return whether a statistic counts hosts: its function takes ``hosts``."""
    return _takes(name, "hosts")


def check_randoms(names: Iterable[str], randoms: GalaxyCatalog | None) -> None:
    """Raise if randoms are lacking, or have no effect.

    Raises
    ------
    UsageError
        A statistic on the sky without randoms, or randoms without such a statistic.
    """
    on_the_sky = [name for name in names if is_on_the_sky(name)]
    if not isinstance(randoms, GalaxyCatalog | None):
        raise UsageError(
            "randoms",
            f"a {type(randoms).__name__}",
            "a catalogue of points on the sky",
            "mockgal.read_galaxies(PATH) gives one",
        )
    if randoms is None and on_the_sky:
        raise UsageError(
            f"statistic {', '.join(on_the_sky)}",
            "no randoms",
            "points at random in the same survey",
            "name them: --randoms PATH, in Python randoms=points; "
            "mockgal.survey.randoms.randoms makes some",
        )
    if randoms is not None and not on_the_sky:
        known = [name for name in registry.built_in("statistics") if is_on_the_sky(name)]
        raise UsageError(
            f"statistic {', '.join(names)}",
            "randoms, which have no effect",
            f"a statistic on the sky: {', '.join(known)}",
            "leave --randoms (in Python randoms) out, or measure one of these",
        )


def check_cross(names: Iterable[str], cross: GalaxyCatalog | Scene | None) -> None:
    """Raise if a second sample is lacking, or has no effect.

    Raises
    ------
    UsageError
        A statistic of two samples without a second one, one of pairs of galaxies with matter, or a
        second sample without such a statistic.
    """
    of_two = [name for name in names if is_of_two(name)]
    if not isinstance(cross, GalaxyCatalog | Scene | None):
        raise UsageError(
            "cross",
            f"a {type(cross).__name__}",
            "a catalogue of galaxies, or a simulation for its matter",
            "mockgal.read_galaxies(PATH) or mockgal.read(PATH) gives one",
        )
    if cross is None and of_two:
        raise UsageError(
            f"statistic {', '.join(of_two)}",
            "one sample",
            "two",
            "name the second: --cross PATH, in Python cross=galaxies; for the cross-power with "
            "matter, --cross-matter PATH, in Python cross=sim",
        )
    if cross is not None and not of_two:
        known = ", ".join(name for name in registry.built_in("statistics") if is_of_two(name))
        raise UsageError(
            f"statistic {', '.join(names)}",
            "a second sample, which has no effect",
            f"a statistic of two samples: {known}",
            "leave --cross (in Python cross) out, or measure one of these",
        )
    of_galaxies = [name for name in of_two if not _takes_matter(name)]
    if isinstance(cross, Scene) and of_galaxies:
        raise UsageError(
            f"statistic {', '.join(of_galaxies)}",
            "matter as the second sample",
            "galaxies",
            "measure cross_power with matter, or give galaxies with --cross PATH",
        )


def _takes_matter(name: str) -> bool:
    """Return whether the second sample of a statistic may be the matter of a simulation."""
    function = registry.load("statistics", name)
    return "Scene" in str(inspect.signature(function).parameters["other"].annotation)


def check(names: Iterable[str], options: Mapping[str, Any]) -> None:
    """Raise if a statistic is unknown, or an option belongs to none of the statistics.

    Raises
    ------
    UsageError
        The message lists the known names.
    """
    known = {option for name in names for option in options_of(name)}
    for option in options:
        if option not in known:
            raise UsageError(
                f"statistics {', '.join(names)}",
                f"option {option}",
                "one of " + ", ".join(sorted(known)),
                "leave it out, or measure a statistic that has it",
            )


def values_of(name: str, options: Mapping[str, Any], h: float) -> dict[str, Any]:
    """Return the options of the statistic ``name``, with values as its function takes them.

    Parameters
    ----------
    name : str
    options : mapping
        Options of this and other statistics. Those in `UNITS` may be texts with a unit.
    h : float
        Hubble constant over 100 km/s/Mpc.

    Raises
    ------
    UsageError
        A text is not a number with such a unit, or a value has another type.
    """
    function = registry.load("statistics", name)
    return {
        key: in_unit(key, value, UNITS[key], h)
        if key in UNITS and isinstance(value, str)
        else _checked(key, value, function)
        for key, value in options.items()
        if key in options_of(name)
    }


def measure(
    galaxies: GalaxyCatalog,
    name: str,
    *,
    hosts: HaloCatalog | None = None,
    cross: GalaxyCatalog | Scene | None = None,
    randoms: GalaxyCatalog | None = None,
    **options: Any,
) -> Measurement:
    """Return the statistic ``name`` of a catalogue.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    name : str
        One of ``mockgal.registry.names("statistics")``.
    hosts : HaloCatalog, optional
        The simulation's halos, for statistics per host.
    cross : GalaxyCatalog or Scene, optional
        The second sample, for statistics of two: galaxies, or a simulation for its matter.
    randoms : GalaxyCatalog, optional
        For statistics on the sky: points at random in the survey of the galaxies.
    **options
        Options of the statistic. Those in `UNITS` may be texts with a unit.

    Returns
    -------
    Measurement
        ``settings["catalogue"]`` describes the catalogue, ``settings["cross_catalogue"]`` the
        second sample, ``settings["randoms_catalogue"]`` the randoms.

    Raises
    ------
    UsageError
        The statistic or an option is unknown, a value is not allowed, a catalogue is a part of a
        box, or there is no second sample for a statistic of two, or no randoms for one on the sky.
    """
    function = registry.load("statistics", name)
    check([name], options)
    check_cross([name], cross)
    check_randoms([name], randoms)
    warnings: list[str] = []
    if randoms is None:
        samples = [one for one in (galaxies, cross) if isinstance(one, GalaxyCatalog)]
        warnings = list(dict.fromkeys(text for one in samples for text in _check_whole(one, name)))
    values = values_of(name, options, galaxies.snapshot.cosmology.h)
    per_host = takes_hosts(name)
    if per_host:
        values["hosts"] = hosts
    if cross is not None:
        values["other"] = cross
    if randoms is not None:
        values["randoms"] = randoms
    with registry.guarded("statistics", name, "measuring"):
        result: Measurement = function(galaxies, **values)
        if not isinstance(result, Measurement):
            raise TypeError(f"it returns a {type(result).__name__}, not a Measurement")
    settings = {**result.settings, **galaxies.completeness.settings()}
    if warnings:
        settings["warnings"] = warnings
    if isinstance(cross, GalaxyCatalog):
        settings |= {f"cross_{key}": text for key, text in cross.completeness.settings().items()}
    settings |= asked(galaxies, hosts if per_host else None, cross, randoms, options)
    return replace(result, settings=settings)


def asked(
    galaxies: GalaxyCatalog,
    hosts: HaloCatalog | None,
    cross: GalaxyCatalog | Scene | None,
    randoms: GalaxyCatalog | None,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what the settings of a result say of its samples and of the options given.

    Results of one statistic are the same if these are, whatever is in the files otherwise.

    Returns
    -------
    dict
        Plain JSON values.
    """
    found: dict[str, Any] = {"catalogue": _describe(galaxies)}
    if hosts is not None:
        found["hosts_digest"] = hosts.digest()
    if isinstance(cross, GalaxyCatalog):
        found["cross_catalogue"] = _describe(cross)
    elif cross is not None:
        found["cross_catalogue"] = _describe_matter(cross)
    if randoms is not None:
        found["randoms_catalogue"] = _describe(randoms)
    found["options_given"] = {key: _plain(value) for key, value in sorted(options.items())}
    return found


def _plain(value: Any) -> Any:
    """Return the value of an option as a plain JSON value."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    return float(value) if isinstance(value, Real) else str(value)


def _checked(option: str, value: Any, function: Any) -> Any:
    """Return ``value`` if it has the type that ``function`` declares for the option."""
    kinds = str(inspect.signature(function).parameters[option].annotation).split(" | ")
    allowed = {
        "int": isinstance(value, Integral) and not isinstance(value, bool),
        "float": isinstance(value, Real) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
        "str": isinstance(value, str),
        "None": value is None,
    }
    if not any(allowed.get(kind, True) for kind in kinds):
        raise UsageError(option, repr(value), " or ".join(kinds), "leave it out for the default")
    return value


def _check_whole(galaxies: GalaxyCatalog, name: str) -> list[str]:
    """Raise if the catalogue is a part of a box: densities, pairs and sub-volumes need all of it.

    Rows chosen by index may be a part of the box or of its galaxies: warn, and return the warnings.
    """
    galaxies.snapshot.check_periodic(
        f"measure {name}",
        "measure one of the statistics on the sky, against randoms: --randoms PATH --statistic all",
    )
    for cut in galaxies.provenance.get("cuts", []):
        if "position_" in cut["cut"]:
            raise UsageError(
                "measure",
                f'a catalogue cut by "{cut["cut"]}"',
                "one of the whole periodic box",
                "leave the cut out; mockgal.statistics.power.subvolume is for sub-cubes",
            )
    chosen = any(reason.startswith(BY_ROWS) for reason in galaxies.completeness.lacks)
    if not chosen or name in _OF_EACH_GALAXY:
        return []
    text = (
        f"{name}: rows of the catalogue were chosen by their numbers or a mask; if they are a part "
        "of the box, densities and clustering are wrong, since the volume is that of the whole box"
    )
    warn(text)
    return [text]


def _describe_matter(sim: Scene) -> dict[str, Any]:
    """Return a description of the matter of a simulation as plain JSON values."""
    snapshot = sim.snapshot
    return {
        "mockgal_version": __version__,
        "simulation": snapshot.name,
        "box_size_mpc_h": float(snapshot.box_size),
        "redshift": float(snapshot.redshift),
        "cosmology": snapshot.cosmology.to_dict(),
        "contents": "matter",
        "files": [file.digest for file in snapshot.source],
    }


def _describe(galaxies: GalaxyCatalog) -> dict[str, Any]:
    """Return a description of the catalogue as plain JSON values."""
    snapshot, provenance = galaxies.snapshot, galaxies.provenance
    painter = provenance.get("painter", {})
    return {
        "mockgal_version": __version__,
        "simulation": snapshot.name,
        "box_size_mpc_h": float(snapshot.box_size),
        "redshift": float(snapshot.redshift),
        **({} if snapshot.light_cone is None else {"redshifts": list(snapshot.redshifts)}),
        "cosmology": snapshot.cosmology.to_dict(),
        "galaxies": len(galaxies),
        "content_digest": galaxies.digest(),
        "painter": painter.get("name", "not stated"),
        "calibration": painter.get("calibration", "none"),
        "seed": provenance.get("seed", "none"),
        "cuts": [cut["cut"] for cut in provenance.get("cuts", [])],
        "reading": provenance.get("simulation", {}).get("reading", {}),
        **_made_from(provenance),
    }


def _made_from(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tells mocks of one recipe and simulation from others, whatever their seed."""
    facts = {}
    halos = provenance.get("simulation", {}).get("halo_digest")
    if halos:
        facts["halo_digest"] = halos
    recipe = provenance.get("configuration")
    if isinstance(recipe, dict):
        shared = {key: x for key, x in recipe.items() if key not in ("seed", "survey_seed")}
        text = json.dumps(shared, sort_keys=True, default=str)
        facts["recipe_digest"] = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return facts
