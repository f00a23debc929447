"""What the pictures of a survey show: galaxies, randoms, and the number density asked for."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import UsageError, shown
from ...statistics.sky.number_density import PER
from ...statistics.sky.surveys import check_same_survey
from ...survey.footprint import SkyBox
from ...survey.number_density import NumberDensity
from ...survey.steps import STEPS, check_sky, redshift_column
from ...types import GalaxyCatalog
from .projection import Extent, extent_of

Array = NDArray[Any]

RADIAL = ("distance", "redshift")  # of the wedge
_NUMBER = r"([-+]?(?:\d+\.?\d*|\.\d+))"
_SLICE = re.compile(rf"\s*{_NUMBER}[\s,]+{_NUMBER}\s*deg\s*")
_ON_THE_SKY = re.compile(r"\b(ra|dec)\b")  # in a cut


class View(NamedTuple):
    """What the pictures of a survey show.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        On the sky.
    randoms : GalaxyCatalog, optional
        Of the same survey.
    asked : NumberDensity, optional
        The number density that was asked for; by default the one in the record of the galaxies.
    declinations : tuple of float, optional
        Borders of the slice of the wedge [deg].
    radial : str
        What grows outward in the wedge: ``"distance"`` or ``"redshift"``.
    per : str
        What n(z) is per: ``"volume"``, or ``"area"`` and unit of redshift.
    redshifts : str, optional
        Column of the redshifts; by default those that the survey sees.
    """

    galaxies: GalaxyCatalog
    randoms: GalaxyCatalog | None = None
    asked: NumberDensity | None = None
    declinations: tuple[float, float] | None = None
    radial: str = "distance"
    per: str = "volume"
    redshifts: str | None = None

    def check(self) -> None:
        """Raise if the pictures cannot be drawn.

        Raises
        ------
        UsageError
            A catalogue is in a box or lacks a column, the randoms are of another survey, or an
            option is not allowed.
        """
        check_sky(self.galaxies, "pictures of a survey")
        if self.randoms is not None:
            check_sky(self.randoms, "randoms")
            check_same_survey(self.galaxies, self.randoms, regions=False)
        for name, value, known in (("radial", self.radial, RADIAL), ("per", self.per, PER)):
            if value not in known:
                raise UsageError(name, repr(value), "one of " + ", ".join(known))
        if self.column not in self.galaxies or "redshift" not in self.column:
            raise UsageError(
                "redshifts",
                f"no column {self.column!r}",
                "one of " + ", ".join(name for name in self.galaxies.columns if "redshift" in name),
                "leave it out",
            )

    @property
    def column(self) -> str:
        """The column of the redshifts."""
        return self.redshifts or redshift_column(self.galaxies)

    @property
    def box(self) -> SkyBox | None:
        """The footprint, if the record says that it is one of right ascensions and declinations.

        None after a cut on the sky.
        """
        cuts = [str(cut.get("cut", "")) for cut in self.galaxies.provenance.get("cuts", [])]
        if any(_ON_THE_SKY.search(cut) for cut in cuts):
            return None
        for step in reversed(self.galaxies.provenance.get(STEPS, [])):
            facts = step.get("footprint")
            if step.get("step") in ("footprint", "randoms") and isinstance(facts, dict):
                if facts.get("kind") != "box":
                    return None
                (west, east), (south, north) = facts["ra_deg"], facts["dec_deg"]
                return SkyBox((west, east), (south, north))
        return None

    @property
    def extent(self) -> Extent:
        """The part of the sky that the survey covers."""
        if (box := self.box) is not None:
            return Extent(box.ra[0], box.width, *box.dec)
        return extent_of(one for one in (self.galaxies, self.randoms) if one is not None)


def declinations_of(text: str) -> tuple[float, float]:
    """Return the borders of a slice [deg] from a text such as ``"-2.5 2.5 deg"``.

    Raises
    ------
    UsageError
        It is not two declinations and their unit.
    """
    match = _SLICE.fullmatch(text)
    if match is not None:
        south, north = float(match[1]), float(match[2])
        if -90.0 <= south < north <= 90.0:
            return south, north
    raise UsageError(
        "--declinations",
        shown(text),
        "two declinations from -90 to 90 deg, the southern one first, with their unit",
        'write it so: "-2.5 2.5 deg"',
    )


def counted(number: int, singular: str = "galaxy", plural: str = "galaxies") -> str:
    """Return a number of things in words."""
    return f"{number:,} {singular if number == 1 else plural}"


def chunks(length: int, size: int = 1 << 20) -> Any:
    """Yield slices of rows, so that work on many rows takes little memory."""
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def usable_redshifts(values: Array) -> Array:
    """Return which redshifts have a comoving distance: finite ones above 0."""
    values = np.asarray(values)
    return np.asarray(np.isfinite(values) & (values > 0.0))
