"""``mockgal calibrate``: calibrate the HOD painter on pairs of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cloup
from cloup import option, option_group

from .command import Command, Outcome
from .options.pairs import pairs_of_runs, stars_of_pairs
from .options.shared import (
    describing,
    given,
    least_particles,
    luminous,
    overwriting,
    reading,
)
from .options.values import FILE, WHOLE
from .screen.pairs import how_paired, is_matched
from .screen.streams import progress_bar

if TYPE_CHECKING:
    from ..painters.hod.table import HODTable


@cloup.command(cls=Command)
@pairs_of_runs()
@option_group(
    "Calibration",
    luminous,
    least_particles,
    option(
        "--bin-width",
        metavar="DEX",
        help='Width of the bins of host mass (default: "0.25 dex").',
    ),
    option(
        "--least-hosts",
        type=WHOLE,
        help="Least number of hosts in a bin of host mass; bins with fewer are merged with a "
        "neighbour (default: 15).",
    ),
    option(
        "--jackknife",
        type=WHOLE,
        help="Sub-volumes along each side of the box for jackknife errors, or 0 for no errors "
        "(default: 3).",
    ),
)
@option_group(
    "Output", option("--out", type=FILE, required=True, help="Table to write, .ecsv."), overwriting
)
@describing("calibration")
@reading
def calibrate(
    hydros: tuple[str, ...],
    darks: tuple[str, ...],
    truths: tuple[str, ...],
    truth_columns: str | None,
    out: str,
    name: str | None,
    luminosity_floor: str | None,
    summary: str | None,
    caution: str | None,
    references: tuple[str, ...],
    overwrite: bool,
    **options: Any,
) -> Outcome:
    """Calibrate the HOD on hydrodynamic runs and their gravity-only twins.

    Or on galaxies that belong to the subhalos of gravity-only runs; then there is no correction for
    baryons.
    """
    from ..quantity import in_unit
    from ..tasks.calibrate import calibrate as run

    stars = stars_of_pairs(
        "mockgal calibrate", darks, hydros, truths, truth_columns, " --out table.ecsv"
    )
    wanted = given(options)
    measure_options: dict[str, Any] = {
        key: wanted.pop(key)
        for key in ("bin_width", "least_hosts", "jackknife", "match")
        if key in wanted
    }
    if "match" in measure_options:
        measure_options["method"] = measure_options.pop("match")
    if "bin_width" in measure_options:
        measure_options["bin_width"] = in_unit(
            "--bin-width", measure_options["bin_width"], "dex", 1.0
        )
    provenance = {"summary": summary, "caution": caution, "references": list(references)}
    with progress_bar() as progress:
        table = run(
            list(zip(stars, darks, strict=True)),
            out,
            name=name,
            luminosity_floor=luminosity_floor,
            provenance={key: value for key, value in provenance.items() if value},
            overwrite=overwrite,
            progress=progress,
            measure_options=measure_options,
            **wanted,
        )
    return Outcome([*_describe(table), f"wrote       {out}"], _facts(table) | {"wrote": [out]})


def describe_table(table: HODTable) -> dict[str, Any]:
    """Return the facts of a calibration, without its columns."""
    from ..painters.hod.columns import META

    units = {"luminosity_floor": "_msun_h", "particle_mass": "_msun_h"}
    facts = {key + units.get(key, ""): getattr(table, key) for key in META}
    return facts | {"has_twin": table.has_twin, "digest": table.digest}


def _facts(table: HODTable) -> dict[str, Any]:
    """Return the facts of a calibration, with its columns."""
    from ..painters.hod.columns import COLUMNS

    columns = {
        name: {"unit": COLUMNS[name][0] or None, "values": values}
        for name, values in table.columns.items()
    }
    return describe_table(table) | {"columns": columns}


def _describe(table: HODTable) -> list[str]:
    from ..painters.hod.columns import KINDS

    c, p = table.columns, table.provenance
    lines = []
    for pair in p["pairs"]:
        hydro, dark = pair["hydro"], pair["dark"]
        lines += [
            f"pair        {hydro['simulation']} and {dark['simulation']}, redshift "
            f"{round(dark['redshift'], 9):.4g}, box {dark['box_size_mpc_h']:g} Mpc/h",
            *how_paired(pair),
            f"            host masses: {pair['hosts']}",
            *(_matched(kind, pair["matching"]["quality"]) for kind in KINDS if is_matched(pair)),
        ]
    lines += [
        f"luminous    from {table.luminosity_floor:.4g} Msun/h: {p['luminosity_floor']}",
        f"resolved    {table.least_particles} particles of {table.particle_mass:.4g} Msun/h",
        f"errors      {p['errors']}",
    ]
    lines += [f"joined      {text}" for text in p["bins_joined"]]
    for k, kind in enumerate(KINDS):
        rows = table.rows(k)
        lines.append(f"{kind}s by {table.mass_of(k)}, log10 of Msun/h:")
        for r in range(rows.start, rows.stop):
            number = _with_error(c, "number_hydro_mean", r)
            median = _with_error(c, "curve_log_stellar_mass", r)
            lines.append(
                f"  {c['log_mass_low'][r]:5.2f} to {c['log_mass_high'][r]:5.2f}  "
                f"{c['hosts_hydro'][r]:.0f} and {c['hosts_dark'][r]:.0f} hosts, luminous per host "
                f"{number}, median log M* {median}, thinned by {c['thinning'][r]:.3g}"
                + f", {c['deficit'][r]:.1%} of the galaxies cannot be painted"
                * bool(c["deficit"][r] > 0)
            )
    for kind in ("centrals", "satellites"):
        left = p[f"luminous_{kind}_left_out"]
        if left:
            lines.append(f"left out    {left:,} luminous {kind}: their hosts are not resolved")
    return lines


def _matched(kind: str, quality: dict[str, Any]) -> str:
    counts = quality[kind]
    matched, total = sum(counts["matched"]), sum(counts["subhalos"])
    line = f"            {kind}s: {matched:,} of {total:,} in the gravity-only run are matched"
    if counts["confirmed"] is not None:
        line += f", {sum(counts['confirmed']):,} of these confirmed"
    return line


def _with_error(columns: Any, name: str, row: int) -> str:
    value, error = columns[name][row], columns.get(f"{name}_error")
    text = "none" if value != value else f"{value:.4g}"
    return text if error is None or error[row] != error[row] else f"{text} +- {error[row]:.2g}"
