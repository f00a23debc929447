"""Draw the galaxies of one catalogue, or compare those of several."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import UsageError, warn
from ..measure import look
from .surveys import check_options, figure_of_survey, refuse

if TYPE_CHECKING:
    from ...types import GalaxyCatalog


class Drawn(NamedTuple):
    """The catalogues that were drawn, by label, and the captions of pictures of a survey."""

    catalogues: dict[str, GalaxyCatalog]
    captions: dict[str, str]


def plot_files(
    paths: Sequence[str],
    out: str | os.PathLike[str],
    *,
    labels: Sequence[str] = (),
    sim: str | os.PathLike[str] | None = None,
    cuts: Sequence[str] = (),
    read_options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    **of_survey: Any,
) -> Drawn:
    """Draw the galaxies of a catalogue, or compare those of several.

    Parameters
    ----------
    paths : sequence of str
        See `mockgal.tasks.measure.look`. For one path, a map, the mass function and the occupation
        of hosts are drawn; for galaxies on the sky a map, a wedge, n(z) and weights; for several
        paths, the mass functions, stellar masses by host mass, and power spectra.
    out : path-like
        Picture: .png, .pdf or .svg.
    labels : sequence of str
        Names of the catalogues, one for each path. By default the shortest end of each path that
        tells it from the others.
    sim, cuts, read_options
        See `mockgal.tasks.measure.look`; ``sim`` is for one path only. Reading options apply to
        simulations, not mocks.
    overwrite : bool
    **of_survey
        For galaxies on the sky: see `mockgal.tasks.plotting.surveys.figure_of_survey`.

    Returns
    -------
    Drawn

    Raises
    ------
    UsageError
        ``sim`` is given for several paths, a path is repeated, the labels do not match the paths,
        several catalogues are on the sky, or there are options for galaxies that are not.

    Warns
    -----
    MockgalWarning
        The catalogues differ in more than their galaxies (`mockgal.reports.differences`). The
        picture says so below the panels and in the metadata of its file.
    """
    from ...readers.mocks.reader import is_catalogue
    from ...reports.differences import differences
    from ...reports.figures import check_extension, comparison, overview, save_figure
    from ...reports.names import names_of
    from ...statistics.plotting.lettering import distinct
    from ...system.files.atomic import check_output

    names = names_of(paths, labels)
    check_options(of_survey)
    check_extension(Path(out))
    read_too = [of_survey[name] for name in ("randoms", "n_of_z") if name in of_survey]
    check_output(Path(out), overwrite, [Path(path) for path in (*paths, *read_too)])
    if sim is not None and len(paths) > 1:
        raise UsageError(
            "--sim", f"{sim}, beside several catalogues", "one catalogue", "leave it out"
        )
    mocks = [is_catalogue(path) for path in paths]
    catalogues = []
    for path, mock in zip(paths, mocks, strict=True):
        options = {
            key: value
            for key, value in (read_options or {}).items()
            if all(mocks) or (key == "changed_by_hand") == mock  # to mocks or to simulations
        }
        catalogues.append(look(path, sim=sim, cuts=cuts, **options))
    named = {name: one.galaxies for name, one in zip(names, catalogues, strict=True)}
    on_the_sky = [name for name, galaxies in named.items() if galaxies.frame == "sky"]
    captions: dict[str, str] = {}
    unlike: list[str] = []
    if len(named) > 1:
        _check_in_boxes(on_the_sky, of_survey)
        unlike = differences(named)
        for difference in unlike:
            warn(f"the catalogues differ: {difference}", stacklevel=2)
        short = dict(zip(distinct(names), named.values(), strict=True))
        figure = comparison(short, differences(short))
    elif on_the_sky:
        if sim is not None:
            raise UsageError("--sim", f"{sim}, for a light cone", "none", "leave it out")
        by_hand = (read_options or {}).get("changed_by_hand")
        figure, captions = figure_of_survey(
            named[names[0]], of_survey, cuts=cuts, label=names[0], changed_by_hand=by_hand
        )
    else:
        refuse(of_survey, "galaxies in a periodic box")
        figure = overview(catalogues[0].galaxies, catalogues[0].hosts, label=names[0])
    described = [*unlike, *(f"{name}: {text}" for name, text in captions.items())]
    save_figure(figure, Path(out), overwrite=overwrite, description="; ".join(described))
    return Drawn(named, captions)


def _check_in_boxes(on_the_sky: Sequence[str], of_survey: Mapping[str, Any]) -> None:
    """Raise if some of several catalogues are on the sky, or there are options for these."""
    refuse(of_survey, "several catalogues")
    if on_the_sky:
        raise UsageError(
            "mockgal plot",
            f"light cones beside other catalogues: {', '.join(on_the_sky)}",
            "one light cone, or catalogues in periodic boxes",
            "plot them one at a time, or put light cones beside each other on a page: "
            "mockgal compare --truth one.fits --mock other=other.fits --out page",
        )
