"""The painter called ``hod``: with a calibration table, or with a model of halotools."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from ..errors import UsageError
from .halotools_models import ModelPainter
from .hod import HODPainter

_KINDS = (HODPainter, ModelPainter)
_OPTIONS = {kind: tuple(field.name for field in dataclasses.fields(kind)) for kind in _KINDS}


def hod_painter(**options: Any) -> HODPainter | ModelPainter:
    """`ModelPainter` if a ``model`` is given, `HODPainter` without.

    Parameters
    ----------
    **options
        Those of the class that is made; None is as if not given.

    Raises
    ------
    UsageError
        An option that neither class has, or the other one.
    """
    given = {key: value for key, value in options.items() if value is not None}
    kind = ModelPainter if "model" in given else HODPainter
    known = tuple(dict.fromkeys(name for names in _OPTIONS.values() for name in names))
    for key in options:
        if key not in known:
            raise UsageError("painter hod", f"option {key}", "one of " + ", ".join(known))
    wrong = [key for key in given if key not in _OPTIONS[kind]]
    if wrong:
        about = f"model {given['model']}" if kind is ModelPainter else "a calibration"
        raise UsageError(
            "painter hod",
            f"option {', '.join(wrong)} with {about}",
            "of " + ", ".join(_OPTIONS[kind]),
            "leave it out" if kind is ModelPainter else "name a model, or leave it out",
        )
    return kind(**given)


def _signature() -> inspect.Signature:
    """The options of both classes, as they say them."""
    parameters = {
        name: parameter.replace(
            kind=inspect.Parameter.KEYWORD_ONLY,
            default=None if name == "model" else parameter.default,
        )
        for kind in _KINDS
        for name, parameter in inspect.signature(kind).parameters.items()
    }
    return inspect.Signature(list(parameters.values()))


hod_painter.__signature__ = _signature()  # type: ignore[attr-defined]
hod_painter.masses = ModelPainter.masses  # type: ignore[attr-defined]
