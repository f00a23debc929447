"""Commands about simulations and calibrations: ``inspect``, ``pack``, ``calibrations``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from .left_out import left_out
from .options import given, reading
from .screen import progress_bar, say


@click.command()
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@reading
def inspect(path: str, as_json: bool, **options: Any) -> None:
    """Say what PATH is, and what each painter could do with it."""
    from ..summary import as_text
    from ..summary import inspect as look

    facts = look(path, **given(options))
    say((json.dumps(facts, indent=1) if as_json else as_text(facts)).splitlines())


@click.command()
@click.argument("path")
@click.option("--out", required=True, help="Bundle to write, .hdf5.")
@click.option("--no-particles", is_flag=True, help="Leave the particles out.")
@click.option("--density", help="Density grid to pack with the halos.")
@click.option("--overwrite", is_flag=True, help="Replace the bundle if it exists.")
@reading
def pack(
    path: str, out: str, no_particles: bool, density: str | None, overwrite: bool, **options: Any
) -> None:
    """Put the simulation at PATH into one file."""
    from ..packing import pack as run

    with progress_bar() as progress:
        sim = run(
            path,
            out,
            overwrite=overwrite,
            particles=not no_particles,
            density=density,
            progress=progress,
            **given(options),
        )
    particles = 0 if sim.particles is None or no_particles else sim.particles.count
    say(
        [
            f"wrote {out}: {len(sim.halos):,} subhalos, {particles:,} particles, "
            f"{Path(out).stat().st_size:,} bytes",
            *(f"left out: {text}" for text in left_out(sim.halos.record)),
        ]
    )


@click.command()
def calibrations() -> None:
    """List the HOD calibrations that come with mockgal."""
    from ..paint.hod_columns import KINDS, TWIN
    from ..paint.hod_store import shipped

    for table in shipped():
        z, m = table.domain["redshift"], table.domain["particle_mass"]
        ranges = [
            f"{kind}s by {table.mass_of(k)} 10^{table.edges(k)[0]:.2f} to "
            f"10^{table.edges(k)[-1]:.2f} Msun/h"
            for k, kind in enumerate(KINDS)
        ]
        lines = [
            f"{table.name}: redshift {z[0]:.4g} to {z[1]:.4g}, {', '.join(ranges)}, particle mass "
            f"{m[0]:.3g} to {m[1]:.3g} Msun/h, luminous above {table.luminosity_floor:.4g} Msun/h",
            f"    from: {table.provenance.get('summary', 'not stated')}",
        ]
        if not table.has_twin:
            lines.append(
                f"    made without a gravity-only twin: no {', '.join(TWIN)}; refused unless "
                "painting without corrections is asked for (--missing-twin uncorrected)"
            )
        if "caution" in table.provenance:
            lines.append(f"    caution: {table.provenance['caution']}")
        say(lines)
