"""What each painter can do with a simulation: every way that is named has been tried."""

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

_FLAGGED = ("allow_extrapolation", "missing_twin")  # options that accept what is not valid


class Readings:
    """A simulation as it was read, and read again for masses of another definition.

    Parameters
    ----------
    sim : Scene
    path, format, options
        What it was read with.
    """

    def __init__(
        self, sim: Scene, path: object, format: str | None, options: Mapping[str, Any]
    ) -> None:
        self.sim, self.path, self.format, self.options = sim, path, format, options
        self._again: dict[str, Scene] = {}  # the last one: each may be as large as the first
        self._refused: dict[str, MockgalError] = {}

    @property
    def others(self) -> tuple[str, ...]:
        """Further definitions of the host mass that the input has, if none was asked for."""
        if "mass_definition" in self.options:
            return ()
        in_file = self.sim.snapshot.record.get(MASS_DEFINITIONS_IN_FILE, ())
        return tuple(name for name in in_file if name != self.sim.halos.mass_definition)

    def with_masses(self, definition: str) -> Scene:
        """Return the simulation with host masses of another definition.

        Raises
        ------
        MockgalError
            It cannot be read so.
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
        Of a painter.

    Returns
    -------
    dict
        ``ready``: whether it can be painted without accepting what is not valid. ``with``: what
        the first way that works is. ``warnings``: of that way. ``missing``: why the painter's
        defaults do not work. ``ways``: the options of each way that works, and the command
        (None for objects in memory).
    """
    sim = readings.sim
    state: dict[str, Any] = {"ready": False}
    ways: list[dict[str, Any]] = []
    for family in _candidates(name):
        for wanted in family:
            valid = not any(option in wanted for option in _FLAGGED)
            if ways and not valid:
                continue  # a last resort, where nothing else works
            try:
                tried, told, described = _first_that_works(readings, name, wanted)
            except MockgalError as error:
                if not wanted:
                    state["missing"] = str(error)
                continue
            if valid:
                state["ready"] = True
            if not ways:
                state |= {"with": described, "warnings": told}
            definition = tried.halos.mass_definition
            other = {} if tried is sim else {"mass_definition": definition}
            ways.append(
                {
                    "options": dict(wanted),
                    "mass_definition": definition,
                    "valid": valid,
                    "command": _command(readings, other, name, wanted),
                }
            )
            break
    return {**state, "ways": ways}


def _candidates(name: str) -> Iterator[tuple[Mapping[str, Any], ...]]:
    """The options that a painter is tried with: its defaults, then others that it names."""
    yield ({},)
    yield from getattr(registry.load("painters", name), "alternatives", tuple)()


def _first_that_works(
    readings: Readings, name: str, wanted: Mapping[str, Any]
) -> tuple[Scene, list[str], dict[str, Any]]:
    """The scene as it is or with masses of another definition, warnings, and what the painter is.

    That others might do is found with the masses as they are under another name, so that nothing is
    read for painters that have other reasons not to work.
    """
    sim = readings.sim
    try:
        return sim, *_try(sim, name, wanted)
    except MockgalError as first:
        failure = first
    for definition in readings.others:
        try:
            _try(replace(sim, halos=sim.halos.with_mass_definition(definition)), name, wanted)
            tried = readings.with_masses(definition)
            return tried, *_try(tried, name, wanted)
        except MockgalError:
            continue
    raise failure


def _try(sim: Scene, name: str, options: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Warnings, and what the painter is; an error of ours if it cannot paint."""
    painter = _painter(sim, name, options)
    with registry.guarded("painters", name, "asking what it is"):
        described = painter.describe(sim)
    with listening(quiet=True) as told, registry.guarded("painters", name, "trying it"):
        getattr(painter, "check", painter.predict)(sim)  # a network takes its time
    return told, described


def _painter(sim: Scene, name: str, options: Mapping[str, Any]) -> Painter:
    painter = make_painter(name, dict(options))
    check_contents(painter, sim)
    return painter


def _command(
    readings: Readings, other: Mapping[str, Any], painter: str, options: Mapping[str, Any]
) -> str | None:
    """The command that paints this way; None for what is not in a file.

    ``other`` are options for reading beside those that it was read with.
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
    """A value as the command takes it."""
    units = {"box_size": "Mpc/h", "particle_mass": "Msun/h"}
    return f"{value!r} {units[key]}" if key in units and not isinstance(value, str) else str(value)
