"""Facts of a run that a file may lack and the user may state: box, redshift, cosmology, particles.

What a file states is never overruled: an option that contradicts it is refused. An option that a
reader does not use contradicts what was read, or is missing from it, and is refused in `check` too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingDatasetError, UnitsError, UsageError
from ..protocols import ReadOptions
from ..types import Scene, Snapshot
from .checks.regions import SLAB
from .stated_cosmology import SAME, SAME_PARTICLE, flag, ways_to_state


class Fact(NamedTuple):
    """A number that the user may state.

    Parameters
    ----------
    example : str
        Of the option's value.
    above : float
        What it is larger than.
    unit : str
        That `ReadOptions` holds it in.
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
IN_ONE_PIECE = ("rockstar", "quijote", "halotools")  # formats that are read whole or not at all
_LEAST_EMPTY = 0.01  # of a side: below it a box may be rounded
_FEWEST = 10  # hosts, below which all may be at one place


def flags(names: Iterable[str]) -> str:
    """The options for these facts, each with an example of its value."""
    return " ".join(f"{flag(name)} {FACTS[name].example}" for name in names)


def complete(
    where: str,
    stated: Mapping[str, float | None],
    options: ReadOptions,
    *,
    expected: str,
    otherwise: str = "",
) -> tuple[dict[str, float], list[str]]:
    """Fill in from the options the facts that a file does not state.

    Parameters
    ----------
    where : str
        Where the file would state them, for the message.
    stated : mapping of str to float or None
        By the names in `FACTS`; None for those that the file lacks.
    options : ReadOptions
    expected : str
        What is needed and how a file states it, for the message.
    otherwise : str, optional
        Another way out than the options.

    Returns
    -------
    dict of str to float
        All of ``stated``, completed.
    list of str
        Names of those that are the user's.

    Raises
    ------
    MissingDatasetError
        Neither the file nor the user states some; the message names the options.
    UsageError
        The user states a value that cannot be.
    """
    found = {name: value for name, value in stated.items() if value is not None}
    lacking = [name for name in stated if name not in found]
    taken = [name for name in lacking if getattr(options, name) is not None]
    missing = [name for name in lacking if name not in taken]
    if missing:
        raise MissingDatasetError(
            where,
            "no " + ", ".join(missing),
            expected,
            f"give {flags(missing)}" + f"; or {otherwise}" * bool(otherwise),
        )
    return found | {name: _value(name, options) for name in taken}, taken


def optional(
    name: str, stated: float | None, options: ReadOptions
) -> tuple[float | None, list[str]]:
    """A fact that need not be known: what the file states, else what the user does.

    Returns
    -------
    float or None
    list of str
        The name, if the value is the user's.

    Raises
    ------
    UsageError
        The user states a value that cannot be.
    """
    if stated is not None or getattr(options, name) is None:
        return stated, []
    return _value(name, options), [name]


def _value(name: str, options: ReadOptions) -> float:
    """What the user states, a finite number in its range (of cosmology: see `Cosmology`)."""
    value = float(getattr(options, name))
    if name not in COSMOLOGY and not FACTS[name].above < value < np.inf:
        raise UsageError(
            flag(name), f"{value}", f"a number above {FACTS[name].above:g}", f"correct {flag(name)}"
        )
    return value


def check(snapshot: Snapshot, options: ReadOptions, place: str) -> None:
    """Raise if what the user states is not what was read.

    Parameters
    ----------
    snapshot : Snapshot
    options : ReadOptions
    place : str
        The input, for the message.

    Raises
    ------
    UsageError
        The file states another value, or the reader has not used the user's.
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
    """Raise if what the user chose is not what was read, or is a choice that the format has not.

    Parameters
    ----------
    scene : Scene
    options : ReadOptions
    place : str
        The input, for the message.

    Raises
    ------
    UsageError
        The reader has not followed the user.
    """
    record = scene.snapshot.record
    stars = options.stellar_mass_definition
    if stars is not None and record.get("stellar_mass_definition") != stars:
        raise UsageError(
            "--stellar-mass-definition",
            repr(stars),
            f"{record.get('stellar_mass_definition', 'none, for the run has no stars')}, as in "
            f"{place}",
            "leave it out, or read the original catalogue",
        )
    definition, own = options.mass_definition, scene.halos.mass_definition
    if definition not in (None, own):
        raise UsageError(
            "--mass-definition", repr(definition), f"{own}, as in {place}", "leave it out"
        )
    if options.allow_missing_chunks and scene.snapshot.format in IN_ONE_PIECE:
        raise UsageError(
            "--allow-missing-chunks",
            f"it for {place}",
            f"none: of {scene.snapshot.format} no part is read",
            "leave it out",
        )


def _tolerance(name: str, own: float) -> float:
    """By how much two statements of one fact may differ: rounding of text and of constants."""
    if name == "redshift":  # from a scale factor of five digits
        return SAME * (1 + abs(own))
    return (SAME_PARTICLE if name == "particle_mass" else SAME) * max(abs(own), SAME)


def check_box(
    position: NDArray[np.float64], box_size: float, options: ReadOptions, where: str
) -> None:
    """Raise if host halos do not fill the box that the user states.

    A box stated too large is empty at the far edges of x, y and z alike. Where none of n halos has
    a coordinate above f L, the chance of that, of halos at random, is f^(3 n); refused is what has
    less than exp(-40), 40 being `mockgal.readers.checks.regions.SLAB`. Clustered halos leave more
    empty: of the 300 boxes of CAMELS (25 Mpc/h) and a run of 16 Mpc/h, 93,000 times thinned to
    their 30 to 600 most massive hosts and shifted at random, the largest exponent is 15, and it
    falls tenfold in frequency every 4, so that fewer than one complete box in 10^9 is refused. A
    box stated 1.2 times too large is refused from 74 hosts on, one stated 1.05 times too large from
    274 on.

    Slabs that are empty along one axis are left to `mockgal.readers.checks.values.check_regions`,
    and positions that are out of the box here and there to `mockgal.readers.checks.values.wrap`.

    Parameters
    ----------
    position : ndarray of float64, shape (n, 3)
        Of hosts, for satellites come in groups. Comoving [Mpc/h].
    box_size : float
        [Mpc/h]
    options : ReadOptions
        ``allow_empty_regions`` lets halos be missing at the far edges.
    where : str
        Where the positions are, for the message.

    Raises
    ------
    UnitsError
        They fill a smaller or a larger one.
    """
    finite = position[np.isfinite(position).all(axis=1)]
    if not len(finite):
        return
    edge = box_size / 2 if options.centred_origin else box_size
    reach = float((np.abs(finite) if options.centred_origin else finite).max())
    full = reach / edge
    exponent = -3 * len(finite) * np.log(max(full, 1e-30))
    empty = full < 1 - _LEAST_EMPTY and len(finite) >= _FEWEST and exponent > SLAB
    # Origins at the centre of the box that nothing declares are left to `wrap`, too.
    centred = not options.centred_origin and finite.min() < -_LEAST_EMPTY * box_size
    too_large = empty and not centred and not options.allow_empty_regions
    # Of points that fill a box, most have their three coordinates below 0.8 of it.
    too_small = np.median(np.abs(finite).max(axis=1)) > box_size
    if too_large or too_small:
        thousands = round(np.log10(max(full, 1e-30)) / 3)
        hint = f"; it is off by about 1000^{thousands} (kpc against Mpc)" if thousands else ""
        fix = f"give the side of the box in Mpc/h with {flag('box_size')}{hint}"
        if too_large and not thousands:
            fix += "; if the box is truly empty there, say --allow-empty-regions"
        raise UnitsError(
            where,
            f"halos that reach to {reach:.6g} Mpc/h in a box of {box_size:.6g} Mpc/h",
            "halos that fill the box",
            fix,
        )
