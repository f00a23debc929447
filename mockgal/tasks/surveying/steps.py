"""The steps of a survey, as a recipe states them, on mocks of periodic boxes or of a light cone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...columns import OUR_COLUMNS
from ...cosmology import Cosmology
from ...errors import CutError, UsageError, listening
from ...quantity import in_unit
from ...selection.cuts import parse, select
from ...selection.ranks import to_densities, to_density
from ...survey import measurement
from ...survey.close_pairs import without_close_pairs
from ...survey.cone.remapping import Remapping
from ...survey.footprint import Footprint, SkyBox, SkyCap, within
from ...survey.light_cone import FIT, light_cone
from ...survey.masks.healpix import read_map
from ...survey.masks.moc import SkyCoverage
from ...survey.masks.polygons import SkyPolygons
from ...survey.number_density import NumberDensity, in_bins, to_number_density
from ...survey.randoms import randoms
from ...survey.redshift_space import redshift_space
from ...survey.regions import Regions, with_regions
from ...survey.sky import SKY_COLUMNS
from ...survey.table_file import read_table
from ...survey.weights import WEIGHT_COLUMNS, with_weights
from ...types import GalaxyCatalog
from .matching import match_density
from .randoms_file import read_randoms

if TYPE_CHECKING:
    from ...survey_plan import FootprintPlan, NumberDensityPlan, RemappingPlan, SurveyPlan

_EVERYWHERE = SkyBox((0.0, 360.0), (-90.0, 90.0))


class Surveyed(NamedTuple):
    """The galaxies of a survey, and its randoms if it has some."""

    galaxies: GalaxyCatalog
    randoms: GalaxyCatalog | None = None


@dataclass(frozen=True)
class Survey:
    """A survey that is ready to be carried out: its plan, and what the files that it names hold.

    Parameters
    ----------
    plan : SurveyPlan
    footprint : Footprint or None
    table : tuple of ndarray, or None
        Edges and densities of the file of number densities.
    """

    plan: SurveyPlan
    footprint: Footprint | None
    table: tuple[NDArray[Any], NDArray[Any]] | None

    @classmethod
    def of(cls, plan: SurveyPlan) -> Survey:
        """Return the survey of a plan, before there are galaxies.

        Raises
        ------
        MockgalError
            A file that it names cannot be used, a footprint is none, or a cut cannot be parsed.
        """
        for cut in plan.cut:
            parse(cut, OUR_COLUMNS)
        sky, density = plan.footprint, plan.n_of_z
        footprint = None if sky is None else _footprint(sky)
        if footprint is not None and not footprint.area > 0:
            raise UsageError(
                "survey.footprint",
                "no area: a completeness of 0 everywhere",
                "places that are observed",
                "check the map",
            )
        table = None if density is None or density.table is None else read_table(density.table)
        if table is not None:
            NumberDensity(*table)  # whose values are checked
        return cls(plan, footprint, table)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that its steps add to galaxies."""
        plan, names = self.plan, list(SKY_COLUMNS)
        if plan.light_cone is None:
            names = []
        else:
            names.append("copy")
        if plan.weights is not None:
            names += WEIGHT_COLUMNS
        return tuple(names)

    def check_frame(self, galaxies_are_on_the_sky: bool) -> None:
        """Raise if the steps are for galaxies in a box, and these are on the sky, or vice versa.

        Raises
        ------
        UsageError
        """
        plan = self.plan
        in_the_box = [
            x
            for x in ("number_density", "match_density", "redshift_space", "light_cone")
            if _has(plan, x)
        ]
        if galaxies_are_on_the_sky and in_the_box:
            raise UsageError(
                f"survey.{in_the_box[0]}",
                "galaxies that are on the sky already",
                "galaxies in a periodic box",
                "leave it out",
            )
        if not galaxies_are_on_the_sky and plan.on_the_sky and plan.light_cone is None:
            raise UsageError(
                f"survey.{plan.on_the_sky[0]}",
                "galaxies in a periodic box",
                "galaxies on the sky",
                "make a light cone of them: survey: {light_cone: {redshifts: [0.4, 0.6]}}",
            )
        if galaxies_are_on_the_sky and plan.n_of_z is not None and self.footprint is None:
            raise UsageError(
                "survey.n_of_z",
                "a light cone whose area is not stated",
                "a footprint, in which densities are counted",
                "state it: survey: {footprint: {ra: [0 deg, 90 deg], dec: [0 deg, 90 deg]}}",
            )

    def carry_out(self, boxes: Sequence[GalaxyCatalog], seed: int) -> Surveyed:
        """Return the galaxies of the survey, and its randoms.

        Parameters
        ----------
        boxes : sequence of GalaxyCatalog
            Of one snapshot each, or one catalogue on the sky.
        seed : int
            Of all random numbers; each purpose has a stream of its own.

        Raises
        ------
        MockgalError
            A step is not possible.
        """
        for galaxies in boxes:
            self.check_frame(galaxies.frame == "sky")
        with listening() as warnings:
            galaxies, points = self._carried_out(boxes, seed)
        every = [*galaxies.provenance.get("warnings", []), *warnings]
        return Surveyed(galaxies.with_provenance(warnings=every), points)

    def _carried_out(self, boxes: Sequence[GalaxyCatalog], seed: int) -> Surveyed:
        plan = self.plan
        cosmology = boxes[0].snapshot.cosmology
        boxes = [self._thinned(galaxies) for galaxies in boxes]
        if plan.light_cone is not None:
            galaxies = light_cone(
                boxes,
                redshifts=plan.light_cone.redshifts,
                observer=[
                    _number(x, "Mpc / littleh", cosmology, "light_cone.observer")
                    for x in plan.light_cone.observer
                ],
                footprint=self.footprint,
                remapping=_remapping(plan.light_cone.remapping),
            )
        elif len(boxes) > 1:
            raise UsageError(
                "survey",
                f"{len(boxes)} snapshots, and no light cone to take them together",
                "one snapshot, or a light cone",
                "add to the recipe: survey: {light_cone: {redshifts: [0.4, 0.6]}}",
            )
        else:
            galaxies = boxes[0]
        if plan.redshift_space is not None:
            galaxies = redshift_space(galaxies, plan.redshift_space)
        return self._observed(galaxies, cosmology, seed)

    def _thinned(self, galaxies: GalaxyCatalog) -> GalaxyCatalog:
        """Return the most massive galaxies of a box, down to the densities asked for."""
        plan, unit = self.plan, "littleh^3 / Mpc^3"
        if plan.match_density is not None:
            return match_density(galaxies, plan.match_density)
        if plan.number_density is None:
            return galaxies
        cosmology = galaxies.snapshot.cosmology
        if isinstance(plan.number_density, str):
            return to_density(
                galaxies, _number(plan.number_density, unit, cosmology, "number_density")
            )
        densities = [_number(x, unit, cosmology, "number_density") for x in plan.number_density]
        return to_densities(galaxies, densities)

    def _observed(self, galaxies: GalaxyCatalog, cosmology: Cosmology, seed: int) -> Surveyed:
        """Take the steps on the sky."""
        plan, footprint = self.plan, self.footprint or _EVERYWHERE
        if self.footprint is not None:
            galaxies = within(galaxies, self.footprint, seed=seed)
        if plan.redshift_error is not None:
            own = plan.redshift_error
            sigma = own.sigma_v and _number(
                own.sigma_v, "km/s", cosmology, "redshift_error.sigma_v"
            )
            galaxies = measurement.measure_redshifts(
                galaxies,
                seed=seed,
                sigma_v=sigma or 0.0,
                sigma_z=own.sigma_z,
                catastrophic=own.catastrophic,
                catastrophic_range=own.catastrophic_range,
            )
        if plan.stellar_mass_error is not None:
            sigma = _number(plan.stellar_mass_error, "dex", cosmology, "stellar_mass_error")
            galaxies = measurement.measure_stellar_masses(galaxies, seed=seed, sigma=sigma)
        galaxies = select(galaxies, *plan.cut)
        density = None
        if plan.n_of_z is not None:
            _check_no_place_is_cut(galaxies)
            galaxies, density = self._to_density(galaxies, plan.n_of_z, footprint.area, seed)
        if plan.close_pairs is not None:
            angle = _number(plan.close_pairs, "arcsec", cosmology, "close_pairs")
            galaxies = without_close_pairs(galaxies, angle=angle, seed=seed)
        if density is None:
            return Surveyed(galaxies)
        points = None
        if plan.randoms is not None:
            points = self._randoms(galaxies, footprint, density, plan.randoms.times, seed)
        if plan.weights is not None:
            power = _number(
                plan.weights.fkp_power, "Mpc^3 / littleh^3", cosmology, "weights.fkp_power"
            )
            galaxies = with_weights(galaxies, density, power=power)
            if points is not None:
                points = with_weights(points, density, power=power)
        if plan.regions is not None and points is not None:
            regions = Regions.of(points["ra"], points["dec"], plan.regions)
            galaxies, points = with_regions(galaxies, regions), with_regions(points, regions)
        return Surveyed(galaxies, points)

    def _to_density(
        self, galaxies: GalaxyCatalog, plan: NumberDensityPlan, area: float, seed: int
    ) -> tuple[GalaxyCatalog, NumberDensity]:
        if plan.by == "measured":
            return in_bins(galaxies, np.array(plan.redshifts), area=area)
        target = self._target(plan, galaxies.snapshot.cosmology)
        sample = to_number_density(galaxies, target, area=area, by=plan.by, seed=seed)
        return sample, target

    def _target(self, plan: NumberDensityPlan, cosmology: Cosmology) -> NumberDensity:
        """Return the number density that is asked for."""
        if self.table is not None:
            edges, numbers = self.table
            texts = [f"{number:.17g} {plan.unit}" for number in numbers]
        else:
            edges = np.array(plan.redshifts)
            texts = list(plan.density) * ((len(edges) - 1) // len(plan.density))
        return number_density_of(edges, texts, cosmology)

    def _randoms(
        self,
        galaxies: GalaxyCatalog,
        footprint: Footprint,
        density: NumberDensity,
        times: float,
        seed: int,
    ) -> GalaxyCatalog:
        if not len(galaxies):
            raise UsageError(
                "survey.randoms",
                "no galaxy in the survey, whose multiple they are",
                "one galaxy at least",
                "check the densities of n_of_z, the footprint and the cuts, or leave randoms out",
            )
        number = round(times * len(galaxies))
        if number < 1:
            raise UsageError(
                "survey.randoms",
                f"{times:g} times the {len(galaxies):,} galaxies of the survey",
                "one point at least",
                "ask for more, or widen the survey",
            )
        return randoms(galaxies, footprint, density, number=number, seed=seed)


_PLACES = re.compile("(position|redshift)_.*|ra|dec|distance|redshift|completeness|region|copy")


def _check_no_place_is_cut(galaxies: GalaxyCatalog) -> None:
    """Raise if galaxies were cut by their place, which neither footprint nor n(z) knows of.

    Raises
    ------
    UsageError
    """
    for cut in galaxies.provenance.get("cuts", []):
        try:
            name = parse(cut["cut"], galaxies.declared).column.name
        except CutError:  # a number of galaxies, in words
            continue
        if _PLACES.fullmatch(name):
            raise UsageError(
                "survey.n_of_z",
                f'galaxies cut by "{cut["cut"]}": densities are those of whole places, and randoms '
                "would be where no galaxy is",
                "no cut on a place or a redshift",
                "state the part of the sky as footprint, and redshifts as the edges of n_of_z",
            )


def _footprint(sky: FootprintPlan) -> Footprint:
    """Return the footprint of a plan."""
    if sky.files:
        return _of_file(sky)
    if sky.opening is not None:
        opening = _angle(sky.opening, "footprint.opening")
        if len(sky.direction) == 3:
            return SkyCap.along(sky.direction, opening)
        ra, dec = (_angle(text, "footprint.direction") for text in sky.direction)
        return SkyCap((ra, dec), opening)
    west, east = (_angle(text, "footprint.ra") for text in sky.ra or ())
    south, north = (_angle(text, "footprint.dec") for text in sky.dec or ())
    return SkyBox((west, east), (south, north))


def _remapping(plan: RemappingPlan | None) -> Remapping | str | None:
    """Return the remapping of a plan: `Remapping`, or the word "fit"."""
    if plan is None or plan.vectors == "fit":
        return None if plan is None else FIT
    where = "light_cone.remapping.towards"
    ra, dec = (_angle(text, where) for text in plan.towards or ("0 deg", "0 deg"))
    return Remapping(plan.vectors, (ra, dec))


def _angle(text: str, key: str) -> float:
    return in_unit(f"survey.{key}", text, "deg", 1.0)


def _of_file(sky: FootprintPlan) -> Footprint:
    """Return the footprint in the file that a plan names."""
    if sky.map is not None:
        return read_map(sky.map, order=sky.order, coordinates=sky.coordinates)
    if sky.coverage is not None:
        return SkyCoverage(sky.coverage)
    if sky.polygons is not None:
        return SkyPolygons(sky.polygons)
    assert sky.randoms is not None, "one of the four"
    assert sky.nside is not None, "checked with the plan"
    return read_randoms(sky.randoms, nside=sky.nside)


def _has(plan: SurveyPlan, name: str) -> bool:
    return getattr(plan, name) is not None


def number_density_of(
    edges: NDArray[Any], texts: Sequence[str], cosmology: Cosmology
) -> NumberDensity:
    """Return the number density whose values have units, one for each bin of redshift.

    Parameters
    ----------
    edges : ndarray of float, shape (m + 1,)
    texts : sequence of str
        Comoving densities, or densities on the sky for each unit of redshift.
    cosmology : Cosmology
    """
    from ...survey_plan import DENSITY, SURFACE_DENSITY, is_in

    on_the_sky = is_in(texts[0], SURFACE_DENSITY)
    unit = SURFACE_DENSITY if on_the_sky else DENSITY
    values = np.array([_number(text, unit, cosmology, "n_of_z") for text in texts])
    if on_the_sky:
        return NumberDensity.of_surface(edges, values, cosmology)
    return NumberDensity(edges, values)


def _number(text: str, unit: str, cosmology: Cosmology, key: str) -> float:
    """Return a quantity of the plan in a unit."""
    return in_unit(f"survey.{key}", text, unit, cosmology.h)
