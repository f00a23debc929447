"""``mockgal measure`` and ``mockgal plot``: statistics and pictures of galaxies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloup
import numpy as np
from cloup import option, option_group

from ..errors import UsageError, printable
from .command import Command, Outcome, report_unfinished
from .options.measuring import of_statistics
from .options.shared import (
    Decorator,
    changed,
    cutting,
    given,
    matter_facts,
    overwriting,
    reading,
    sim_option,
    stem,
)
from .options.surveying import OF_SURVEYS, of_surveys
from .options.values import FILE, FOLDER, PATH, STATISTICS
from .screen.streams import progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..statistics.result import Measurement
    from ..tasks.ensembles.measurements import Written
    from ..types import GalaxyCatalog

ALL = "all"
_WIDEST = 100  # characters of a table line; a part has one catalogue even if that is wider

_hosts = sim_option(
    "Simulation that the mock was painted on, for the occupation of its hosts and its jackknife "
    "errors."
)


def _galaxies(*more: Decorator) -> Decorator:
    return option_group("Galaxies", _hosts, cutting, changed, *more)


_second_sample = option_group(
    "Second sample of cross statistics",
    option(
        "--cross",
        type=PATH,
        help="Galaxies of the second sample: a mock, or a hydrodynamic run. Cuts are applied to "
        "both samples.",
    ),
    option(
        "--cross-matter",
        type=PATH,
        help="For cross_power: simulation whose matter is the second sample; or, beside --sim, a "
        "file with the matter of that simulation.",
    ),
)


_randoms = option_group(
    "Randoms of statistics on the sky",
    option(
        "--randoms",
        type=PATH,
        help="Points at random in the survey of the galaxies, as mockgal writes them. Cuts on the "
        "sky and in redshift are applied to them as well.",
    ),
)


@cloup.command(cls=Command, listing="statistics")
@cloup.argument("paths", type=PATH, nargs=-1, required=True, metavar="PATH...")
@option_group(
    "What to measure",
    option(
        "--statistic",
        "statistics",
        type=STATISTICS,
        required=True,
        multiple=True,
        help="Names of statistics in the list below, separated by commas, or all: all of one "
        "sample, with --cross those of two samples, with --cross-matter cross_power, with "
        "--randoms those on the sky.",
    ),
)
@_galaxies()
@_second_sample
@_randoms
@of_statistics
@option_group(
    "Output",
    option(
        "--out",
        type=FOLDER,
        required=True,
        help="Folder for the tables (.ecsv) and plots (.png).",
    ),
    option("--no-plots", is_flag=True, help="Write tables without plots."),
    overwriting,
)
@reading
@matter_facts("--cross-matter")
def measure(
    paths: tuple[str, ...],
    statistics: tuple[str, ...],
    out: str,
    sim: str | None,
    cuts: tuple[str, ...],
    no_plots: bool,
    overwrite: bool,
    **options: Any,
) -> Outcome:
    """Measure the galaxies of PATH: a mock, or a hydrodynamic run's own.

    Write a table and a plot for each statistic. Of several mocks, of a manifest of mocks or of a
    pattern such as 'mock-*.fits' in quotes: the mean, the scatter, and the covariance.
    """
    from ..protocols import ReadOptions
    from ..tasks.ensembles.manifest import is_manifest
    from ..tasks.ensembles.measurements import measure_ensemble, samples_of
    from ..tasks.measure import measure_files

    text = ",".join(statistics)
    names = _all(options) if text == ALL else _names(text)
    wanted = given(options)
    of_reading = {"format", "changed_by_hand", *ReadOptions._fields}
    wanted["read_options"] = {key: wanted.pop(key) for key in list(wanted) if key in of_reading}
    wanted |= {"sim": sim, "cuts": cuts, "plots": not no_plots, "overwrite": overwrite}
    samples = samples_of(paths)
    if len(samples) > 1 or is_manifest(Path(paths[0])):
        with progress_bar() as progress:
            found = measure_ensemble(samples, names, out, progress=progress, **wanted)
        return _of_several(found, len(samples))
    path, results = str(samples[0].path), dict[Path, "Measurement"]()
    try:
        with progress_bar() as progress:
            measure_files(
                path, names, out, progress=progress, written=results.__setitem__, **wanted
            )
    except BaseException:  # finished tables are reported even if others failed
        if results:
            report_unfinished(_outcome(path, results, not no_plots))
        raise
    return _outcome(path, results, not no_plots)


def _outcome(path: str, results: dict[Path, Measurement], plots: bool) -> Outcome:
    lines, facts, wrote = [], {}, []
    for table, result in results.items():
        lines += [*_describe(result), f"wrote       {table}"]
        files = [table, table.with_suffix(".png")] if plots else [table]
        facts[result.statistic] = _facts(result) | {"wrote": files}
        wrote += files
    return Outcome(lines, {"galaxies": path, "tables": facts, "wrote": wrote})


def _of_several(found: Written, number: int) -> Outcome:
    """Return the lines and the facts of what was measured of several mocks."""
    from ..statistics.ensemble import factors

    lines, facts = [f"mocks       {number:,}"], {}
    if found.kept:
        lines.append(
            f"kept        {found.kept:,} tables of mocks, measured before with these options"
        )
    for result in found.results.values():
        rows = len(result) * len(result.estimates)
        hartlap = factors(number, rows).hartlap
        inverse = (
            f"its inverse times {hartlap:.4g} (Hartlap factor)"
            if np.isfinite(hartlap)
            else f"no inverse: that takes more than {rows + 2} mocks, or fewer bins"
        )
        lines += [*_describe(result), f"            covariance of {rows} rows: {inverse}"]
        facts[result.statistic] = _facts(result) | {
            "hartlap_factor": hartlap if np.isfinite(hartlap) else None
        }
    lines += [f"wrote       {path}" for path in found.wrote]
    return Outcome(
        lines, {"mocks": number, "kept": found.kept, "tables": facts, "wrote": found.wrote}
    )


def _facts(result: Measurement) -> dict[str, Any]:
    """Return the table of a statistic, column by column, and its settings."""
    columns = {
        name: {
            "unit": result.fields[name].unit.replace("littleh", "h") or None,
            "meaning": result.fields[name].meaning,
            "values": values,
        }
        for name, values in result.columns.items()
    }
    return {
        "axis": result.axis,
        "estimates": result.estimates,
        "count": result.count,
        "error_degrees_of_freedom": result.error_degrees_of_freedom,
        "settings": result.settings,
        "columns": columns,
    }


def _all(options: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of all statistics of the samples that there are."""
    from ..tasks.measure import all_statistics

    if options["cross_matter"] is not None:
        return ("cross_power",)
    if options["randoms"] is not None:
        return all_statistics(on_the_sky=True)
    return all_statistics(of_two=options["cross"] is not None)


def _names(text: str, flag: str = "--statistic", example: str = ALL) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UsageError(flag, repr(text), "names separated by commas", f"{flag} {example}")
    return names


def _describe(result: Measurement) -> list[str]:
    """Return lines on the bins, the errors, and the smallest detectable deviation."""
    axis, count = result[result.axis].astype(float), result[result.count]
    filled = np.flatnonzero(count > 0)
    reach = f"{axis[filled[0]]:.4g} to {axis[filled[-1]]:.4g}" if len(filled) else "none"
    unit = result.fields[result.axis].unit.replace("littleh", "h").replace(" ", "")
    lines = [
        f"{result.statistic:<11} {len(result)} bins, {len(filled)} of them filled: "
        f"{result.axis} {reach} {unit}".rstrip(),
        f"            errors: {result.settings.get('errors', 'not stated')}",
    ]
    if "mean_density" in result.settings:  # the overdensity does not show whether it is right
        density = result.settings["mean_density"]
        unit = result.settings["mean_density_unit"].replace("littleh", "h")
        lines.append(f"            mean density: {density:.5g} {unit}")
    if "aliasing_bias" in result.columns:
        bias, bound = (np.nanmax(result[f"aliasing_{what}"]) for what in ("bias", "bound"))
        share = "sqrt(P_aa P_bb)" if "power_second" in result.columns else "the value"
        lines.append(
            f"            aliasing of the grid: at most {bias:.1g} of {share} on average, "
            f"{bound:.1g} in one catalogue"
        )
    weighed = result.settings.get("weights", result.settings.get("weight", "number"))
    if result.count == "pairs" and weighed != "number":
        lines.append(f"            weights: {weighed}")
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


@cloup.command(cls=Command)
@cloup.argument("paths", type=PATH, nargs=-1, required=True, metavar="PATH...")
@_galaxies()
@of_surveys
@option_group(
    "Output",
    option(
        "--out",
        type=FILE,
        help="Picture to write: .png, .pdf or .svg (default: <names of the inputs>.png here).",
    ),
    option(
        "--label",
        "labels",
        multiple=True,
        metavar="NAME",
        help="Name of a catalogue in the picture and the table, once for each PATH, in the same "
        "order (default: the shortest end of the path that tells it from the others).",
    ),
    overwriting,
)
@reading
def plot(
    paths: tuple[str, ...],
    out: str | None,
    labels: tuple[str, ...],
    sim: str | None,
    cuts: tuple[str, ...],
    overwrite: bool,
    **options: Any,
) -> Outcome:
    """Draw the galaxies of PATH: a map, their mass function, and the occupation of hosts.

    On the sky: a map of their surface density, a wedge, their number density by redshift, and their
    weights.

    With several paths: a table and a picture that compare them, with their mass functions, stellar
    masses by host mass, and power spectra. With tables that `mockgal measure` wrote: the results of
    one statistic in the same axes, with their ratios to the first. With the samples.ecsv of fits:
    the posterior of each parameter, and of each two.
    """
    from ..system.progress import shown
    from ..tasks.plotting.plot import plot_files

    target = out or f"{'-'.join(map(stem, paths))}.png"
    of_survey = given({name: options.pop(name) for name in OF_SURVEYS})
    if "pictures" in of_survey:
        of_survey["pictures"] = _names(",".join(of_survey["pictures"]), "--picture", "sky")
    for wrote, is_one, draw in _TABLES:
        if any(map(is_one, paths)):
            wanted = given({"sim": sim, "cuts": cuts, **of_survey, **options})
            _check_tables(paths, wrote, is_one, wanted)
            return draw(paths, target, labels, overwrite)
    with progress_bar() as progress, shown(progress):
        drawn = plot_files(
            paths,
            target,
            labels=labels,
            sim=sim,
            cuts=cuts,
            read_options=given(options),
            overwrite=overwrite,
            **of_survey,
        )
    if len(paths) > 1:
        lines = [*_side_by_side(drawn.catalogues), f"wrote {target}"]
    else:
        (galaxies,) = drawn.catalogues.values()
        lines = [f"{name:<11} {caption}" for name, caption in drawn.captions.items()]
        lines.append(f"wrote {target}: {len(galaxies):,} galaxies")
    facts = {
        name: {"path": path, **_counts(galaxies)}
        for path, (name, galaxies) in zip(paths, drawn.catalogues.items(), strict=True)
    }
    pictures = {"pictures": drawn.captions} if drawn.captions else {}
    return Outcome(lines, {"catalogues": facts, **pictures, "wrote": [target]})


def _is_measurement(path: str) -> bool:
    from ..statistics.stored import is_measurement

    return is_measurement(Path(path))


def _is_fit(path: str) -> bool:
    from ..fitting.stored import is_fit

    return is_fit(Path(path))


def _check_tables(
    paths: tuple[str, ...], wrote: str, is_one: Callable[[str], bool], others: dict[str, Any]
) -> None:
    """Refuse other inputs beside tables that a command wrote, and options of those."""
    if others:
        flags = ", ".join(others)
        raise UsageError(
            "mockgal plot",
            f"{flags}, with tables of `{wrote}`",
            "none: they are results already",
            "leave them out",
        )
    wrong = [path for path in paths if Path(path).exists() and not is_one(path)]
    if wrong:
        raise UsageError(
            "mockgal plot",
            f"{wrong[0]}, beside tables of `{wrote}`",
            "catalogues alone, or tables of one command alone",
            "plot them apart",
        )


def _plot_measurements(
    paths: tuple[str, ...], target: str, labels: tuple[str, ...], overwrite: bool
) -> Outcome:
    from ..tasks.one_statistic import plot_measurements

    results = plot_measurements(paths, target, labels=labels, overwrite=overwrite)
    lines = [f"{name}: {result.statistic}, {len(result)} bins" for name, result in results.items()]
    facts = {
        name: {"path": path, "statistic": result.statistic}
        for path, (name, result) in zip(paths, results.items(), strict=True)
    }
    lines = [*map(printable, lines), f"wrote {target}"]
    return Outcome(lines, {"tables": facts, "wrote": [target]})


def _plot_fits(
    paths: tuple[str, ...], target: str, labels: tuple[str, ...], overwrite: bool
) -> Outcome:
    from ..tasks.fitting.results import plot_fits

    fits = plot_fits(paths, target, labels=labels, overwrite=overwrite)
    lines = [f"{name}: {fit.model}, {len(fit):,} samples" for name, fit in fits.items()]
    facts = {
        name: {"path": path, "model": fit.model, "samples": len(fit)}
        for path, (name, fit) in zip(paths, fits.items(), strict=True)
    }
    lines = [*map(printable, lines), f"wrote {target}"]
    return Outcome(lines, {"fits": facts, "wrote": [target]})


_TABLES: tuple[tuple[str, Callable[[str], bool], Callable[..., Outcome]], ...] = (
    ("mockgal measure", _is_measurement, _plot_measurements),
    ("mockgal fit", _is_fit, _plot_fits),
)


def _counts(galaxies: GalaxyCatalog) -> dict[str, Any]:
    """Return counts and stellar masses of a catalogue; masses are None if it has no galaxies."""
    about = {
        "painter": galaxies.provenance.get("painter", {}).get("name"),
        "galaxies": len(galaxies),
    }
    if not {"stellar_mass", "is_central"} <= galaxies.columns.keys():  # as surveys hand them out
        return about
    mass = galaxies["stellar_mass"].astype(np.float64)
    central = int(galaxies["is_central"].sum())
    sums: dict[str, Any] = {"total": np.sum, "median": np.median, "largest": np.max}
    return about | {
        "centrals": central,
        "satellites": len(mass) - central,
        **{
            f"stellar_mass_{name}_msun_h": float(of(mass)) if len(mass) else None
            for name, of in sums.items()
        },
    }


def _side_by_side(catalogues: dict[str, GalaxyCatalog]) -> list[str]:
    """Return a table with one column for each catalogue; wide tables are continued below."""
    from ..statistics.plotting.lettering import distinct

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
