"""The painter called ``hod``: with a calibration table, or with a model of halotools."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...errors import UsageError
from ...options import options_of
from ..halotools.laws import THRESHOLDS
from ..halotools.models import ModelPainter
from .painter import HODPainter
from .store import shipped

_KINDS = (HODPainter, ModelPainter)


def hod_painter(**options: Any) -> HODPainter | ModelPainter:
    """Return a `ModelPainter` if there is a ``model``, else an `HODPainter`.

    Parameters
    ----------
    **options
        Options of that class; None is as if the option were absent.

    Raises
    ------
    UsageError
        An option belongs to neither class, or to the other one.
    """
    given = {key: value for key, value in options.items() if value is not None}
    kind = ModelPainter if "model" in given else HODPainter
    known, own = options_of(_KINDS), options_of(kind)
    for key in options:
        if key not in known:
            raise UsageError("painter hod", f"option {key}", "one of " + ", ".join(known))
    wrong = [key for key in given if key not in own]
    if wrong:
        about = f"model {given['model']}" if kind is ModelPainter else "a calibration"
        raise UsageError(
            "painter hod",
            f"option {', '.join(wrong)} with {about}",
            "of " + ", ".join(own),
            "leave it out" if kind is ModelPainter else "name a model, or leave it out",
        )
    return kind(**given)


def _alternatives() -> Iterator[tuple[dict[str, Any], ...]]:
    """Yield options to try beside the defaults: of each tuple the first that can paint is enough.

    Options that accept an invalid simulation come last.
    """
    floors = [f"{mass} Msun/h" for mass in ("1e9", "3e9", "1e10", "3e10", "1e11")]
    models: list[list[dict[str, Any]]] = [
        [{"model": "leauthaud11", "luminosity_floor": floor} for floor in floors],
        [
            {"model": "zheng07", "threshold": threshold, "stellar_mass_law": "moster13"}
            for threshold in THRESHOLDS
        ],
    ]
    yield from map(tuple, models)
    tables = shipped()
    yield tuple(
        {"calibration": table.name, "missing_twin": "uncorrected"}
        for table in tables
        if not table.has_twin
    )
    extrapolate = {"allow_extrapolation": True}
    yield tuple({"calibration": t.name, **extrapolate} for t in tables if t.has_twin)
    for family in models:
        yield tuple({**options, **extrapolate} for options in family)


hod_painter.alternatives = _alternatives  # type: ignore[attr-defined]
hod_painter.option_classes = _KINDS  # type: ignore[attr-defined]
