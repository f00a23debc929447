"""A build: read, populate, paint, select, survey and write in turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ..columns import GALAXY_COLUMNS
from ..errors import EmptyResultError, listening, warn
from ..layout import INPUTS, POPULATED
from ..painters.choose import guarded, predict_satellites
from ..painters.choose import make_painter as make_painter
from ..protocols import Painter
from ..types import GalaxyCatalog, Scene
from .steps.paint import paint as paint
from .steps.paint import paint_with, populate_with, satellite_options
from .steps.paint import populate as populate
from .steps.paint import select as select
from .steps.read import read as read
from .steps.read import read_galaxies as read_galaxies
from .verification.inputs import describe_inputs, recorded, sources_of
from .write import write as write

if TYPE_CHECKING:
    from ..recipe import Recipe
    from ..satellites.options import SatelliteOptions
    from .surveying.outputs import Outputs
    from .surveying.steps import Survey


@dataclass(frozen=True)
class Report:
    """The result of a build.

    Parameters
    ----------
    path : Path
        File of the catalogue.
    scene : Scene
        The simulation that was painted.
    galaxies : GalaxyCatalog
        The galaxies that were written.
    randoms : GalaxyCatalog or None
        The randoms of a survey, and
    randoms_path : Path or None
        their file.
    density_path : Path or None
        File of the number density by redshift, which some data models have.
    digests : tuple of str
        Content digests of the galaxies, and of the randoms or "".
    """

    path: Path
    scene: Scene
    galaxies: GalaxyCatalog
    randoms: GalaxyCatalog | None
    randoms_path: Path | None
    density_path: Path | None
    digests: tuple[str, str]


def build(recipe: Recipe) -> Report:
    """Read, paint, select, survey and write as a recipe describes.

    Parameters
    ----------
    recipe : Recipe
        Made from the keys of a recipe (docs/reference/recipe.md) by `mockgal.recipe.check`.

    Raises
    ------
    MockgalError
        Any step failed; the output files are left untouched.

    Returns
    -------
    Report
        The path of the file, the simulation that was painted, the galaxies and the randoms.

    Examples
    --------
    >>> from mockgal.recipe import check
    >>> recipe = {"sim": "catalogs/demo/dark.hdf5", "painter": "hod", "seed": 1, "out": "mock.fits"}
    >>> len(mockgal.build(check(recipe, "an example")).galaxies)
    333
    """
    from .surveying.outputs import Outputs

    outputs = Outputs.of(recipe, recipe.output)
    work = Work.of(recipe)
    outputs.check(work.inputs)
    with outputs.locked():  # a second run is stopped before it computes anything
        return work.mock(recipe, outputs)


Made = TypeVar("Made")


class Once(Generic[Made]):
    """A value that is made when it is first asked for; its warnings are repeated each time.

    Parameters
    ----------
    make : callable
    """

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make, self._made, self._warnings = make, list[Made](), list[str]()

    def __call__(self) -> Made:
        """Return the value."""
        if self._made:
            for text in self._warnings:
                warn(text)
        else:
            with listening() as self._warnings:
                self._made.append(self._make())
        return self._made[0]


class Snapshot:
    """A snapshot of a build, with its painter.

    Parameters
    ----------
    recipe : Recipe
    path : Path
    painter : Painter
    keep : bool
        Whether it is read and predicted once, for several seeds.
    """

    def __init__(self, recipe: Recipe, path: Path, painter: Painter, *, keep: bool) -> None:
        self.path, self.painter, self._recipe = path, painter, recipe
        self._kept: dict[str, Once[Any]] | None = {} if keep else None

    def _once(self, what: str, make: Callable[[], Made]) -> Made:
        if self._kept is None:
            return make()
        return cast(Once[Made], self._kept.setdefault(what, Once(make)))()

    def read(self) -> Scene:
        """Return the simulation."""
        recipe = self._recipe
        matter = recipe.matter if self.path is recipe.sim else None
        how: dict[str, Any] = {"format": recipe.format, "matter": matter}
        return self._once("scene", lambda: read(self.path, **how, **recipe.read_options._asdict()))

    def populate(self, sim: Scene, seed: int, options: SatelliteOptions) -> Scene:
        """Return the simulation, which `read` returned, with satellites."""
        with guarded(self._recipe.painter, sim):
            if self._kept is None:
                return populate_with(sim, self.painter, seed, options, {})
            law = self._once("law", lambda: predict_satellites(sim, self.painter))
            return populate_with(sim, law, seed, options, {})

    def paint(self, sim: Scene, seed: int) -> GalaxyCatalog:
        """Return the galaxies of a simulation."""
        with guarded(self._recipe.painter, sim):
            if self._kept is None or POPULATED in sim.halos.record:  # other satellites each time
                return paint_with(sim, self.painter, seed)
            return paint_with(
                *(sim, self.painter, seed),
                lambda: self._once("prediction", lambda: self.painter.predict(sim)),
            )


@dataclass(frozen=True)
class Mock:
    """A mock in memory.

    Parameters
    ----------
    scenes : list of Scene
        The simulations that were painted.
    galaxies : GalaxyCatalog
    randoms : GalaxyCatalog or None
    inputs : list of Path
        The files that were read.
    """

    scenes: list[Scene]
    galaxies: GalaxyCatalog
    randoms: GalaxyCatalog | None
    inputs: list[Path]


@dataclass(frozen=True)
class Work:
    """What the mocks of a recipe share, whatever their seeds.

    Parameters
    ----------
    snapshots : tuple of Snapshot
    satellites : SatelliteOptions or None
        How satellites are made, if they are.
    survey : Survey or None
    inputs : tuple of Path
        The paths that the recipe names to read.
    """

    snapshots: tuple[Snapshot, ...]
    satellites: SatelliteOptions | None
    survey: Survey | None
    inputs: tuple[Path, ...]

    @classmethod
    def of(cls, recipe: Recipe, *, keep: bool = False) -> Work:
        """Return the work of a recipe, whose options are checked before anything is read.

        Parameters
        ----------
        recipe : Recipe
        keep : bool
            Whether simulations are read and predicted once, for several seeds.

        Raises
        ------
        UsageError
            The painter has no such option, or an option cannot have its value.
        CutError
            A cut is none.
        """
        from ..painters.provided import declared_columns
        from ..selection.cuts import parse

        painter = make_painter(recipe.painter, recipe.painter_options)
        for cut in recipe.cut:
            parse(cut, declared_columns(painter))
        satellites = satellite_options(recipe.populate_options) if recipe.populate else None
        snapshots = _snapshots(recipe, painter)
        survey = None
        if recipe.survey is not None:
            from .surveying.steps import Survey  # with scipy's splines, slow to import

            survey = Survey.of(recipe.survey)
        return cls(
            tuple(Snapshot(recipe, *one, keep=keep) for one in snapshots),
            satellites,
            survey,
            tuple(_inputs(recipe)),
        )

    def mock(self, recipe: Recipe, outputs: Outputs) -> Report:
        """Make and write the mock of one seed, with its outputs locked.

        Parameters
        ----------
        recipe : Recipe
            With the seed.
        outputs : Outputs
        """

        def check(sim: Scene, painter: Painter, inputs: list[Path]) -> None:
            self.check_outputs(outputs, sim, painter, inputs)

        return self.write(recipe, outputs, self.make(recipe, check))

    def check_outputs(
        self,
        outputs: Outputs,
        sim: Scene,
        painter: Painter,
        inputs: list[Path],
        rows: int | None = None,
    ) -> None:
        """Raise if the mock of a simulation, of ``rows`` or its own, could not be written."""
        from ..painters.provided import bytes_of_a_galaxy

        outputs.writer.check_columns(_columns(sim, self.survey), outputs.galaxies)
        outputs.check(inputs, bytes_of_a_galaxy(painter) * (rows or len(sim.halos)))

    def write(self, recipe: Recipe, outputs: Outputs, mock: Mock) -> Report:
        """Write a mock, with its outputs locked."""
        sources = sources_of(recipe, mock.scenes)
        stated = {
            "configuration": recipe.configuration(),
            "configuration_digest": recipe.configuration_digest(),
            INPUTS: describe_inputs(recipe, sources),
        }
        galaxies = mock.galaxies.with_provenance(**stated)
        randoms = mock.randoms and mock.randoms.with_provenance(**stated)
        asked = recorded("build", recipe, sources)
        density, digests = outputs.write_and_record(galaxies, randoms, mock.inputs, asked)
        return Report(
            *(outputs.galaxies, mock.scenes[0], galaxies, randoms),
            *(outputs.randoms, density, digests),
        )

    def make(
        self, recipe: Recipe, check: Callable[[Scene, Painter, list[Path]], None] | None = None
    ) -> Mock:
        """Make the mock of one seed, and write nothing.

        Parameters
        ----------
        recipe : Recipe
            With the seed.
        check : callable, optional
            Raises if the mock of a simulation could not be written.
        """
        scenes, boxes, inputs = [], [], list(self.inputs)
        for snapshot in self.snapshots:
            sim = self.read(snapshot, recipe.seed)
            inputs += [Path(file.path) for file in sim.snapshot.source]
            if check is not None:
                check(sim, snapshot.painter, inputs)
            boxes.append(select(snapshot.paint(sim, recipe.seed), *recipe.cut))
            scenes.append(sim)
        return self.finish(recipe, scenes, boxes, inputs)

    def read(self, snapshot: Snapshot, seed: int) -> Scene:
        """Return the simulation of a snapshot, with the satellites that are made for it."""
        sim = snapshot.read()
        if self.survey is not None:
            self.survey.check_frame(sim.snapshot.frame == "sky")
        return sim if self.satellites is None else snapshot.populate(sim, seed, self.satellites)

    def finish(
        self,
        recipe: Recipe,
        scenes: list[Scene],
        boxes: list[GalaxyCatalog],
        inputs: list[Path],
    ) -> Mock:
        """Return the mock of galaxies that are painted and cut, surveyed if that is asked for."""
        galaxies, randoms = boxes[0], None
        if self.survey is not None:
            galaxies, randoms = self.survey.carry_out(boxes, recipe.seed)
        if recipe.require_nonempty and not len(galaxies):
            raise EmptyResultError(
                recipe.sim,
                "no galaxy that passes the cuts",
                "at least one",
                "loosen the cuts, or omit --require-nonempty",
            )
        return Mock(scenes, galaxies, randoms, inputs)


def _snapshots(recipe: Recipe, painter: Painter) -> list[tuple[Path, Painter]]:
    """Return the snapshots of a recipe, each with its painter."""
    cone = None if recipe.survey is None else recipe.survey.light_cone
    others = () if cone is None else cone.snapshots
    return [
        (recipe.sim, painter),
        *((one.sim, make_painter(recipe.painter, recipe.options_of(one))) for one in others),
    ]


def _inputs(recipe: Recipe) -> list[Path]:
    """Return the paths that a recipe names to read."""
    paths = [recipe.sim, recipe.matter]
    if recipe.survey is not None:
        paths += recipe.survey.inputs
    return [path for path in paths if path is not None]


def _columns(sim: Scene, survey: Survey | None) -> list[str]:
    """Return the columns that the galaxies of a simulation have after a survey."""
    from ..survey.sky import SKY_COLUMNS

    sky = SKY_COLUMNS if sim.snapshot.frame == "sky" else ()
    return [*GALAXY_COLUMNS, *sky, *(() if survey is None else survey.columns)]
