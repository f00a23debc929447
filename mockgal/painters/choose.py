"""Painters by name, with their options checked, and what they predict of satellites."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .. import registry
from ..errors import UsageError
from ..laws.satellites import SatelliteLaw
from ..options import Option, flat
from ..protocols import Painter
from ..types import Scene


def make_painter(name: str, options: dict[str, Any]) -> Painter:
    """The painter ``name`` with its options.

    Raises
    ------
    UsageError
        No such painter, an option that it does not have, or a value that the option cannot have.
    """
    where = f"painter {name}"
    declared = check_painter_options(where, name, options)
    for key, value in options.items():
        if value is not None:  # as if not given
            declared[key].check(where, value)
    painter: Painter = registry.make("painters", name, **options)
    return painter


def check_painter_options(
    where: str, name: str, options: Iterable[str], beside: Iterable[str] = ()
) -> dict[str, Option]:
    """Return the options of the painter ``name``; ``beside`` are allowed as well.

    Raises
    ------
    UsageError
        No such painter or option; the message lists those that are.
    """
    declared = flat(registry.painter_options(name))
    check_options(where, options, [*beside, *declared])
    return declared


def made(where: str, painter: str | Painter, options: dict[str, Any]) -> Painter:
    """The painter itself, or the one of that name with its options.

    Raises
    ------
    UsageError
        Options for a painter that is made already.
    """
    if isinstance(painter, str):
        return make_painter(painter, options)
    if options:
        raise UsageError(
            where,
            f"options {', '.join(options)} for a painter that is made already",
            "none",
            "give the options to the painter's class",
        )
    return painter


def check_options(where: str, options: Iterable[str], allowed: Iterable[str]) -> None:
    """Whether all options are allowed ones.

    Raises
    ------
    UsageError
        The message lists those that are.
    """
    unknown = [key for key in options if key not in allowed]
    if unknown:
        names = ", ".join(allowed)
        raise UsageError(
            where, f"option {', '.join(unknown)}", f"one of {names}" if names else "no options"
        )


def guarded(name: str | None, sim: Scene) -> AbstractContextManager[None]:
    """Return a context in which what a plug-in's painter raises becomes an error that names it.

    Parameters
    ----------
    name : str or None
        Of the painter; None for an object of the user's own, whose errors are left as they are.
    sim : Scene
    """
    if name is None:
        return nullcontext()
    return registry.guarded("painters", name, f"painting {sim.snapshot.name}")


def predict_satellites(sim: Scene, painter: Painter) -> SatelliteLaw:
    """What a painter predicts of the satellites of each host.

    Raises
    ------
    UsageError
        It is none of those that do.
    """
    predict = getattr(painter, "satellites", None)
    if predict is None:
        raise UsageError(
            f"painter {painter.name}",
            "no prediction of satellites",
            "a painter with a method `satellites`, such as hod",
            "take one, give mockgal.populate a SatelliteLaw, or paint the hosts alone",
        )
    law: SatelliteLaw = predict(sim)
    return law
