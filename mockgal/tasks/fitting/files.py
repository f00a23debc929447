"""Fit from files to files: samples, the fit beside the data, a recipe, and pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import MockgalError, UsageError
from ...system.progress import shown
from ..build import read
from ..one_statistic import read_covariance, read_measurement
from .fit import Plan, number

if TYPE_CHECKING:
    from ...fitting.result import Fit
    from ...statistics.covariance import Covariance
    from ...statistics.result import Measurement

SAMPLES, DATA, RECIPE, CHAIN = "samples.ecsv", "fit.ecsv", "best.yaml", "chain.hdf5"
PICTURES = {"posterior": "posterior.png", "fit": "fit.png"}


@dataclass(frozen=True)
class Written:
    """The result of a fit, and the files that were written.

    Parameters
    ----------
    fit : Fit
    wrote : tuple of Path
    """

    fit: Fit
    wrote: tuple[Path, ...]


def fit_files(
    sim: str | os.PathLike[str],
    data: Sequence[str],
    covariances: Sequence[str],
    out: str | os.PathLike[str],
    *,
    model: str,
    seed: int,
    priors: Sequence[str] = (),
    parameters: str | None = None,
    number_density: str | None = None,
    number_density_error: str | None = None,
    r_min: str | None = None,
    r_max: str | None = None,
    survey_volume: str | None = None,
    likelihood: str = "matched",
    steps: int | None = None,
    populate: bool | Mapping[str, Any] = False,
    tracers: int | None = None,
    painter_options: Mapping[str, Any] | None = None,
    read_options: Mapping[str, Any] | None = None,
    tables: str | os.PathLike[str] | None = None,
    plots: bool = True,
    overwrite: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Written:
    """Fit a model to the tables that `mockgal measure` wrote, and write the result into a folder.

    Parameters
    ----------
    sim : path-like
    data : sequence of str
        Tables of measurements.
    covariances : sequence of str
        Tables of covariances, or of the means of several mocks, in the same order; none for those
        of the data themselves.
    out : path-like
        Folder for the output, which is created. It keeps the chain: an interrupted fit goes on
        where it was when the same command is run again.
    model, seed, priors, parameters, number_density, number_density_error, r_min, r_max
    survey_volume, likelihood, steps, populate, tracers
        See `mockgal.fit`.
    painter_options : mapping, optional
        Further options of the HOD.
    read_options : mapping, optional
        See `mockgal.read`.
    tables : path-like, optional
        Folder that keeps tables of pairs; by default that of ``out``.
    plots : bool
    overwrite : bool
    progress : callable, optional
        Called with (done, total, what).

    Returns
    -------
    Written

    Raises
    ------
    MockgalError
        See `mockgal.fit`; a file cannot be read or written.
    """
    from ...reports.figures import save_figure
    from ...reports.posterior import corner, fitted
    from ...system.files.atomic import together
    from ...system.files.lock import output_lock

    folder = Path(out)
    kept = folder.parent if tables is None else Path(tables)
    _check_folders(folder, kept, overwrite)
    results = [read_measurement(path) for path in data]
    matrices: list[Covariance | Measurement | None] = [_covariance(path) for path in covariances]
    scene = read(sim, **(read_options or {}))
    stated = {
        "r_min": r_min,
        "r_max": r_max,
        "number_density": number_density,
        "number_density_error": number_density_error,
        "survey_volume": survey_volume,
    }
    numbers = {name: number(scene, name, text) for name, text in stated.items()}
    plan = Plan.of(
        *(model, priors, parameters, populate, painter_options or {}),
        number_density=numbers["number_density"],
        number_density_error=numbers["number_density_error"],
        survey_volume=numbers["survey_volume"],
        likelihood=likelihood,
        tracers=tracers,
        steps=steps,
        seed=seed,
    )
    ends = {name: x for name in ("r_min", "r_max") if (x := numbers[name]) is not None}
    recipe = {"sim": os.path.abspath(sim), **_of_recipe(read_options or {})}
    with output_lock(folder / SAMPLES), shown(progress):
        found = plan.carry_out(
            *(scene, results, matrices or [None] * len(results), ends, kept),
            names=list(data),
            recipe=recipe,
            chain_path=folder / CHAIN,
        )
        wrote = [folder / name for name in (DATA, RECIPE, SAMPLES)]
        figures = {}
        if plots:
            figures = {"posterior": corner(found), "fit": fitted(found)}
            wrote += [folder / PICTURES[name] for name in figures]
        with together(*wrote):
            for name, figure in figures.items():
                save_figure(figure, folder / PICTURES[name], overwrite=overwrite)
            found.save_data(folder / DATA, overwrite=overwrite)
            found.save_recipe(folder / RECIPE, overwrite=overwrite)
            found.save(folder / SAMPLES, overwrite=overwrite)
    return Written(found, tuple(wrote))


def _covariance(path: str) -> Covariance | Measurement:
    """Return the covariance in a table, or the mean of several mocks that it is to be from."""
    try:
        return read_covariance(path)
    except MockgalError:
        try:
            mean = read_measurement(path)
        except MockgalError:
            mean = None
        if mean is None or not mean.realisations:
            raise
        return mean


def _check_folders(folder: Path, kept: Path, overwrite: bool) -> None:
    """Raise if the output could not be written; make its folder."""
    from ...system.files.atomic import check_output
    from ...system.files.lock import output_error

    if not os.path.isdir(folder):
        check_output(folder, overwrite=False)
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise output_error(folder, error) from error
    for name in (SAMPLES, DATA, RECIPE, CHAIN, *PICTURES.values()):
        if name != CHAIN or overwrite:
            check_output(folder / name, overwrite)
    if not os.path.isdir(kept):
        raise UsageError("--tables", f"no folder {kept}", "a folder", "make it, or name another")


def _of_recipe(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options of reading as keys of a recipe."""
    made = {}
    for key, value in options.items():
        path = key == "matter" and value is not None
        made[key] = os.path.abspath(value) if path else value
    return made
