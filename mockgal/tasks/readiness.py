"""What each painter can do with a simulation: every way that is listed has been tried."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from os import PathLike
from typing import Any

from .. import registry
from ..errors import MockgalError, listening, shell_word
from ..layout import MASS_DEFINITIONS_IN_FILE
from ..painters.choose import make_painter
from ..protocols import Painter, check_contents
from ..types import Scene
from .build import read

_FLAGGED = ("allow_extrapolation", "missing_twin")  # options that accept invalid use


class Readings:
    """A simulation as it was read, and read again for other definitions of host mass.

    Parameters
    ----------
    sim : Scene
    path, format, options
        The arguments that it was read with.
    """

    def __init__(
        self, sim: Scene, path: object, format: str | None, options: Mapping[str, Any]
    ) -> None:
        self.sim, self.path, self.format, self.options = sim, path, format, options
        self._again: dict[str, Scene] = {}  # at most one: each may be as large as ``sim``
        self._refused: dict[str, MockgalError] = {}

    @property
    def others(self) -> tuple[str, ...]:
        """Other definitions of host mass in the input; empty if the user chose one."""
        if "mass_definition" in self.options:
            return ()
        in_file = self.sim.snapshot.record.get(MASS_DEFINITIONS_IN_FILE, ())
        return tuple(name for name in in_file if name != self.sim.halos.mass_definition)

    def with_masses(self, definition: str) -> Scene:
        """Return the simulation with host masses of another definition.

        Raises
        ------
        MockgalError
            The input cannot be read with this definition.
        """
        if definition in self._refused:
            raise self._refused[definition]
        if definition not in self._again:
            self._again.clear()  # before the next one takes memory
            options = {**self.options, "mass_definition": definition}
            try:
                with listening(quiet=True):
                    self._again[definition] = read(self.path, format=self.format, **options)
            except MockgalError as error:
                self._refused[definition] = error
                raise
        return self._again[definition]


def readiness(readings: Readings, name: str) -> dict[str, Any]:
    """Return what the painter ``name`` can do with a simulation.

    Parameters
    ----------
    readings : Readings
    name : str
        Name of a painter.

    Returns
    -------
    dict
        ``ready``: whether the painter works within its domain of validity. ``with``: the painter's
        description for the first way that works. ``warnings``: those of that way. ``missing``: why
        the painter's defaults do not work. ``ways``: the options of each way that works, and the
        command (None for objects in memory).
    """
    sim = readings.sim
    state: dict[str, Any] = {"ready": False}
    ways: list[dict[str, Any]] = []
    for family in _candidates(name):
        for options in family:
            valid = not any(option in options for option in _FLAGGED)
            if ways and not valid:
                continue  # a last resort, where nothing else works
            try:
                tried, warnings, described = _first_that_works(readings, name, options)
            except MockgalError as error:
                if not options:
                    state["missing"] = str(error)
                continue
            if valid:
                state["ready"] = True
            if not ways:
                state |= {"with": described, "warnings": warnings}
            definition = tried.halos.mass_definition
            other = {} if tried is sim else {"mass_definition": definition}
            ways.append(
                {
                    "options": dict(options),
                    "mass_definition": definition,
                    "valid": valid,
                    "command": _command(readings, other, name, options),
                }
            )
            break
    return {**state, "ways": ways}


def _candidates(name: str) -> Iterator[tuple[Mapping[str, Any], ...]]:
    """Yield the options to try a painter with: its defaults, then the alternatives it declares."""
    yield ({},)
    yield from getattr(registry.load("painters", name), "alternatives", tuple)()


def _first_that_works(
    readings: Readings, name: str, options: Mapping[str, Any]
) -> tuple[Scene, list[str], dict[str, Any]]:
    """Return the first scene that a painter works on, the warnings, and its description.

    The scene as it was read is tried first, then masses of each other definition. Each definition
    is first tried with the present masses relabelled, so that nothing is read again for a painter
    that fails for other reasons.
    """
    sim = readings.sim
    try:
        return sim, *_try(sim, name, options)
    except MockgalError as first:
        failure = first
    for definition in readings.others:
        try:
            _try(replace(sim, halos=sim.halos.with_mass_definition(definition)), name, options)
            tried = readings.with_masses(definition)
            return tried, *_try(tried, name, options)
        except MockgalError:
            continue
    raise failure


def _try(sim: Scene, name: str, options: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Return the warnings and the painter's description, or raise why it cannot paint."""
    painter = _painter(sim, name, options)
    with registry.guarded("painters", name, "asking what it is"):
        described = painter.describe(sim)
    with listening(quiet=True) as warnings, registry.guarded("painters", name, "trying it"):
        getattr(painter, "check", painter.predict)(sim)  # `check` spares a network's prediction
    return warnings, described


def _painter(sim: Scene, name: str, options: Mapping[str, Any]) -> Painter:
    painter = make_painter(name, dict(options))
    check_contents(painter, sim)
    return painter


def _command(
    readings: Readings, other: Mapping[str, Any], painter: str, options: Mapping[str, Any]
) -> str | None:
    """Return the command that paints with these options; None for objects in memory.

    ``other`` holds reading options beyond those of ``readings``.
    """
    path = readings.path
    if not isinstance(path, str | PathLike):
        return None
    words = ["mockgal", "build", "--sim", str(path)]
    reading = {"format": readings.format, **readings.options, **other}
    everything = {**reading, "painter": painter, **options}
    for key, value in everything.items():
        if value is None or value is False:
            continue
        words.append("--" + key.replace("_", "-"))
        if value is not True:
            words.append(_with_unit(key, value))
    return " ".join(map(shell_word, words))


def _with_unit(key: str, value: object) -> str:
    """Return a value as the command line takes it, with its unit."""
    units = {"box_size": "Mpc/h", "particle_mass": "Msun/h"}
    return f"{value!r} {units[key]}" if key in units and not isinstance(value, str) else str(value)
