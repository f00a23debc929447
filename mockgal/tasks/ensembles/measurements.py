"""Measure several mocks in the same way: the mean, the scatter and the covariance, into files."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import IncompleteError, InputError, UsageError, listening, warn
from ...layout import DATA_MODELS
from ...system.files.atomic import check_output
from ...system.files.lock import output_error
from ...writers.models.companions import randoms_path
from ...writers.provenance import sidecar_path
from ..measure import Progress, measure_files
from .manifest import is_manifest, read_manifest, without_extension

if TYPE_CHECKING:
    from ...statistics.result import Measurement

MOCKS = "mocks"  # folder, in that of the output, for the tables of each mock
_WILD = re.compile(r"[*?\[]")
_NUMBER = re.compile(r"([0-9]+)")


class Sample(NamedTuple):
    """A mock to measure, and its randoms if it has some of its own."""

    path: Path
    randoms: Path | None = None


def samples_of(paths: Sequence[str]) -> list[Sample]:
    """Return the mocks that paths name: themselves, a manifest of mocks, or a pattern.

    Parameters
    ----------
    paths : sequence of str
        Files; manifests that `mockgal build` wrote; or patterns such as ``"mock-*.fits"`` that no
        shell has expanded, whose files are taken in the order of the numbers in their names.

    Raises
    ------
    UsageError
        A mock is named twice.
    InputError
        No file has a name of the pattern; or a manifest is damaged.
    """
    found: list[Sample] = []
    for path in paths:
        if is_manifest(Path(path)):
            members = read_manifest(Path(path)).members
            found += [Sample(one.path, one.randoms) for one in members]
        elif _WILD.search(path) and not os.path.lexists(path):
            names = sorted(glob.glob(path), key=_by_number)
            of_pattern = _mocks(list(map(Path, names)))
            if not of_pattern:
                raise InputError(path, "no such mock", "files with names of this pattern", _CHECK)
            found += of_pattern
        else:
            found.append(Sample(Path(path)))
    real = [os.path.realpath(one.path) for one in found]
    for one, name in zip(found, real, strict=True):
        if real.count(name) > 1:
            raise UsageError(one.path, "a mock that is named twice", "each mock once", _CHECK)
    return found


_CHECK = "check the names of the mocks"


def _mocks(paths: Sequence[Path]) -> list[Sample]:
    """Return the mocks among files, with their randoms: no records, manifests, or randoms alone."""
    records = {sidecar_path(path) for path in paths}
    mocks = [path for path in paths if path not in records and not is_manifest(path)]
    randoms = {
        points: path
        for path in mocks
        for points in {randoms_path(path, model) for model in DATA_MODELS}
        if points.exists()
    }
    own = {path: points for points, path in randoms.items()}
    return [Sample(path, own.get(path)) for path in mocks if path not in randoms]


def _by_number(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts mock-2 before mock-10."""
    parts = _NUMBER.split(name)
    return [(int(part), "") if i % 2 else (-1, part) for i, part in enumerate(parts)]


class Written(NamedTuple):
    """What was measured of several mocks.

    Parameters
    ----------
    results : dict of Path to Measurement
        Mean and scatter, by path of the table.
    wrote : list of Path
        All files but those of each mock.
    kept : int
        Tables of mocks that were there already, of the same galaxies and options.
    """

    results: dict[Path, Measurement]
    wrote: list[Path]
    kept: int = 0


def measure_ensemble(
    samples: Sequence[Sample],
    statistics: Sequence[str],
    out: str | os.PathLike[str],
    *,
    randoms: str | os.PathLike[str] | None = None,
    plots: bool = True,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Written:
    """Measure each mock, and write mean, scatter and covariance of each statistic.

    The tables of each mock are kept if they are of these galaxies and options, so that one that was
    stopped goes on, and more mocks can be added.

    Parameters
    ----------
    samples : sequence of Sample
        At least two.
    statistics : sequence of str
    out : path-like
        Folder: ``<statistic>.ecsv`` has mean and scatter, ``<statistic>-covariance.ecsv`` the
        covariance, each with a plot; ``mocks/`` has a folder for each mock with its own tables.
    randoms : path-like, optional
        Of all mocks; by default each mock's own, which a manifest names.
    plots, overwrite, progress
        See `mockgal.tasks.measure.measure_files`.
    **options
        See there.

    Raises
    ------
    UsageError
        The mocks were not made in one way, or have no bins in common.
    MockgalError
        See `mockgal.tasks.measure.measure_files`.
    """
    folder, names = Path(out), list(dict.fromkeys(statistics))
    if len(samples) < 2:
        raise UsageError(
            "mockgal measure",
            f"{len(samples)} mock in the manifest",
            "two at least, for their scatter",
            "name the mock itself, or build more",
        )
    files = _files(folder, names, plots)
    if not os.path.isdir(folder):
        check_output(folder, overwrite=False)
    else:
        for target in files:
            check_output(target, overwrite, [one.path for one in samples])
    try:
        (folder / MOCKS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    found: dict[str, list[Measurement]] = {name: [] for name in names}
    said: set[str] = set()
    refused: dict[str, Path] = {}
    kept: list[Path] = []
    for done, (one, stem) in enumerate(zip(samples, _stems(samples), strict=True)):
        if progress is not None:
            progress(done, len(samples), "mocks")
        points = one.randoms if randoms is None else Path(randoms)
        results: dict[Path, Measurement] = {}
        with listening(quiet=True) as texts, suppress(IncompleteError):
            measure_files(
                one.path,
                [name for name in names if name not in refused],
                folder / MOCKS / stem,
                randoms=points,
                plots=False,
                overwrite=overwrite,
                progress=progress,
                written=results.__setitem__,
                kept=kept.append,
                **options,
            )
        measured = {result.statistic for result in results.values()}
        refused |= {name: one.path for name in found if name not in measured | set(refused)}
        for text in dict.fromkeys(texts):
            if text not in said:
                warn(f"{one.path}: {text}")
        said.update(texts)
        for result in results.values():
            found[result.statistic].append(result)
    if progress is not None:
        progress(len(samples), len(samples), "mocks")
    of_all = {name: results for name, results in found.items() if name not in refused}
    written = _write(of_all, folder, plots=plots, overwrite=overwrite)
    if refused:
        raise IncompleteError(
            "measure",
            "; ".join(f"{name} not measured of {path}" for name, path in refused.items())
            + f"; the others are written to {folder}" * bool(of_all),
            "all statistics of all mocks",
            "follow the warnings, then measure these alone in another folder",
        )
    return written._replace(kept=len(kept))


def _files(folder: Path, names: Sequence[str], plots: bool) -> list[Path]:
    tables = [folder / f"{name}{kind}.ecsv" for name in names for kind in ("", "-covariance")]
    return [path for table in tables for path in (table, table.with_suffix(".png"))[: 1 + plots]]


def _stems(samples: Sequence[Sample]) -> list[str]:
    """Return a name for the folder of each mock: its own, or with its number if names repeat."""
    stems = [without_extension(one.path.name) for one in samples]
    if len(set(stems)) == len(stems):
        return stems
    return [f"{number + 1}-{stem}" for number, stem in enumerate(stems)]


def _write(
    found: Mapping[str, Sequence[Measurement]], folder: Path, *, plots: bool, overwrite: bool
) -> Written:
    from ...reports.figures import save_figure, single
    from ...statistics.covariance import covariance_of_mocks
    from ...statistics.ensemble import combine

    results: dict[Path, Measurement] = {}
    wrote: list[Path] = []
    for name, measured in found.items():
        table = folder / f"{name}.ecsv"
        results[table] = combined = combine(measured)
        covariance = covariance_of_mocks(measured)
        matrix = folder / f"{name}-covariance.ecsv"
        combined.save(table, overwrite=overwrite)
        covariance.save(matrix, overwrite=overwrite)
        wrote += [table, matrix]
        if plots:
            for path, figure in ((table, single(combined)), (matrix, covariance.plot())):
                save_figure(figure, path.with_suffix(".png"), overwrite=overwrite)
                wrote.append(path.with_suffix(".png"))
    return Written(results, wrote)
