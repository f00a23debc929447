"""Painters by name, with their options checked, and their predictions of satellites."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .. import registry
from ..errors import UsageError
from ..laws.satellites import SatelliteLaw
from ..options import Option, check_names, flat
from ..protocols import Painter
from ..types import Scene


def make_painter(name: str, options: dict[str, Any]) -> Painter:
    """Return the painter ``name`` with its options.

    Raises
    ------
    UsageError
        There is no such painter, it has no such option, or the option cannot have the value.
    """
    where = f"painter {name}"
    declared = check_painter_options(where, name, options)
    for key, value in options.items():
        if value is not None:  # None is as if the option were absent
            declared[key].check(where, value)
    painter: Painter = registry.make("painters", name, **options)
    return painter


def check_painter_options(
    where: str, name: str, options: Iterable[str], beside: Iterable[str] = ()
) -> dict[str, Option]:
    """Return the options of the painter ``name``; the options ``beside`` are allowed as well.

    Raises
    ------
    UsageError
        There is no such painter or option; the message lists those that exist.
    """
    declared = flat(registry.painter_options(name))
    check_names(where, options, [*beside, *declared])
    return declared


def made(where: str, painter: str | Painter, options: dict[str, Any]) -> Painter:
    """Return the painter itself, or make the one of that name with its options.

    Raises
    ------
    UsageError
        There are options beside a painter object.
    """
    if isinstance(painter, str):
        return make_painter(painter, options)
    if options:
        raise UsageError(
            where,
            f"options {', '.join(options)} beside a painter object",
            "none",
            "give the options to the painter's class",
        )
    return painter


def guarded(name: str | None, sim: Scene) -> AbstractContextManager[None]:
    """Return a context that turns exceptions of a plug-in's painter into an error that names it.

    Parameters
    ----------
    name : str or None
        Name of the painter; None for a user's own object, whose exceptions are left unchanged.
    sim : Scene
    """
    if name is None:
        return nullcontext()
    return registry.guarded("painters", name, f"painting {sim.snapshot.name}")


def predict_satellites(sim: Scene, painter: Painter) -> SatelliteLaw:
    """Return a painter's prediction of the satellites of each host.

    Raises
    ------
    UsageError
        The painter does not predict satellites.
    """
    predict = getattr(painter, "satellites", None)
    if predict is None:
        raise UsageError(
            f"painter {painter.name}",
            "no prediction of satellites",
            "a painter with a method `satellites`, such as hod",
            "take such a painter, give mockgal.populate a SatelliteLaw, or paint the hosts alone",
        )
    law: SatelliteLaw = predict(sim)
    return law
