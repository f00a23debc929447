"""Commands about simulations and calibrations: ``inspect``, ``pack``, ``calibrations``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cloup
from cloup import option, option_group

from ..errors import printable
from ..layout import HISTORY
from .calibrate import describe_table
from .command import Command, Outcome, about, files_of
from .options.shared import (
    about_matter,
    changed,
    formerly_first,
    given,
    matter_option,
    one_of_both,
    overwriting,
    reading,
    sim_option,
)
from .options.values import FILE, PATH
from .screen.fit import describe
from .screen.left_out import left_out
from .screen.streams import progress_bar


@cloup.command(cls=Command)
@cloup.argument("path", type=PATH)
@option_group("Mock", changed)
@option_group("Simulation", matter_option("Matter of the simulation: particles or a density grid."))
@about_matter
@reading
def inspect(path: str, **options: Any) -> Outcome:
    """Describe the simulation, matter or mock at PATH, and what each painter can do with it.

    Of the samples.ecsv of a fit: its posterior, its chi-square, and what was fitted.
    """
    from ..tasks.fitting.results import fit_or_none
    from ..tasks.inspect import as_text
    from ..tasks.inspect import inspect as look

    found = fit_or_none(path, **given(options))
    if found is not None:
        return Outcome(map(printable, describe(found)), found.facts())
    facts = look(path, **given(options))
    return Outcome(as_text(facts).splitlines(), facts)


@cloup.command(cls=Command)
@formerly_first("path")
@option_group(
    "Simulation",
    sim_option("Simulation to pack: one file of a set, or a folder."),
    matter_option("Particles or a density grid to pack with the halos (default: its own)."),
    option(
        "--history",
        type=PATH,
        metavar="TABLE",
        help="Table from the merger trees with a row for each subhalo, to pack with the halos: "
        "peak_mass, peak_vmax, half_mass_scale, last_major_merger_scale, infall_mass and others.",
    ),
    option(
        "--history-columns",
        metavar="MAP",
        help='Columns of --history, such as "halo_id=id, peak_mass=Mpeak [Msun/h], '
        'half_mass_scale=a_half".',
    ),
    option("--no-particles", is_flag=True, help="Leave the particles out."),
)
@option_group(
    "Output",
    option("--out", type=FILE, required=True, help="Bundle to write, .hdf5."),
    overwriting,
)
@about_matter
@reading
def pack(
    sim: str | None,
    path: str | None,
    out: str,
    no_particles: bool,
    matter: str | None,
    overwrite: bool,
    **options: Any,
) -> Outcome:
    """Pack a simulation into one file, a bundle."""
    from ..tasks.inspect import columns_read
    from ..tasks.pack import pack as run
    from ..tasks.steps.history import describe as how_joined

    source = one_of_both("mockgal pack", "--sim", sim, path)
    with progress_bar() as progress:
        packed = run(
            source,
            out,
            overwrite=overwrite,
            particles=not no_particles,
            matter=matter,
            progress=progress,
            **given(options),
        )
    particles = 0 if packed.particles is None or no_particles else packed.particles.count
    size = Path(out).stat().st_size
    history = packed.snapshot.record.get(HISTORY)
    lines = [
        f"wrote {out}: {len(packed.halos):,} subhalos, {particles:,} particles, {size:,} bytes",
        *(f"read: {text}" for text in columns_read(packed.snapshot.record)),
        *([f"history: {how_joined(history)}"] if history else []),
        *(f"left out: {text}" for text in left_out(packed.halos.record)),
    ]
    facts = {
        "simulation": about(packed),
        "read": files_of(packed.snapshot.source),
        "subhalos": len(packed.halos),
        "particles": particles,
        "halo_digest": packed.halos.digest(),
        "bytes": size,
        "wrote": [out],
    }
    if history:
        facts["history"] = dict(history)
    return Outcome(lines, facts)


@cloup.command(cls=Command)
def calibrations() -> Outcome:
    """List the HOD calibrations that come with mockgal."""
    from ..painters.hod.columns import KINDS, TWIN
    from ..painters.hod.store import shipped

    lines, facts = [], []
    for table in shipped():
        z, m = table.domain["redshift"], table.domain["particle_mass"]
        ranges = [
            f"{kind}s by {table.mass_of(k)} 10^{table.edges(k)[0]:.2f} to "
            f"10^{table.edges(k)[-1]:.2f} Msun/h"
            for k, kind in enumerate(KINDS)
        ]
        lines += [
            f"{table.name}: redshift {z[0]:.4g} to {z[1]:.4g}, {', '.join(ranges)}, particle mass "
            f"{m[0]:.3g} to {m[1]:.3g} Msun/h, luminous above {table.luminosity_floor:.4g} Msun/h",
            f"    from: {table.provenance.get('summary', 'not stated')}",
        ]
        if not table.has_twin:
            lines.append(
                f"    made without a gravity-only twin: no {', '.join(TWIN)}; refused unless you "
                "accept painting without corrections (--missing-twin uncorrected)"
            )
        if "caution" in table.provenance:
            lines.append(f"    caution: {table.provenance['caution']}")
        facts.append(describe_table(table))
    return Outcome(lines, {"calibrations": facts})
