"""Figures in files: one statistic, or a catalogue at a glance.

No state of pyplot is used: figures are made and drawn on their own, in any thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import __version__
from ..errors import UsageError
from ..files.atomic import atomic_output
from ..measure.mass_function import stellar_mass_function
from ..measure.occupation import occupation
from ..measure.plot import draw, panels
from ..measure.power import power_spectrum
from ..measure.result import Measurement
from ..measure.stellar_to_halo import stellar_to_halo_relation
from ..types import GalaxyCatalog, HaloCatalog

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EXTENSIONS = (".png", ".pdf", ".svg")
_FEW = 20_000  # galaxies that are drawn one by one
_MARKERS = ("o-", "s--", "^-.", "D:")


def check_extension(path: Path) -> None:
    """Refuse a name that says no format for pictures.

    Raises
    ------
    UsageError
        It ends in none of `EXTENSIONS`.
    """
    if path.suffix.lower() not in EXTENSIONS:
        raise UsageError(
            path, f"extension {path.suffix!r}", "one of " + ", ".join(EXTENSIONS), "name it so"
        )


def save_figure(figure: Figure, path: Path, *, overwrite: bool = False) -> None:
    """Write a figure, whole or not at all; the same figure gives the same bytes."""
    import matplotlib

    check_extension(path)
    software, dated = {".png": ("Software", ""), ".pdf": ("Creator", "CreationDate")}.get(
        path.suffix.lower(), ("Creator", "Date")
    )
    metadata = {software: f"mockgal {__version__}"} | ({dated: None} if dated else {})
    with (
        atomic_output(path, overwrite=overwrite) as temporary,
        matplotlib.rc_context({"svg.hashsalt": "mockgal"}),
    ):
        figure.savefig(temporary, dpi=150, metadata=metadata)


def single(result: Measurement) -> Figure:
    """A figure of one statistic, saying what it is of."""
    from matplotlib.figure import Figure

    groups = panels(result)
    figure = Figure(figsize=(6.0 * len(groups), 4.5), layout="constrained")
    for axes, estimates in zip(
        figure.subplots(1, len(groups), squeeze=False)[0], groups, strict=True
    ):
        draw(result, axes, estimates)
    catalogue = result.settings.get("catalogue", {})
    if catalogue:
        figure.suptitle(
            f"{catalogue['simulation']}, z = {catalogue['redshift']:.3g}, "
            f"{catalogue['galaxies']:,} galaxies ({catalogue['painter']})",
            fontsize=9,
        )
    return figure


def overview(galaxies: GalaxyCatalog, hosts: HaloCatalog | None = None) -> Figure:
    """A catalogue at a glance: map, stellar-mass function, and occupation of hosts.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    hosts : HaloCatalog, optional
        The simulation's halos; without them the number of hosts is that in the provenance.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14.0, 4.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _map(galaxies, left)
    stellar_mass_function(galaxies).plot(middle)
    middle.set_title("Stellar-mass function", fontsize=10)
    if hosts is None and "hosts" not in galaxies.provenance.get("simulation", {}):
        right.set_axis_off()
        right.text(0.5, 0.5, "number of hosts not known:\ngive the simulation (--sim)", ha="center")
    else:
        occupation(galaxies, hosts).plot(right)
    right.set_title("Mean number of galaxies per host halo", fontsize=10)
    snapshot = galaxies.snapshot
    cuts = [cut["cut"] for cut in galaxies.provenance.get("cuts", [])]
    figure.suptitle(
        f"{snapshot.name}, z = {snapshot.redshift:.3g}, {len(galaxies):,} galaxies"
        + "".join(f", {cut}" for cut in cuts),
        fontsize=11,
    )
    return figure


def comparison(catalogues: Mapping[str, GalaxyCatalog]) -> Figure:
    """Catalogues side by side: stellar-mass function, stellar mass by host mass, and power.

    Parameters
    ----------
    catalogues : mapping of str to GalaxyCatalog
        By what they are called in the legend.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14.0, 4.9), layout="constrained")
    axes = figure.subplots(1, 3)
    for k, (label, galaxies) in enumerate(catalogues.items()):
        power = power_spectrum(galaxies)
        nyquist = float(power.settings["nyquist_h_per_mpc"])
        below = power["k"] < 0.5 * nyquist  # beyond are the images of the grid
        power = replace(
            power,
            columns={name: values[below] for name, values in power.columns.items()},
            style=power.style._replace(lines=(), marks=()),  # each catalogue has its own
        )
        drawn = (
            (stellar_mass_function(galaxies), "mass_function"),
            (stellar_to_halo_relation(galaxies), "central_stellar_mass"),
            (power, "power"),
        )
        marker = _MARKERS[k % len(_MARKERS)]
        for panel, (result, estimate) in zip(axes, drawn, strict=True):
            draw(result, panel, (estimate,), label=_plain(label), color=f"C{k}", fmt=marker)
    titles = (
        "Stellar-mass function",
        "Stellar mass of central galaxies by mass of their host",
        "Power spectrum of stellar mass, shot noise included",
    )
    for panel, title in zip(axes, titles, strict=True):
        panel.set_title(title, fontsize=10)
    snapshots = [galaxies.snapshot for galaxies in catalogues.values()]
    described = dict.fromkeys(f"{s.name}, z = {s.redshift:.3g}" for s in snapshots)
    figure.suptitle(_plain("; ".join(described)), fontsize=11)
    return figure


def _plain(text: str) -> str:
    """Text that is not taken for a formula."""
    return text.replace("$", r"\$")


def _map(galaxies: GalaxyCatalog, axes: Axes) -> None:
    """Galaxies projected along z: one by one if they are few, their stellar mass if not."""
    size = galaxies.snapshot.box_size
    x, y = galaxies["position_x"], galaxies["position_y"]
    mass = galaxies["stellar_mass"].astype(np.float64)
    if len(galaxies) > _FEW:
        from matplotlib.colors import LogNorm

        bins = 256
        surface = np.histogram2d(x, y, bins=bins, range=[[0, size]] * 2, weights=mass)[0]
        surface /= (size / bins) ** 2
        image = axes.imshow(
            np.where(surface > 0, surface, np.nan).T,
            origin="lower",
            extent=(0, size, 0, size),
            cmap="viridis",
            norm=LogNorm(),
        )
        label = r"stellar mass [$h\,M_\odot\,{\rm Mpc}^{-2}$]"
        axes.figure.colorbar(image, ax=axes, label=label, shrink=0.85)
        what = "stellar mass"
    else:
        largest = mass.max(initial=1.0)
        for central, colour, label in (
            (True, "tab:blue", "central"),
            (False, "tab:orange", "satellite"),
        ):
            chosen = galaxies["is_central"] == central
            axes.scatter(
                x[chosen],
                y[chosen],
                s=80 * (mass[chosen] / largest) ** 0.6,
                facecolors="none",
                edgecolors=colour,
                linewidths=0.8,
                label=label,
            )
        axes.legend(loc="upper right", fontsize=8, framealpha=0.9)
        what = "circles grow with stellar mass"
    axes.set(xlim=(0, size), ylim=(0, size), aspect="equal")
    axes.set(xlabel=r"$x$ [Mpc/$h$]", ylabel=r"$y$ [Mpc/$h$]")
    axes.set_title(f"Map along z: {what}", fontsize=10)
