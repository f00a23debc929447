"""Galaxies and their randoms, checked to be of one survey, with what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...cosmology import Cosmology
from ...errors import BadValueError, UsageError, warn
from ...survey.regions import Regions
from ...survey.steps import STEPS, check_randoms, check_sky, redshift_column
from ...types import GalaxyCatalog
from . import geometry
from .sample import SkySample

Array = NDArray[Any]

WEIGHTS = ("weight", "weight_fkp")
CLOSE_PAIRS = "weight_close_pairs"
REGIONS = 32  # made where the catalogues have none
MOST_REGIONS = 2000
NO_WEIGHTS = "none"
_COSMOLOGICAL = "redshift_cosmological"
FAR_APART = 0.1  # of cumulative shares by redshift, from which on it is said
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

    Raises
    ------
    BadValueError
        One of the two has regions and the other has not, or galaxies are in regions without
        randoms.
    """

    data: SkySample
    randoms: SkySample
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        one, other = self.data.regions, self.randoms.regions
        alone = np.setdiff1d(self.data.region, self.randoms.region)
        if bool(one) != bool(other) or (one and len(self.randoms) and alone.size):
            raise BadValueError(
                "regions",
                f"{one} of the galaxies and {other} of the randoms"
                + f", {alone.size} of them without randoms" * bool(alone.size),
                "the same regions for both",
                "number both by the same regions",
            )
        for name, sample in (("data", self.data), ("randoms", self.randoms)):
            object.__setattr__(self, name, replace(sample, regions=max(one, other)))

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
        default those of `WEIGHTS` that there are, or ``weight_close_pairs`` in place of ``weight``;
        both catalogues must have them.
    redshifts : str, optional
        Column of the redshifts that become distances; by default ``redshift_measured`` of the
        galaxies if they have it, else ``redshift``. Randoms without it are taken at ``redshift``.
    fiducial_cosmology : Cosmology or str, optional
        Of the distances, such as ``"omega_m=0.31"`` (flat unless omega_lambda is there; also w0,
        wa; what is not stated is as in that of the galaxies); by default that of the galaxies.
    jackknife : int, optional
        Number of regions: those of the columns ``region`` if there are so many, else made from the
        randoms. By default those of the columns, or `REGIONS`. 0 for none.

    Raises
    ------
    UsageError
        A catalogue is in a box; the randoms are galaxies; they are of different surveys; an option
        is not allowed.
    BadValueError
        Values that are not finite or out of range, or randoms that do not cover the galaxies.
    """
    check_sky(galaxies, "galaxies")
    check_sky(randoms, "randoms")
    check_randoms(randoms, galaxies)
    check_same_survey(galaxies, randoms)
    if not len(galaxies) or not len(randoms):
        few = "galaxies" if len(randoms) else "randoms"
        raise BadValueError(few, "no row", "one or more", "check the cuts")
    cosmology = fiducial(galaxies.snapshot.cosmology, fiducial_cosmology)
    if CLOSE_PAIRS in galaxies and CLOSE_PAIRS not in randoms:  # points have no fibres to lose
        randoms = randoms.with_columns(**{CLOSE_PAIRS: np.ones(len(randoms))})
    names = _weights(galaxies, randoms, weigh_by)
    column = redshifts or redshift_column(galaxies)
    (galaxies, randoms), without = _weighted(galaxies, randoms, names)
    samples = [
        _sample(one, what, names, column, cosmology)
        for one, what in ((galaxies, "galaxies"), (randoms, "randoms"))
    ]
    shares = _check_coverage(*samples)
    (data, points), regions = _with_regions(galaxies, randoms, samples, jackknife)
    survey = Survey(data, points)
    own = _expansion(cosmology) == _expansion(galaxies.snapshot.cosmology)
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
        **without,
        **shares,
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
    further = sum(x for x in (own.omega_r, own.omega_nu) if x is not None)
    values.setdefault("omega_lambda", 1.0 - values["omega_m"] - further)
    return replace(own, **values)


def _expansion(cosmology: Cosmology) -> tuple[float, ...]:
    """Return what distances in Mpc/h depend on."""
    further = {"w0": -1.0, "wa": 0.0, "omega_r": 0.0, "omega_nu": 0.0}
    values = (getattr(cosmology, name) for name in further)
    rest = (y if x is None else x for x, y in zip(values, further.values(), strict=True))
    return (cosmology.omega_m, cosmology.omega_lambda, *rest)


def _weighted(
    galaxies: GalaxyCatalog, randoms: GalaxyCatalog, names: list[str]
) -> tuple[list[GalaxyCatalog], dict[str, Any]]:
    """Return the points that have a weight, and how many have none.

    Raises
    ------
    BadValueError
        None has one.
    """
    kept, without = [], {}
    for one, what in ((galaxies, "galaxies"), (randoms, "randoms")):
        some = np.ones(len(one), dtype=bool)
        for name in names:
            some &= one[name] != 0
        if not some.any():
            raise BadValueError(what, "weights of 0 alone", "weights above 0", "--weigh-by none")
        if not some.all():
            without[what] = int(np.count_nonzero(~some))
        kept.append(one if some.all() else one.take(np.flatnonzero(some)))
    if not without:
        return kept, {}
    listed = " and ".join(f"{number} {what}" for what, number in without.items())
    warn(f"{listed} have a weight of 0, and are left out", stacklevel=3)
    return kept, {"left_out_for_a_weight_of_0": without}


def _weights(galaxies: GalaxyCatalog, randoms: GalaxyCatalog, stated: str | None) -> list[str]:
    """Return the columns of weights."""
    if stated == NO_WEIGHTS:
        return []
    known = [name for name in WEIGHTS if name in galaxies or name in randoms]
    if "weight" not in known and CLOSE_PAIRS in galaxies:  # which `weight` would hold
        known.insert(0, CLOSE_PAIRS)
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
    if "redshift" not in column or (column not in catalogue and what == "galaxies"):
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


def check_same_survey(
    galaxies: GalaxyCatalog, randoms: GalaxyCatalog, *, regions: bool = True
) -> None:
    """Raise if the records say that randoms are of another run or footprint.

    Parameters
    ----------
    galaxies, randoms : GalaxyCatalog
    regions : bool
        Whether they must be numbered by the same regions, too.

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
    alike = {
        "footprint": ("footprint", "area_deg2"),
        **({"regions": ("planes",)} if regions else {}),
    }
    for step, facts in alike.items():
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


def _check_coverage(data: SkySample, randoms: SkySample) -> dict[str, Any]:
    """Raise if galaxies lie where there are no randoms, or the other way round.

    Returns
    -------
    dict
        The shares that do, and the distance of the two distributions of redshifts.

    Raises
    ------
    BadValueError
    """
    shares = []
    for one, other, names, most in (
        (data, randoms, ("galaxies", "randoms"), geometry.MOST_OUTSIDE),
        (randoms, data, ("randoms", "galaxies"), geometry.MOST_EMPTY),
    ):
        share = geometry.share_outside(one, other)
        shares.append(share)
        if share > most:
            raise BadValueError(
                f"{names[0]} and {names[1]}",
                f"{share:.1%} of the {names[0]} where there are no {names[1]}, on the sky or in "
                "redshift",
                f"at most {most:.0%}",
                "give randoms of the same footprint and n(z), and apply cuts to both; in real "
                "space galaxies reach beyond bins of observed redshift: cut both to a narrower "
                "range",
            )
    distance = geometry.redshift_distance(data, randoms)
    if distance > max(FAR_APART, geometry.SIGNIFICANT / np.sqrt(len(data))):
        warn(
            f"the redshifts of galaxies and randoms are distributed differently: their cumulative "
            f"shares are up to {distance:.2g} apart, which looks like clustering along the line of "
            "sight; give randoms with the n(z) of the galaxies",
            stacklevel=3,
        )
    return {
        "share_of_galaxies_without_randoms": shares[0],
        "share_of_randoms_without_galaxies": shares[1],
        "distance_of_redshift_distributions": distance,
    }


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
