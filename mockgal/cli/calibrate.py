"""``mockgal calibrate``: pairs of runs to a calibration of the HOD painter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .options import given, luminous, reading
from .screen import progress_bar, say

if TYPE_CHECKING:
    from ..paint.hod_table import HODTable


@click.command()
@click.option(
    "--hydro", "hydros", multiple=True, help="Hydrodynamic run; may be repeated, with its --dark."
)
@click.option("--dark", "darks", multiple=True, help="Its gravity-only twin, in the same order.")
@click.option("--out", required=True, help="Table to write, .ecsv.")
@click.option("--name", help="What the table is called (default: the name of the file).")
@luminous
@click.option(
    "--least-particles",
    type=int,
    help="Least gravity-only particles of a subhalo that counts as resolved (default: 32).",
)
@click.option("--bin-width", metavar="DEX", help='Of host mass (default: "0.25 dex").')
@click.option(
    "--least-hosts",
    type=int,
    help="Hosts that each bin has at least, or it is joined to a neighbour (default: 15).",
)
@click.option(
    "--jackknife",
    type=int,
    help="Sub-volumes along each side of the box for jackknife errors (default: 3); 0 for none.",
)
@click.option(
    "--match",
    "method",
    type=click.Choice(["ids", "position"]),
    help="How hosts of the two runs are matched (default: by particle ids where they are there).",
)
@click.option("--summary", help="One line on the runs, kept in the table.")
@click.option(
    "--caution", help="What users should beware of: kept in the table, shown at every use."
)
@click.option("--reference", "references", multiple=True, help="Paper to cite; may be repeated.")
@click.option("--overwrite", is_flag=True, help="Replace the table if it exists.")
@reading
def calibrate(
    hydros: tuple[str, ...],
    darks: tuple[str, ...],
    out: str,
    name: str | None,
    luminosity_floor: str | None,
    summary: str | None,
    caution: str | None,
    references: tuple[str, ...],
    overwrite: bool,
    **options: Any,
) -> None:
    """Calibrate the HOD on hydrodynamic runs and their gravity-only twins."""
    from ..calibrating import calibrate as run
    from ..quantity import in_unit

    if not hydros or len(hydros) != len(darks):
        raise UsageError(
            "mockgal calibrate",
            f"{len(hydros)} --hydro and {len(darks)} --dark",
            "one or more of each, in pairs",
            "mockgal calibrate --hydro hydro/groups_099 --dark dark/groups_099 --out table.ecsv",
        )
    wanted = given(options)
    measure_options: dict[str, Any] = {
        key: wanted.pop(key)
        for key in ("bin_width", "least_hosts", "jackknife", "method")
        if key in wanted
    }
    if "bin_width" in measure_options:
        measure_options["bin_width"] = in_unit(
            "--bin-width", measure_options["bin_width"], "dex", 1.0
        )
    said = {"summary": summary, "caution": caution, "references": list(references)}
    with progress_bar() as progress:
        table = run(
            list(zip(hydros, darks, strict=True)),
            out,
            name=name,
            luminosity_floor=luminosity_floor,
            provenance={key: value for key, value in said.items() if value},
            overwrite=overwrite,
            progress=progress,
            measure_options=measure_options,
            **wanted,
        )
    say([*_describe(table), f"wrote       {out}"])


def _describe(table: HODTable) -> list[str]:
    from ..paint.hod_columns import KINDS

    c, p = table.columns, table.provenance
    lines = []
    for pair in p["pairs"]:
        hydro, dark = pair["hydro"], pair["dark"]
        lines += [
            f"pair        {hydro['simulation']} and {dark['simulation']}, redshift "
            f"{round(dark['redshift'], 9):.4g}, box {dark['box_size_mpc_h']:g} Mpc/h",
            f"            phases: {pair['twins']['phases']['conclusion']}",
            f"            host masses: {pair['hosts']}",
            *(_matched(kind, pair["matching"]["quality"]) for kind in KINDS),
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
                + f", {c['deficit'][r]:.1%} cannot be made"
                * bool(c["deficit"][r] > 0)
            )
    for kind in ("centrals", "satellites"):
        left = p[f"luminous_{kind}_left_out"]
        if left:
            lines.append(f"left out    {left:,} luminous {kind}: their hosts are not resolved")
    return lines


def _matched(kind: str, quality: dict[str, Any]) -> str:
    found = quality[kind]
    matched, of = sum(found["matched"]), sum(found["subhalos"])
    line = f"            {kind}s: {matched:,} of {of:,} in the gravity-only run are matched"
    if found["confirmed"] is not None:
        line += f", {sum(found['confirmed']):,} of these confirmed"
    return line


def _with_error(columns: Any, name: str, row: int) -> str:
    value, error = columns[name][row], columns.get(f"{name}_error")
    text = "none" if value != value else f"{value:.4g}"
    return text if error is None or error[row] != error[row] else f"{text} +- {error[row]:.2g}"
