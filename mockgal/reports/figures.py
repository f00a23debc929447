"""Figures in files: one statistic, an overview of a catalogue, or a comparison of several.

Figures use neither the state of pyplot nor the user's settings of matplotlib.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..errors import UsageError, printable
from ..statistics.galaxies.mass_function import stellar_mass_function
from ..statistics.galaxies.occupation import occupation
from ..statistics.galaxies.stellar_to_halo import stellar_to_halo_relation
from ..statistics.plotting.lettering import (
    distinct,
    elided,
    legible,
    plain,
    write_below,
    write_title,
)
from ..statistics.plotting.palette import BLUE, NOTE, VERMILLION, picture_style, series
from ..statistics.plotting.plot import draw, panels
from ..statistics.power.spectrum import power_spectrum
from ..statistics.result import Measurement
from ..system.files.atomic import atomic_output
from ..system.progress import advance
from ..types import GalaxyCatalog, HaloCatalog

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EXTENSIONS = (".png", ".pdf", ".svg")
_PLOT_SKY = "draw it with mockgal.reports.sky.pictures.survey_picture"
_LONGEST = 60  # most characters of a simulation's name
_FEW = 20_000  # most galaxies that are drawn one by one
TITLES = {
    "power": "Power spectrum",
    "bispectrum": "Bispectrum",
    "pdf": "Distribution of voxels",
    "mass_function": "Stellar-mass function",
    "stellar_to_halo": "Stellar-to-halo relation",
    "occupation": "Galaxies per host halo",
    "satellite_fraction": "Satellite fraction",
    "xi": "Correlation function",
    "wp": "Projected correlation function",
    "xi_multipoles": "Multipoles of the correlation function",
    "cross_power": "Cross-power spectrum",
    "cross_xi": "Cross-correlation function",
    "cross_wp": "Projected cross-correlation function",
    "w_theta": "Angular correlation function",
    "sky_wp": "Projected correlation function",
    "sky_xi_multipoles": "Multipoles of the correlation function",
    "sky_xi_wedges": "Correlation function in wedges",
    "sky_power": "Power spectrum of the survey",
    "sky_window": "Window of the survey",
}


def check_extension(path: Path) -> None:
    """Raise if a file name does not end in the extension of a picture format.

    Raises
    ------
    UsageError
        It ends in none of `EXTENSIONS`.
    """
    if path.suffix.lower() not in EXTENSIONS:
        raise UsageError(
            path,
            f"extension {path.suffix!r}",
            "one of " + ", ".join(EXTENSIONS),
            "change the extension",
        )


def save_figure(
    figure: Figure, path: Path, *, overwrite: bool = False, description: str = ""
) -> None:
    """Write a figure, completely or not at all; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
    path : Path
        Its extension, one of `EXTENSIONS`, sets the format.
    overwrite : bool
    description : str
        What a reader of the picture has to know, for the file's metadata.
    """
    check_extension(path)
    software, dated, describes = {
        ".png": ("Software", "", "Description"),
        ".pdf": ("Creator", "CreationDate", "Subject"),
        ".svg": ("Creator", "Date", "Description"),
    }[path.suffix.lower()]
    metadata = {software: f"mockgal {__version__}"} | ({dated: None} if dated else {})
    if description:
        metadata[describes] = printable(description)
    with atomic_output(path, overwrite=overwrite) as temporary, picture_style():
        figure.savefig(temporary, dpi=150, metadata=metadata)


def single(result: Measurement, label: str = "") -> Figure:
    """Return a figure of one statistic, which states its sample and what its errors can detect.

    Parameters
    ----------
    result : Measurement
    label : str
        Name of the catalogue.
    """
    with picture_style():
        from matplotlib.figure import Figure

        groups = panels(result)
        figure = Figure(figsize=(6.0 * len(groups), 4.5), layout="constrained")
        for axes, estimates in zip(
            figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True
        ):
            draw(result, axes, estimates)
            _note_if_empty(axes, result, estimates)
        title = TITLES.get(result.statistic, result.statistic.replace("_", " "))
        catalogue = result.settings.get("catalogue", {})
        write_title(figure, [label, title, *_measured(catalogue)], fontsize=10)
        write_below(figure, _errors(result), fontsize=7, color=NOTE)
    return figure


def _measured(catalogue: Mapping[str, Any]) -> list[str]:
    """Return the parts of a title that state what was measured."""
    if not catalogue:
        return []
    facts = _box(*(catalogue[key] for key in ("simulation", "box_size_mpc_h", "redshift")))
    if "redshifts" in catalogue:
        facts[1:] = ["redshifts {:.4g} to {:.4g}".format(*catalogue["redshifts"])]
    number = _galaxies(catalogue["galaxies"], catalogue["painter"])
    if "mocks" in catalogue:
        number = f"{catalogue['mocks']:,} mocks of {number} on average"
    return [
        *facts,
        number,
        *(f"only {cut}" for cut in catalogue.get("cuts", ())),
    ]


def _box(name: str, box_size: float, redshift: float) -> list[str]:
    return [
        f"simulation {elided(legible(name), _LONGEST)}",
        f"box {box_size:.5g} Mpc/h",
        f"redshift {round(redshift, 6) + 0.0:.4g}",
    ]


def _galaxies(number: int, painter: str) -> str:
    return f"{number:,} {'galaxy' if number == 1 else 'galaxies'} ({painter})"


def _errors(result: Measurement) -> list[str]:
    """Return lines that state the errors, and the smallest deviation that they can detect."""
    lines = [f"Errors: {result.settings.get('errors', 'not stated')}"]
    if isinstance(result.settings.get("complete_from_msun_h"), str):  # at no stellar mass
        lines.insert(0, f"Galaxies: {result.settings['completeness']}")
    for name in result.estimates:
        least = result.smallest_detectable_deviation(name)
        least = least[np.isfinite(least)]
        if len(least):
            lines.append(
                f"smallest detectable deviation of {name}: {least.min():.2g} times its value in "
                f"the best bin, {np.median(least):.2g} in the median bin"
            )
    return lines


def _note_if_empty(axes: Axes, result: Measurement, estimates: tuple[str, ...]) -> None:
    """Write a note if no bin has a value."""
    if not any(np.isfinite(result[name].astype(float)).any() for name in estimates):
        _note_empty(axes)


def _note_empty(axes: Axes) -> None:
    _note(axes, "no bin has a value")
    axes.tick_params(which="both", bottom=False, left=False, labelbottom=False, labelleft=False)


def _note(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=NOTE)


def overview(
    galaxies: GalaxyCatalog, hosts: HaloCatalog | None = None, *, label: str = ""
) -> Figure:
    """Return an overview of a catalogue: map, stellar-mass function, and occupation of hosts.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    hosts : HaloCatalog, optional
        The simulation's halos; by default the number of hosts comes from the provenance.
    label : str
        Name of the catalogue.
    """
    galaxies.snapshot.check_periodic("plot", _PLOT_SKY)
    with picture_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(14.0, 5.0), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        _map(galaxies, left)
        masses = stellar_mass_function(galaxies)
        masses.plot(middle)
        _note_if_empty(middle, masses, masses.estimates)
        middle.set_title("Stellar-mass function", fontsize=10)
        if hosts is None and "hosts" not in galaxies.provenance.get("simulation", {}):
            right.set_axis_off()
            _note(right, "number of hosts not known:\ngive the simulation (--sim)")
        else:
            per_host = occupation(galaxies, hosts)
            per_host.plot(right)
            _note_if_empty(right, per_host, per_host.estimates)
        right.set_title("Mean number of galaxies per host halo", fontsize=10)
        write_title(figure, [label, *_described(galaxies)], fontsize=11)
        if galaxies.completeness.limit is None:
            write_below(figure, [f"Galaxies: {galaxies.completeness}"], fontsize=8)
    return figure


def _described(galaxies: GalaxyCatalog) -> list[str]:
    """Return the parts of a title that describe a catalogue."""
    snapshot, provenance = galaxies.snapshot, galaxies.provenance
    painter = provenance.get("painter", {}).get("name", "painter not stated")
    extrapolated = int(np.sum(galaxies["extrapolated"])) if "extrapolated" in galaxies else 0
    return [
        *_box(snapshot.name, snapshot.box_size, snapshot.redshift),
        _galaxies(len(galaxies), painter),
        *([f"{extrapolated:,} of them extrapolated"] if extrapolated else []),
        *(f"only {cut['cut']}" for cut in provenance.get("cuts", [])),
    ]


def comparison(catalogues: Mapping[str, GalaxyCatalog], unlike: Sequence[str] = ()) -> Figure:
    """Return catalogues side by side: mass function, stellar mass by host mass, and power.

    Parameters
    ----------
    catalogues : mapping of str to GalaxyCatalog
        Catalogues by their names in the legend.
    unlike : sequence of str
        Their differences (`mockgal.reports.differences`), to be written below the panels.
    """
    for galaxies in catalogues.values():
        galaxies.snapshot.check_periodic("plot", _PLOT_SKY)
    with picture_style():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(14.0, 5.0), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.1)  # type: ignore[union-attr,call-arg]
        axes = figure.subplots(1, 3)
        measures = (
            (stellar_mass_function, "mass_function"),
            (stellar_to_halo_relation, "central_stellar_mass"),
            (_resolved_power, "power"),
        )
        done, total = 0, len(measures) * len(catalogues)
        for number, galaxies in enumerate(catalogues.values()):
            for panel, (measure, estimate) in zip(axes, measures, strict=True):
                advance(done, total, "measuring")
                draw(measure(galaxies), panel, (estimate,), number=number)
                done += 1
        advance(done, total, "measuring")
        titles = (
            "Stellar-mass function",
            "Stellar mass of central galaxies by mass of their host",
            "Power spectrum of stellar mass, shot noise included",
        )
        for panel, title in zip(axes, titles, strict=True):
            panel.set_title(title, fontsize=10)
            if not any(np.isfinite(line.get_ydata()).any() for line in panel.lines):
                _note_empty(panel)
        boxes = [
            ", ".join(_box(s.name, s.box_size, s.redshift))
            for s in (galaxies.snapshot for galaxies in catalogues.values())
        ]
        write_title(figure, dict.fromkeys(boxes), fontsize=11)
        keys, height = _keys(figure, catalogues)
        notes = [f"Not alike: {text}" for text in unlike] + _pale(catalogues)
        below = write_below(figure, notes, above=height, fontsize=8)
        keys["bbox_to_anchor"] = (0.5, below / figure.get_figheight())
        figure.legend(loc="lower center", **keys)
    return figure


def _pale(catalogues: Mapping[str, GalaxyCatalog]) -> list[str]:
    """Return why catalogues have no complete bin in the mass function, one sentence per reason."""
    names: dict[str, list[str]] = {}
    shown = distinct([legible(name) for name in catalogues])
    for name, galaxies in zip(shown, catalogues.values(), strict=True):
        if len(galaxies) and galaxies.completeness.limit is None:
            names.setdefault(str(galaxies.completeness), []).append(name)
    return [f"pale: {', '.join(those)}: {reason}" for reason, those in names.items()]


def _resolved_power(galaxies: GalaxyCatalog) -> Measurement:
    """Return the power spectrum of wavenumbers that are not affected by aliasing."""
    power = power_spectrum(galaxies)
    below = ~power["aliased"]
    return replace(
        power,
        columns={name: values[below] for name, values in power.columns.items()},
        style=power.style._replace(lines=(), marks=()),  # these differ between catalogues
    )


def _keys(figure: Figure, names: Iterable[str]) -> tuple[dict[str, Any], float]:
    """Return the arguments of a legend for all panels, and its height [inches].

    A line of the legend has as many names as there is room for.
    """
    from matplotlib.lines import Line2D
    from matplotlib.textpath import TextPath

    shown, size = distinct([legible(name) for name in names]), 9.0
    handles = []
    for number, name in enumerate(shown):
        look = series(number)
        style: dict[str, Any] = {"color": look.colour, "marker": look.marker, "ls": look.dashes}
        handles.append(Line2D([], [], ms=5, lw=1.2, label=plain(name), **style))
    longest = max(TextPath((0, 0), plain(name), size=size).get_extents().width for name in shown)
    columns = int(0.95 * 72.0 * figure.get_figwidth() // (longest + 7.0 * size))
    columns = max(1, min(len(shown), columns))
    rows = -(-len(shown) // columns)
    font = {"fontsize": size, "handlelength": 3.5, "ncols": columns}
    return {"handles": handles, **font}, (1.6 * rows + 2.0) * size / 72.0


def _map(galaxies: GalaxyCatalog, axes: Axes) -> None:
    """Draw galaxies projected along z: one by one if they are few, else their stellar mass."""
    size = galaxies.snapshot.box_size
    x, y = galaxies["position_x"], galaxies["position_y"]
    mass = galaxies["stellar_mass"].astype(np.float64)
    if len(galaxies) > _FEW:
        from matplotlib.colors import LogNorm

        from ..statistics.plotting.log_axes import readable

        bins = 256
        surface = np.histogram2d(x, y, bins=bins, range=[[0, size]] * 2, weights=mass)[0]
        surface /= (size / bins) ** 2
        image = axes.imshow(
            np.where(surface > 0, surface, np.nan).T,
            origin="lower",
            extent=(0, size, 0, size),
            cmap="cividis",
            norm=LogNorm(),
        )
        label = r"stellar mass [$h\,M_\odot\,{\rm Mpc}^{-2}$]"
        bar = axes.figure.colorbar(image, ax=axes, label=label, shrink=0.85)
        readable(bar.ax.yaxis)
        what = "stellar mass"
    else:
        largest = mass.max(initial=1.0)
        for central, colour, marker, label in (
            (True, BLUE, "o", "central"),
            (False, VERMILLION, "D", "satellite"),
        ):
            chosen = galaxies["is_central"] == central
            axes.scatter(
                x[chosen],
                y[chosen],
                s=80 * (mass[chosen] / largest) ** 0.6,
                marker=marker,
                facecolors="none",
                edgecolors=colour,
                linewidths=0.8,
                label=f"{label} ({np.count_nonzero(chosen):,})",
            )
        keys = axes.legend(loc="upper right", fontsize=8, framealpha=0.9)
        for key in keys.legend_handles:
            if key is not None:
                key.set(sizes=[30])  # instead of the size of the first galaxy
        what = "area grows with stellar mass"
    if not len(galaxies):
        _note(axes, "no galaxies")
    axes.set(xlim=(0, size), ylim=(0, size), aspect="equal")
    axes.set(xlabel=r"$x$ [Mpc/$h$]", ylabel=r"$y$ [Mpc/$h$]")
    axes.set_title(f"Map along z: {what}", fontsize=10)
