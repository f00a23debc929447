"""Pictures of a survey in one figure, each with a caption that says what it shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...statistics.plotting.lettering import elided, fill, legible, write_title
from ...statistics.plotting.palette import NOTE, picture_style
from ...survey.number_density import NumberDensity
from ...types import GalaxyCatalog
from .panels import WEIGHTS, draw_n_of_z, draw_weights, weights_of
from .sky_map import draw_sky
from .view import View, counted, declinations_of
from .wedge import draw_wedge

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DRAW: dict[str, Callable[[Any, View], list[str]]] = {
    "sky": draw_sky,
    "wedge": draw_wedge,
    "n_of_z": draw_n_of_z,
    "weights": draw_weights,
}
PICTURES = tuple(_DRAW)
_SIZES = {"sky": (7.0, 4.9), "wedge": (7.0, 5.4), "n_of_z": (6.4, 4.6), "weights": (8.0, 4.2)}
_FILLED = 0.85  # of the width by a caption; small letters are wider in files of other resolutions
_ACROSS = 2  # pictures in a row
_LONGEST = 60  # characters of a simulation's name


def survey_picture(
    galaxies: GalaxyCatalog,
    pictures: Sequence[str] | str = (),
    *,
    randoms: GalaxyCatalog | None = None,
    asked: NumberDensity | None = None,
    declinations: tuple[float, float] | str | None = None,
    radial: str = "distance",
    per: str = "volume",
    redshifts: str | None = None,
    label: str = "",
) -> Figure:
    """Return pictures of galaxies on the sky: a map, a wedge, n(z), and their weights.

    Parameters
    ----------
    galaxies : GalaxyCatalog
        On the sky.
    pictures : str or sequence of str
        Some of `PICTURES`, ``"sky"``, ``"wedge"``, ``"n_of_z"`` and ``"weights"``; by default all
        for which the galaxies have columns.
    randoms : GalaxyCatalog, optional
        Of the same survey: for the outline of the footprint, and for n(z).
    asked : NumberDensity, optional
        The number density that was asked for; by default the one in the record of the galaxies.
    declinations : tuple of float or str, optional
        Borders of the wedge's slice [deg], or a text such as ``"-2.5 2.5 deg"``. By default about
        the median declination, 2 to 10 degrees wide, so that it holds 5,000 galaxies if it can.
    radial : str
        What grows outward in the wedge: ``"distance"``, or ``"redshift"``.
    per : str
        What n(z) is per: ``"volume"`` [h^3 Mpc^-3], or ``"area"`` and unit of redshift [deg^-2].
    redshifts : str, optional
        Column of the redshifts; by default those that the survey sees.
    label : str
        Name of the catalogue.

    Returns
    -------
    Figure
        Of matplotlib: ``.savefig("sky.pdf")``.

    Raises
    ------
    UsageError
        The galaxies are in a box, an option is not allowed, or there are no weights to draw.

    Examples
    --------
    >>> from mockgal.reports.sky.pictures import survey_picture
    >>> from mockgal.survey.light_cone import light_cone
    >>> mock = mockgal.paint(mockgal.read("catalogs/demo/dark.hdf5"), "hod", seed=1)
    >>> figure = survey_picture(light_cone(mock, redshifts=(0.002, 0.004)), "sky")
    >>> figure.savefig("sky.png")
    """
    slice_ = declinations_of(declinations) if isinstance(declinations, str) else declinations
    view = View(galaxies, randoms, asked, slice_, radial, per, redshifts)
    names = [pictures] if isinstance(pictures, str) else pictures
    return draw_pictures(view, names, label=label)[0]


def draw_pictures(
    view: View, names: Sequence[str], *, label: str = ""
) -> tuple[Figure, dict[str, str]]:
    """Return pictures in one figure, and their captions by name: see `survey_picture`."""
    view.check()
    names = chosen(view, names)
    with picture_style():
        from matplotlib.figure import Figure

        across = min(_ACROSS, len(names))
        rows = -(-len(names) // across)
        sizes = [_SIZES[name] for name in names]
        width = across * max(size[0] for size in sizes)
        heights = [
            max(size[1] for size in sizes[k * across : (k + 1) * across]) for k in range(rows)
        ]
        figure = Figure(figsize=(width, sum(heights) + 0.4), layout="constrained")
        parts = figure.subfigures(rows, across, squeeze=False, height_ratios=heights).flat
        captions = {
            name: _drawn(part, name, view) for name, part in zip(names, parts, strict=False)
        }
        write_title(figure, _described(view, label), fontsize=11)
    return figure, captions


def check_names(names: Sequence[str]) -> None:
    """Raise if there is no such picture.

    Raises
    ------
    UsageError
    """
    for name in names:
        if name not in PICTURES:
            raise UsageError("--picture", repr(name), "one of " + ", ".join(PICTURES))


def chosen(view: View, names: Sequence[str]) -> list[str]:
    """Return the names of pictures, each once; by default those that can be drawn.

    Raises
    ------
    UsageError
        There is no such picture, or there are no weights to draw.
    """
    check_names(names)
    if not names:
        return [name for name in PICTURES if name != "weights" or weights_of(view)]
    if "weights" in names and not weights_of(view):
        raise UsageError(
            "--picture weights",
            "galaxies without weights",
            "a column " + " or ".join(WEIGHTS),
            "add weights to the survey, or leave this picture out",
        )
    return list(dict.fromkeys(names))


def picture(name: str, view: View) -> Figure:
    """Return one picture in a small figure, whose label is its caption.

    Parameters
    ----------
    name : str
        One of `PICTURES`.
    view : View
    """
    with picture_style():
        from matplotlib.figure import Figure

        width, height = _SIZES[name]
        figure = Figure(figsize=(0.75 * width, 0.75 * height), layout="constrained")
        said = _DRAW[name](figure, view)
        figure.set_label("; ".join(said))
    return figure


def _drawn(part: Any, name: str, view: View) -> str:
    """Draw a picture with its caption below it; return the caption."""
    said = _DRAW[name](part, view)
    text = part.supxlabel("", parse_math=False, x=0.5, fontsize=7.5, color=NOTE)
    fill(part, text, said, share=_FILLED)
    return "; ".join(said)


def _described(view: View, label: str) -> list[str]:
    """Return the parts of a title that describe the galaxies."""
    galaxies = view.galaxies
    snapshot, provenance = galaxies.snapshot, galaxies.provenance
    painter = provenance.get("painter", {}).get("name", "painter not stated")
    low, high = snapshot.redshifts
    return [
        label,
        f"simulation {elided(legible(snapshot.name), _LONGEST)}",
        f"light cone of redshifts {low:.4g} to {high:.4g}",
        f"{counted(len(galaxies))} ({painter})",
        *(f"only {cut['cut']}" for cut in provenance.get("cuts", [])),
    ]
