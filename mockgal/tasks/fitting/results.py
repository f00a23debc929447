"""Fits read back from their files, and drawn together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError, listed

if TYPE_CHECKING:
    from ...fitting.result import Fit


def read_fit(path: str | os.PathLike[str]) -> Fit:
    """Return a fit that `Fit.save` or ``mockgal fit`` wrote.

    Parameters
    ----------
    path : path-like
        The ``samples.ecsv`` of the fit.

    Returns
    -------
    Fit

    Raises
    ------
    MockgalError
        The file is damaged, or no fit of mockgal.

    Examples
    --------
    >>> sim = mockgal.read("catalogs/demo/dark.hdf5", drop_bad=True)
    >>> data = mockgal.measure(mockgal.paint(sim, "hod", seed=1), "xi", bins=5)
    >>> mockgal.fit(
    ...     sim,
    ...     data,
    ...     model="zheng07",
    ...     stellar_mass_law="moster13",
    ...     seed=1,
    ...     parameters={"sigma_logM": 0.2, "logM0": 10.5, "logM1": 11.8, "alpha": 1.0},
    ...     priors={"logMmin": (10.0, 12.0)},
    ...     steps=20,
    ... ).save("samples.ecsv")
    >>> list(mockgal.read_fit("samples.ecsv").samples)
    ['logMmin', 'number_density', 'satellite_fraction']
    """
    from ...fitting.stored import read

    return read(Path(path))


def fit_or_none(path: str | os.PathLike[str], **options: Any) -> Fit | None:
    """Return the fit at ``path``, which takes no options; None if there is something else.

    Raises
    ------
    UsageError
        There are options.
    MockgalError
        See `read_fit`.
    """
    from ...fitting.stored import is_fit

    if not is_fit(Path(path)):
        return None
    if stated := [name for name, value in options.items() if value is not None]:
        raise UsageError(path, listed(stated), "no options: this is a fit", "leave them out")
    return read_fit(path)


def plot_fits(
    paths: Sequence[str],
    out: str | os.PathLike[str],
    *,
    labels: Sequence[str] = (),
    overwrite: bool = False,
) -> dict[str, Fit]:
    """Draw the posterior of a fit, or those of several in the same axes.

    Parameters
    ----------
    paths : sequence of str
        Tables ``samples.ecsv`` of fits.
    out : path-like
        Picture: .png, .pdf or .svg.
    labels : sequence of str
        Names of the fits; by default the ends of their paths.
    overwrite : bool

    Returns
    -------
    dict of str to Fit
        The fits that were drawn, by label.

    Raises
    ------
    MockgalError
        A path is no fit, the labels do not match the paths, or the fits have no free parameter in
        common (`mockgal.reports.posterior.together`).
    """
    from ...reports.figures import check_extension, save_figure
    from ...reports.names import names_of
    from ...reports.posterior import corner, together
    from ...system.files.atomic import check_output

    names = names_of(paths, labels)
    check_extension(Path(out))
    check_output(Path(out), overwrite, [Path(path) for path in paths])
    fits = {name: read_fit(path) for name, path in zip(names, paths, strict=True)}
    figure = corner(next(iter(fits.values()))) if len(fits) == 1 else together(fits)
    save_figure(figure, Path(out), overwrite=overwrite)
    return fits
