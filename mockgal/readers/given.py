"""Properties of a run that the user may state where a file does not.

They are box size, redshift, cosmology and particle mass. An option never overrides a file: one that
contradicts the file is refused. `check` also refuses an option that the reader did not use, for it
differs from what was read, or what was read has no such value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingDatasetError, UnitsError, UsageError
from ..layout import is_of_a_table
from ..protocols import ReadOptions
from ..types import Scene, Snapshot
from .checks.regions import SLAB
from .stated_cosmology import SAME, SAME_PARTICLE, flag, ways_to_state


class Fact(NamedTuple):
    """A number that the user may state.

    Parameters
    ----------
    example : str
        Example of the option's value.
    above : float
        Lower limit, excluded.
    unit : str
        Unit in `ReadOptions`.
    """

    example: str = "VALUE"
    above: float = 0.0
    unit: str = ""


FACTS = {
    "box_size": Fact('"1000 Mpc/h"', 0.0, "Mpc/h"),
    "redshift": Fact(above=-1.0),
    "h": Fact(),
    "omega_m": Fact(),
    "omega_lambda": Fact(),
    "particle_mass": Fact('"1e9 Msun/h"', 0.0, "Msun/h"),
}
COSMOLOGY = ("h", "omega_m", "omega_lambda")
OF_COMPASO = ("superslab", "uncleaned")  # options that only its reader uses
IN_ONE_PIECE = ("rockstar", "quijote", "halotools")  # cannot be read in part, nor can any table
_LEAST_EMPTY = 0.01  # of a side: a smaller gap may be rounding of the box size
_FEWEST = 10  # hosts: fewer may all be close together


def flags(names: Iterable[str]) -> str:
    """Return the options for these facts, each with an example value."""
    return " ".join(f"{flag(name)} {FACTS[name].example}" for name in names)


def complete(
    where: str,
    stated: Mapping[str, float | None],
    options: ReadOptions,
    *,
    expected: str,
    otherwise: str = "",
) -> tuple[dict[str, float], list[str]]:
    """Take the facts that a file does not state from the options.

    Parameters
    ----------
    where : str
        Where the file would state them, for the message.
    stated : mapping of str to float or None
        The file's values, by the names in `FACTS`; None where the file has none.
    options : ReadOptions
    expected : str
        What is needed and how a file states it, for the message.
    otherwise : str, optional
        Another remedy beside the options, for the message.

    Returns
    -------
    dict of str to float
        All of ``stated``, completed.
    list of str
        Names of the facts that the user stated.

    Raises
    ------
    MissingDatasetError
        Neither the file nor the user states a fact; the message names the options.
    UsageError
        The user states an impossible value.
    """
    in_file = {name: value for name, value in stated.items() if value is not None}
    lacking = [name for name in stated if name not in in_file]
    taken = [name for name in lacking if getattr(options, name) is not None]
    missing = [name for name in lacking if name not in taken]
    if missing:
        raise MissingDatasetError(
            where,
            "no " + ", ".join(missing),
            expected,
            f"give {flags(missing)}" + f"; or {otherwise}" * bool(otherwise),
        )
    return in_file | {name: _value(name, options) for name in taken}, taken


def optional(
    name: str, stated: float | None, options: ReadOptions
) -> tuple[float | None, list[str]]:
    """Return an optional fact: the file's value, or else the user's.

    Returns
    -------
    float or None
    list of str
        The name, if the value is the user's.

    Raises
    ------
    UsageError
        The user states an impossible value.
    """
    if stated is not None or getattr(options, name) is None:
        return stated, []
    return _value(name, options), [name]


def _value(name: str, options: ReadOptions) -> float:
    """Return the user's value, finite and in range; `Cosmology` checks its own parameters."""
    value = float(getattr(options, name))
    if name not in COSMOLOGY and not FACTS[name].above < value < np.inf:
        raise UsageError(
            flag(name), f"{value}", f"a number above {FACTS[name].above:g}", f"correct {flag(name)}"
        )
    return value


def check(snapshot: Snapshot, options: ReadOptions, place: str) -> None:
    """Raise if the user's facts differ from what was read.

    Parameters
    ----------
    snapshot : Snapshot
    options : ReadOptions
    place : str
        The input, for the message.

    Raises
    ------
    UsageError
        The file states another value, or the reader did not use the user's.
    """
    for name, fact in FACTS.items():
        user = getattr(options, name)
        if user is None:
            continue
        unit = f" {fact.unit}" * bool(fact.unit)
        if name in COSMOLOGY:
            allowed = ways_to_state(snapshot.cosmology, name)
        else:
            allowed = [own] if (own := getattr(snapshot, name)) is not None else []
        if not allowed:
            found = f"none: the reader of {snapshot.format} does not use it"
        elif any(abs(user - own) <= _tolerance(name, own) for own in allowed):
            continue
        else:
            found = " or ".join(f"{own:.6g}{unit}" for own in allowed) + f", as {place} says"
        raise UsageError(flag(name), f"{user:g}{unit}", found, f"leave {flag(name)} out")


def check_choices(scene: Scene, options: ReadOptions, place: str) -> None:
    """Raise if the user's choices differ from what was read, or the format does not offer them.

    Parameters
    ----------
    scene : Scene
    options : ReadOptions
    place : str
        The input, for the message.

    Raises
    ------
    UsageError
        The reader did not follow a choice.
    """
    record = scene.snapshot.record
    stars = options.stellar_mass_definition
    if stars is not None and record.get("stellar_mass_definition") != stars:
        raise UsageError(
            "--stellar-mass-definition",
            repr(stars),
            f"{record.get('stellar_mass_definition', 'none, because the run has no stars')}, as in "
            f"{place}",
            "leave it out, or read the original catalogue",
        )
    if options.columns is not None and not is_of_a_table(record):
        raise UsageError(
            "--columns",
            f"it for {place}",
            f"no such option: the names of {scene.snapshot.format} are known",
            "leave it out",
        )
    definition, own = options.mass_definition, scene.halos.mass_definition
    if definition not in (None, own):
        raise UsageError(
            "--mass-definition", repr(definition), f"{own}, as in {place}", "leave it out"
        )
    for name in OF_COMPASO:
        if getattr(options, name) and scene.snapshot.format != "compaso":
            raise UsageError(
                flag(name),
                f"it for {place}",
                f"no such option: it is for CompaSO, and this is {scene.snapshot.format}",
                "leave it out",
            )
    in_one_piece = scene.snapshot.format in IN_ONE_PIECE or is_of_a_table(scene.snapshot.record)
    if options.allow_missing_chunks and in_one_piece:
        raise UsageError(
            "--allow-missing-chunks",
            f"it for {place}",
            f"no such option: {scene.snapshot.format} is read whole",
            "leave it out",
        )


def _tolerance(name: str, own: float) -> float:
    """Return how far two values of one fact may differ, by rounding of text and of constants."""
    if name == "redshift":  # from a scale factor of five digits
        return SAME * (1 + abs(own))
    return (SAME_PARTICLE if name == "particle_mass" else SAME) * max(abs(own), SAME)


def check_box(
    position: NDArray[np.float64], box_size: float, options: ReadOptions, where: str
) -> None:
    """Raise if host halos do not fill the box that the user states.

    A box that is stated too large is empty at the far edges of x, y and z alike. The probability
    that none of n random halos has a coordinate above f L is f^(3 n). Boxes with a probability
    below exp(-40) are refused, 40 being `mockgal.readers.checks.regions.SLAB`. Clustered halos
    leave larger gaps: in the 300 boxes of CAMELS (25 Mpc/h) and a run of 16 Mpc/h, thinned 93,000
    times to their 30 to 600 most massive hosts and shifted at random, the largest exponent is 15.
    Its frequency falls tenfold for every 4, so that fewer than one complete box in 10^9 is refused.
    A box stated 1.2 times too large is refused from 74 hosts on, one stated 1.05 times too large
    from 274 hosts on.

    `mockgal.readers.checks.values.check_regions` finds slabs that are empty along one axis, and
    `mockgal.readers.checks.values.wrap` finds single positions outside the box.

    Parameters
    ----------
    position : ndarray of float64, shape (n, 3)
        Comoving positions of hosts [Mpc/h]; satellites are left out because they come in groups.
    box_size : float
        [Mpc/h]
    options : ReadOptions
        ``allow_empty_regions`` allows empty far edges.
    where : str
        Where the positions are, for the message.

    Raises
    ------
    UnitsError
        The halos fill a smaller or a larger box.
    """
    finite = position[np.isfinite(position).all(axis=1)]
    if not len(finite):
        return
    edge = box_size / 2 if options.centred_origin else box_size
    reach = float((np.abs(finite) if options.centred_origin else finite).max())
    full = reach / edge
    exponent = -3 * len(finite) * np.log(max(full, 1e-30))
    empty = full < 1 - _LEAST_EMPTY and len(finite) >= _FEWEST and exponent > SLAB
    # `wrap` also finds an undeclared origin at the centre of the box.
    centred = not options.centred_origin and finite.min() < -_LEAST_EMPTY * box_size
    too_large = empty and not centred and not options.allow_empty_regions
    # Half of the points that fill a box have all three coordinates below 0.8 of its side.
    too_small = np.median(np.abs(finite).max(axis=1)) > box_size
    if too_large or too_small:
        thousands = round(np.log10(max(full, 1e-30)) / 3)
        hint = f"; it is off by about 1000^{thousands} (kpc against Mpc)" if thousands else ""
        fix = f"give the side of the box in Mpc/h with {flag('box_size')}{hint}"
        if too_large and not thousands:
            fix += "; if the box is truly empty there, use --allow-empty-regions"
        raise UnitsError(
            where,
            f"halos that reach to {reach:.6g} Mpc/h in a box of {box_size:.6g} Mpc/h",
            "halos that fill the box",
            fix,
        )
