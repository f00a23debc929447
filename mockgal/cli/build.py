"""``mockgal build``: a simulation to a mock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..layout import MISSING_CHUNKS
from .options import given, reading
from .populating import populating, take_choices
from .screen import say

if TYPE_CHECKING:
    from ..pipeline import Report


@click.command()
@click.option(
    "--recipe",
    type=click.Path(path_type=Path),
    help="YAML file with these options as keys; options given here win.",
)
@click.option("--sim", help="Simulation: a bundle, one file of a set, or a directory.")
@click.option("--painter", help="Name of the painter, such as hod.")
@click.option(
    "--calibration",
    help="HOD calibration: a name from `mockgal calibrations` or an "
    ".ecsv file; by default the one whose domain holds the simulation.",
)
@click.option(
    "--allow-extrapolation",
    is_flag=True,
    default=None,
    help="Paint outside the calibration's range; flagged per galaxy.",
)
@click.option(
    "--missing-twin",
    type=click.Choice(["uncorrected"]),
    help="Paint with a calibration made without a gravity-only twin, which is refused otherwise: "
    "uncorrected leaves out the corrections for baryons; flagged per galaxy.",
)
@click.option(
    "--model",
    type=click.Choice(["zheng07", "leauthaud11"]),
    help="Paint with a model of halotools in place of a calibration: zheng07 takes --threshold and "
    "--stellar-mass-law, leauthaud11 takes --luminosity-floor.",
)
@click.option(
    "--threshold",
    type=float,
    help="Of zheng07: absolute magnitude M_r - 5 log h that galaxies are brighter than, from -18 "
    "to -22 in steps of 0.5.",
)
@click.option(
    "--stellar-mass-law",
    type=click.Choice(["behroozi10", "moster13"]),
    help="Of zheng07: relation of stellar to halo mass.",
)
@click.option(
    "--luminosity-floor",
    type=float,
    metavar="MSUN_H",
    help="Of leauthaud11: least stellar mass of a galaxy, in Msun/h.",
)
@click.option(
    "--cut",
    multiple=True,
    metavar="CUT",
    help='Such as "stellar_mass > 1e9 Msun/h"; may be repeated.',
)
@click.option("--seed", type=int, help="Seed of the draw (default: a fixed number, recorded).")
@click.option("--out", help="Output, .fits or .hdf5 (default: <sim>-<painter>.fits here).")
@click.option(
    "--units",
    type=click.Choice(["h-free", "h"]),
    help="Units of the output: Mpc and Msun (h-free, the default), or Mpc/h and Msun/h.",
)
@click.option("--overwrite", is_flag=True, default=None, help="Replace the output if it exists.")
@click.option(
    "--require-nonempty", is_flag=True, default=None, help="Fail if no galaxy passes the cuts."
)
@populating
@reading
def build(recipe: Path | None, **options: Any) -> None:
    """Build a mock: read a simulation, paint it, cut it, and write the catalogue."""
    from ..pipeline import build as run
    from ..recipe import check, read_yaml

    values = {} if recipe is None else read_yaml(recipe)
    source = "mockgal build" if recipe is None else str(recipe)
    wanted = given(options)
    painter_options: dict[str, Any] = {
        key: wanted.pop(key)
        for key in (
            "calibration",
            "allow_extrapolation",
            "missing_twin",
            "model",
            "threshold",
            "stellar_mass_law",
            "luminosity_floor",
        )
        if key in wanted
    }
    chosen = {"painter_options": painter_options, "populate_options": take_choices(wanted)}
    values |= wanted
    for key, more in chosen.items():
        stated = values.get(key, {})
        if more and isinstance(stated, dict):
            values[key] = {**stated, **more}
    for key in ("sim", "painter"):
        if key not in values:
            raise UsageError(
                "mockgal build",
                f"no --{key}",
                "one, as an option or in --recipe",
                "mockgal build --sim dark.hdf5 --painter hod",
            )
    checked = check(values, source)
    report = run(checked)
    say(_describe(report, seed_is_default="seed" not in values))


def _describe(report: Report, *, seed_is_default: bool) -> list[str]:
    sim, galaxies, p = report.scene, report.galaxies, report.galaxies.provenance
    snapshot, prediction = sim.snapshot, p["painter"]["prediction"]
    h = snapshot.cosmology.h
    central = int(galaxies["is_central"].sum())
    kind = "model" if "model" in p["painter"] else "calibration"
    lines = [
        f"simulation  {snapshot.name} ({snapshot.format}), box {snapshot.box_size:g} Mpc/h, "
        f"redshift {round(snapshot.redshift, 9):.4g}, {len(sim.halos):,} subhalos",
        f"painter     {p['painter']['name']}, {kind} {p['painter'].get(kind)}, "
        f"seed {p['seed']}" + " (the default)" * seed_is_default,
        f"painted     {p['painted']:,} galaxies; expected {prediction['expected_centrals']:.1f} "
        f"centrals and {prediction['expected_satellites']:.1f} satellites",
    ]
    populated = sim.halos.record.get("populate")
    if populated:
        lines.insert(
            1,
            f"populated   {populated['satellites']:,} satellites made for "
            f"{populated['hosts_with_satellites']:,} of {populated['hosts']:,} hosts: "
            f"{populated['law']}; numbers {populated['numbers']}, profile {populated['profile']}, "
            f"concentration {populated['concentration']}, velocities {populated['velocity']}",
        )
    if MISSING_CHUNKS in snapshot.record:
        lines.insert(1, f"incomplete  chunks {snapshot.record[MISSING_CHUNKS]} are missing")
    least = p["painter"].get("least_subhalo_mass_msun_h", 0.0)
    limits = {
        "unresolved": f"bound mass below {least:.4g} Msun/h",
        "centrals_below_range": "centrals below the calibration's range of mass",
        "satellites_below_range": "satellites of hosts below the calibration's range of mass",
        "below_floor": "stellar mass below the calibration's floor",
    }
    lines += [
        f"            {prediction[f'not_painted_{key}']:,} subhalos not painted: {reason}"
        for key, reason in limits.items()
        if prediction.get(f"not_painted_{key}")
    ]
    lines += [f"cut         {c['cut']}: {c['before']:,} -> {c['after']:,}" for c in p["cuts"]]
    lines.append(
        f"catalogue   {len(galaxies):,} galaxies: {central:,} centrals, "
        f"{len(galaxies) - central:,} satellites"
    )
    if len(galaxies):
        low, high = float(galaxies["stellar_mass"].min()), float(galaxies["stellar_mass"].max())
        lines.append(
            f"            stellar mass {low:.4g} to {high:.4g} Msun/h "
            f"= {low / h:.4g} to {high / h:.4g} Msun"
        )
    return [*lines, f"content     {galaxies.digest()}", f"wrote       {report.path}"]
