"""Commands that look at galaxies: ``measure`` and ``plot``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ..errors import UsageError, printable
from .options import assigning, cutting, given, overwriting, reading, stem, weighting
from .screen import progress_bar, say

if TYPE_CHECKING:
    from ..measure.result import Measurement
    from ..types import GalaxyCatalog

ALL = "all"
_WIDEST = 100  # characters of a line of a table, where its first column leaves room for one

_simulation = click.option(
    "--sim",
    help="The simulation that the mock was painted on, for the number of its hosts and for "
    "jackknife errors of their occupation.",
)


def _of_statistics(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of the statistics; docs/reference/statistics.md says which has which."""
    options = (
        click.option("--grid", "grid_size", type=int, help="Voxels along each side."),
        assigning,
        weighting,
        click.option(
            "--line-of-sight",
            type=click.Choice(["x", "y", "z"]),
            help="Measure in redshift space, seen along this axis.",
        ),
        click.option(
            "--subtract-shot-noise",
            is_flag=True,
            default=None,
            help="Off unless asked for; stated either way.",
        ),
        click.option(
            "--jackknife",
            type=int,
            help="Sub-volumes along each side of the box for jackknife errors; 0 for none.",
        ),
        click.option(
            "--interlacing/--no-interlacing",
            default=None,
            help="Remove every second image of the grid from power and bispectrum (default: yes).",
        ),
        click.option(
            "--k-min", metavar="K", help='First edge of bins of the power, such as "0.1 h/Mpc".'
        ),
        click.option("--k-max", metavar="K", help='End of bins of the power, such as "10 h/Mpc".'),
        click.option(
            "--k-width", metavar="K", help='Width of bins of the power, such as "0.05 h/Mpc".'
        ),
        click.option(
            "--log-k-width",
            metavar="DEX",
            help='Width of logarithmic bins of the power, such as "0.1 dex".',
        ),
        click.option("--k1", metavar="K", help='Of the bispectrum, such as "3 h/Mpc".'),
        click.option("--k2", metavar="K", help='Of the bispectrum, such as "4 h/Mpc".'),
        click.option("--angles", type=int, help="Of the bispectrum, between 0 and pi."),
        click.option(
            "--shell-width", metavar="K", help='Of the bispectrum\'s shells, such as "0.5 h/Mpc".'
        ),
        click.option("--bin-width", metavar="DEX", help='Of masses, such as "0.25 dex".'),
        click.option("--r-min", metavar="R", help='Of pairs, such as "0.1 Mpc/h".'),
        click.option("--r-max", metavar="R", help='Of pairs, such as "20 Mpc/h".'),
        click.option("--pi-max", metavar="R", help='Along the line of sight, such as "40 Mpc/h".'),
        click.option("--bins", type=int, help="Of separations."),
        click.option("--mu-bins", type=int, help="Of the angle to the line of sight."),
    )
    for option in reversed(options):  # the last one added is shown first
        command = option(command)
    return command


@click.command()
@click.argument("path")
@click.option(
    "--statistic",
    "statistics",
    required=True,
    help="Names separated by commas, or all: power, bispectrum, pdf, mass_function, "
    "stellar_to_halo, occupation, satellite_fraction, xi, wp, xi_multipoles.",
)
@click.option("--out", required=True, help="Folder for the tables (.ecsv) and plots (.png).")
@_simulation
@cutting
@_of_statistics
@click.option("--no-plots", is_flag=True, help="Write the tables only.")
@overwriting
@reading
def measure(
    path: str,
    statistics: str,
    out: str,
    sim: str | None,
    cuts: tuple[str, ...],
    no_plots: bool,
    overwrite: bool,
    **options: Any,
) -> None:
    """Measure the galaxies of PATH: a mock, or a hydrodynamic run's own.

    Writes a table and a plot for each statistic.
    """
    from ..measuring import all_statistics, measure_files
    from ..protocols import ReadOptions

    names = all_statistics() if statistics == ALL else _names(statistics)
    wanted = given(options)
    of_reading = {"format", *ReadOptions._fields}
    results: dict[Path, Measurement] = {}
    try:
        with progress_bar() as progress:
            measure_files(
                path,
                names,
                out,
                sim=sim,
                cuts=cuts,
                read_options={key: wanted.pop(key) for key in list(wanted) if key in of_reading},
                plots=not no_plots,
                overwrite=overwrite,
                progress=progress,
                written=results.__setitem__,
                **wanted,
            )
    finally:  # what was written is told, whatever became of the others
        for table, result in results.items():
            say([*_describe(result), f"wrote       {table}"])


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UsageError("--statistic", repr(text), "names separated by commas", "--statistic all")
    return names


def _describe(result: Measurement) -> list[str]:
    """One line on what was measured, one on its errors, and one on how small a change shows."""
    axis, count = result[result.axis].astype(float), result[result.count]
    filled = np.flatnonzero(count > 0)
    reach = f"{axis[filled[0]]:.4g} to {axis[filled[-1]]:.4g}" if len(filled) else "none"
    unit = result.fields[result.axis].unit.replace("littleh", "h").replace(" ", "")
    lines = [
        f"{result.statistic:<11} {len(result)} bins, {len(filled)} of them filled: "
        f"{result.axis} {reach} {unit}".rstrip(),
        f"            errors: {result.settings.get('errors', 'not stated')}",
    ]
    if "mean_density" in result.settings:  # overdensity hides whether it is right
        density = result.settings["mean_density"]
        unit = result.settings["mean_density_unit"].replace("littleh", "h")
        lines.append(f"            mean density: {density:.5g} {unit}")
    if "aliasing_bias" in result.columns:
        bias, bound = (np.nanmax(result[f"aliasing_{what}"]) for what in ("bias", "bound"))
        lines.append(
            f"            images of the grid: at most {bias:.1g} of the value on average, "
            f"{bound:.1g} in one catalogue"
        )
    if "completeness" in result.settings:
        lines.append(f"            complete: {result.settings['completeness']}")
    for name in result.estimates:
        least = result.smallest_detectable_deviation(name)
        least = least[np.isfinite(least)]
        if len(least):
            lines.append(
                f"            {name}: smallest detectable deviation {least.min():.2%} in the best "
                f"bin, {np.median(least):.2%} in the median bin"
            )
    return lines


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--out", help="Picture: .png, .pdf or .svg (default: <names of PATHs>.png here).")
@click.option(
    "--label",
    "labels",
    multiple=True,
    help="What a catalogue is called in the picture and the table; once for each PATH, in the "
    "same order (default: the shortest end of its path that no other has).",
)
@_simulation
@cutting
@overwriting
@reading
def plot(
    paths: tuple[str, ...],
    out: str | None,
    labels: tuple[str, ...],
    sim: str | None,
    cuts: tuple[str, ...],
    overwrite: bool,
    **options: Any,
) -> None:
    """Draw the galaxies of PATH: a map, their mass function, and the occupation of hosts.

    With several paths: a table and a picture that compare them, with their mass functions, stellar
    masses by host mass, and power spectra.
    """
    from ..measuring import plot_files

    target = out or f"{'-'.join(map(stem, paths))}.png"
    drawn = plot_files(
        paths,
        target,
        labels=labels,
        sim=sim,
        cuts=cuts,
        read_options=given(options),
        overwrite=overwrite,
    )
    if len(paths) > 1:
        say([*_side_by_side(drawn), f"wrote {target}"])
    else:
        (galaxies,) = drawn.values()
        say([f"wrote {target}: {len(galaxies):,} galaxies"])


def _side_by_side(catalogues: dict[str, GalaxyCatalog]) -> list[str]:
    """Return a table of what is in catalogues, a column each; wide tables go on below."""
    from ..measure.lettering import distinct

    rows: dict[str, list[str]] = {"": distinct(list(map(printable, catalogues)))}
    for galaxies in catalogues.values():
        mass = galaxies["stellar_mass"].astype(np.float64)
        central = int(galaxies["is_central"].sum())
        sums = (np.sum, np.median, np.max) if len(mass) else ()
        facts = {
            "painter": str(galaxies.provenance.get("painter", {}).get("name", "not stated")),
            "galaxies": f"{len(mass):,}",
            "centrals": f"{central:,}",
            "satellites": f"{len(mass) - central:,}",
        }
        names = ("in all", "median", "largest")
        for name, value in zip(names, [f"{of(mass):.4g}" for of in sums] or 3 * ["-"], strict=True):
            facts[f"stellar mass, {name} [Msun/h]"] = value
        for name, fact in facts.items():
            rows.setdefault(name, []).append(fact)
    widths = [max(len(row[k]) for row in rows.values()) for k in range(len(catalogues))]
    first = max(map(len, rows))
    parts: list[list[int]] = [[]]
    for k, width in enumerate(widths):
        taken = first + sum(2 + widths[other] for other in parts[-1])
        if parts[-1] and taken + 2 + width > _WIDEST:
            parts.append([])
        parts[-1].append(k)
    return [
        "  ".join([name.ljust(first), *(row[k].rjust(widths[k]) for k in part)])
        for part in parts
        for name, row in rows.items()
    ]
