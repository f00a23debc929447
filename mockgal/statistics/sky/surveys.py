"""Galaxies and their randoms, checked to be of one survey, with what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cosmology import Cosmology
from ...errors import BadValueError, UsageError
from ...survey.regions import Regions
from ...survey.steps import STEPS, check_sky, redshift_column
from ...types import GalaxyCatalog
from . import geometry
from .sample import SkySample

Array = NDArray[Any]

WEIGHTS = ("weight", "weight_fkp")
REGIONS = 32  # made where the catalogues have none
MOST_REGIONS = 2000
NO_WEIGHTS = "none"
_COSMOLOGICAL = "redshift_cosmological"
_PARAMETERS = ("omega_m", "omega_lambda", "w0", "wa")


@dataclass(frozen=True, eq=False)
class Survey:
    """Galaxies and randoms of one survey, in one fiducial cosmology.

    Parameters
    ----------
    data, randoms : SkySample
        With the same regions.
    settings : mapping
        What is known of the survey, for `Measurement.settings`.
    """

    data: SkySample
    randoms: SkySample
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def alpha(self) -> float:
        """Weight of the galaxies over that of the randoms."""
        total = self.randoms.weight.sum()
        return float(self.data.weight.sum() / total) if total > 0 else float("nan")


def survey_of(
    galaxies: GalaxyCatalog,
    randoms: GalaxyCatalog,
    *,
    weigh_by: str | None = None,
    redshifts: str | None = None,
    fiducial_cosmology: Cosmology | str | None = None,
    jackknife: int | None = None,
) -> Survey:
    """Return the survey of two catalogues on the sky.

    Parameters
    ----------
    galaxies, randoms : GalaxyCatalog
    weigh_by : str, optional
        Columns whose product is the weight of a point, separated by commas, or ``"none"``; by
        default those of `WEIGHTS` that both catalogues have.
    redshifts : str, optional
        Column of the redshifts that become distances; by default ``redshift_measured`` of the
        galaxies if they have it, else ``redshift``. Randoms without it are taken at ``redshift``.
    fiducial_cosmology : Cosmology or str, optional
        Of the distances, such as ``"omega_m=0.31"`` (flat unless omega_lambda is there; also w0,
        wa); by default that of the galaxies.
    jackknife : int, optional
        Number of regions: those of the columns ``region`` if there are so many, else made from the
        randoms. By default those of the columns, or `REGIONS`. 0 for none.

    Raises
    ------
    UsageError
        A catalogue is in a box; they are of different surveys; an option is not allowed.
    BadValueError
        Values that are not finite or out of range, or randoms that do not cover the galaxies.
    """
    check_sky(galaxies, "galaxies")
    check_sky(randoms, "randoms")
    _check_same_survey(galaxies, randoms)
    if not len(galaxies) or not len(randoms):
        few = "galaxies" if len(randoms) else "randoms"
        raise BadValueError(few, "no row", "one or more", "check the cuts")
    cosmology = fiducial(galaxies.snapshot.cosmology, fiducial_cosmology)
    names = _weights(galaxies, randoms, weigh_by)
    column = redshifts or redshift_column(galaxies)
    samples = [
        _sample(one, what, names, column, cosmology)
        for one, what in ((galaxies, "galaxies"), (randoms, "randoms"))
    ]
    for sample, what in zip(samples, ("galaxies", "randoms"), strict=True):
        if not sample.weight.sum() > 0:
            raise BadValueError(what, "weights of 0 alone", "weights above 0", "--weigh-by none")
    _check_coverage(*samples)
    (data, points), regions = _with_regions(galaxies, randoms, samples, jackknife)
    survey = Survey(data, points)
    own = cosmology == galaxies.snapshot.cosmology
    settings = {
        "galaxies": len(data),
        "random_points": len(points),
        "weights": " * ".join(names) or NO_WEIGHTS,
        "alpha": survey.alpha,
        "space": "real" if column == _COSMOLOGICAL else "redshift",
        "redshift_column": column,
        "fiducial_cosmology": cosmology.to_dict(),
        "fiducial_cosmology_is": "that of the simulation"
        if own
        else "another than that of the simulation: separations are distorted as Alcock & Paczynski "
        "1979 describe",
        **geometry.describe(galaxies, randoms, data, points),
        **regions,
    }
    return replace(survey, settings=settings)


def fiducial(own: Cosmology, stated: Cosmology | str | None) -> Cosmology:
    """Return the cosmology of the distances.

    Raises
    ------
    UsageError
        The text is not a list of NAME=NUMBER with the names of `_PARAMETERS`.
    """
    if stated is None or isinstance(stated, Cosmology):
        return own if stated is None else stated
    expected = "NAME=NUMBER, separated by commas, of " + ", ".join(_PARAMETERS)
    values: dict[str, float] = {}
    for part in stated.replace(",", " ").split():
        name, _, number = part.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        if name not in _PARAMETERS or name in values or not np.isfinite(value):
            raise UsageError("fiducial cosmology", repr(stated), expected, "omega_m=0.31")
        values[name] = value
    if "omega_m" not in values:
        raise UsageError("fiducial cosmology", repr(stated), f"omega_m, and {expected}")
    values.setdefault("omega_lambda", 1.0 - values["omega_m"])
    return Cosmology(h=own.h, **values)


def _weights(galaxies: GalaxyCatalog, randoms: GalaxyCatalog, stated: str | None) -> list[str]:
    """Return the columns of weights."""
    if stated == NO_WEIGHTS:
        return []
    known = [name for name in WEIGHTS if name in galaxies or name in randoms]
    names = known if stated is None else [name.strip() for name in stated.split(",")]
    for name in names:
        for one, what in ((galaxies, "galaxies"), (randoms, "randoms")):
            if name not in one:
                raise UsageError(
                    "weights",
                    f"no column {name!r} of the {what}",
                    "columns that galaxies and randoms both have",
                    "add weights to both alike, or choose with --weigh-by; --weigh-by none counts "
                    "each point once",
                )
    return names


def _sample(
    catalogue: GalaxyCatalog, what: str, names: list[str], column: str, cosmology: Cosmology
) -> SkySample:
    """Return a catalogue as a sample, without regions."""
    if column not in catalogue and (what == "galaxies" or "redshift" not in column):
        raise UsageError(
            "redshifts",
            f"no column {column!r} of the {what}",
            "one of " + ", ".join(name for name in catalogue.columns if "redshift" in name),
            "leave it out",
        )
    redshift = catalogue[column if column in catalogue else "redshift"]
    weight = np.ones(len(catalogue))
    for name in names:
        weight = weight * catalogue[name].astype(np.float64)
    places = (catalogue["ra"], catalogue["dec"], redshift)
    return SkySample.of(*places, cosmology, weight=weight, what=what)


def _check_same_survey(galaxies: GalaxyCatalog, randoms: GalaxyCatalog) -> None:
    """Raise if the records say that randoms are of another run or footprint.

    Raises
    ------
    UsageError
    """
    if galaxies.snapshot.cosmology != randoms.snapshot.cosmology:
        raise UsageError(
            "randoms",
            f"the cosmology {randoms.snapshot.cosmology.to_dict()}",
            f"that of the galaxies, {galaxies.snapshot.cosmology.to_dict()}",
            "make randoms for these galaxies",
        )
    for step, facts in (("footprint", ("footprint", "area_deg2")), ("regions", ("planes",))):
        own = _last(galaxies, (step,))
        other = _last(randoms, (step, "randoms") if step == "footprint" else (step,))
        for name in facts:
            if name in own and name in other and own[name] != other[name]:
                found = "other regions" if step == "regions" else f"{name} {other[name]}"
                expected = "those" if step == "regions" else f"{own[name]}, that"
                raise UsageError(
                    "randoms",
                    found,
                    f"{expected} of the galaxies",
                    "make randoms, and regions, for these galaxies",
                )


def _last(catalogue: GalaxyCatalog, names: tuple[str, ...]) -> Mapping[str, Any]:
    """Return the record of the last step of one of these names; empty if there is none."""
    steps = [step for step in catalogue.provenance.get(STEPS, []) if step.get("step") in names]
    return steps[-1] if steps else {}


def _check_coverage(data: SkySample, randoms: SkySample) -> None:
    """Raise if galaxies lie where there are no randoms, or the other way round.

    Raises
    ------
    BadValueError
    """
    for one, other, names, most in (
        (data, randoms, ("galaxies", "randoms"), geometry.MOST_OUTSIDE),
        (randoms, data, ("randoms", "galaxies"), geometry.MOST_EMPTY),
    ):
        share = geometry.share_outside(one, other)
        if share > most:
            raise BadValueError(
                f"{names[0]} and {names[1]}",
                f"{share:.1%} of the {names[0]} where there are no {names[1]}, on the sky or in "
                "redshift",
                f"at most {most:.0%}",
                "give randoms of the same footprint and n(z), and apply cuts to both",
            )


def _with_regions(
    galaxies: GalaxyCatalog,
    randoms: GalaxyCatalog,
    samples: list[SkySample],
    jackknife: int | None,
) -> tuple[list[SkySample], dict[str, Any]]:
    """Return the samples with the regions of the jackknife, and what these are."""
    whole = isinstance(jackknife, int | np.integer) and not isinstance(jackknife, bool)
    if jackknife is not None and not (whole and (jackknife == 0 or 2 <= jackknife <= MOST_REGIONS)):
        raise UsageError(
            "jackknife", f"{jackknife} regions", f"2 to {MOST_REGIONS}, or 0 for no jackknife"
        )
    if jackknife == 0:
        return samples, {"regions": "none"}
    there = [("region" in one) for one in (galaxies, randoms)]
    if all(there):
        numbers, which = np.unique(randoms["region"], return_inverse=True)
        if jackknife in (None, len(numbers)) and len(numbers) > 1:
            inside = np.isin(galaxies["region"], numbers)
            if not inside.all():
                raise BadValueError(
                    "column region",
                    f"{np.count_nonzero(~inside)} galaxies in regions without randoms",
                    "the same regions for galaxies and randoms",
                    "number both by the same regions, or let --jackknife N make N of them",
                )
            own = np.searchsorted(numbers, galaxies["region"])
            return _numbered(samples, own, which, len(numbers)), {
                "regions": len(numbers),
                "regions_from": "column region",
            }
    elif any(there) and jackknife is None:
        raise UsageError(
            "column region",
            f"regions of the {'galaxies' if there[0] else 'randoms'} alone",
            "regions of both, or of neither",
            "--jackknife N makes N regions for both, --jackknife 0 none",
        )
    number = REGIONS if jackknife is None else int(jackknife)
    made = Regions.of(randoms["ra"], randoms["dec"], number)
    own, others = (made.at(one["ra"], one["dec"]) for one in (galaxies, randoms))
    return _numbered(samples, own, others, number), {
        "regions": number,
        "regions_from": "made of equal numbers of randoms",
    }


def _numbered(samples: list[SkySample], own: Array, others: Array, number: int) -> list[SkySample]:
    return [
        replace(sample, region=np.asarray(region, dtype=np.int64), regions=number)
        for sample, region in zip(samples, (own, others), strict=True)
    ]
