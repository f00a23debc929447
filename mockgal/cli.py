"""The ``mockgal`` command: options to functions, results to lines, errors to exit codes."""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .errors import (
    InternalError,
    MockgalError,
    MockgalWarning,
    OutputError,
    ResourceError,
    UsageError,
    printable,
)
from .layout import MISSING_CHUNKS
from .types import MASS_DEFINITIONS, STELLAR_MASS_DEFINITIONS

if TYPE_CHECKING:
    from .pipeline import Report

STELLAR_MASS_HELP = (
    "Stars counted in a hydrodynamic run: "
    + "; ".join(f"{name}, {meaning}" for name, meaning in STELLAR_MASS_DEFINITIONS.items())
    + " (default: bound)."
)
MASS_DEFINITION_HELP = "Host mass: " + ", ".join(MASS_DEFINITIONS) + " (default: 200c)."


def _reading(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that tell a reader what to do."""
    for option in (
        click.option("--format", "format", help="Input format; by default found from the content."),
        click.option("--mass-definition", help=MASS_DEFINITION_HELP),
        click.option(
            "--drop-bad",
            is_flag=True,
            default=None,
            help="Drop rows with NaN, infinite or negative masses, and centrals without a "
            "host mass (with their satellites), instead of refusing the file; counted.",
        ),
        click.option(
            "--orphans",
            type=click.Choice(["refuse", "drop", "central"]),
            help="Satellites whose central is not in the catalogue (default: refuse).",
        ),
        click.option(
            "--centred-origin", is_flag=True, default=None, help="Positions are in [-L/2, L/2)."
        ),
        click.option(
            "--allow-empty-regions",
            is_flag=True,
            default=None,
            help="Accept a box with an empty octant or slab.",
        ),
        click.option(
            "--allow-missing-chunks",
            is_flag=True,
            default=None,
            help="Read a catalogue of which files are missing: the groups that are there as a "
            "whole; recorded.",
        ),
        click.option("--stellar-mass-definition", help=STELLAR_MASS_HELP),
        click.option("--h", type=float, help="H0 over 100 km/s/Mpc, if not in the file."),
        click.option("--omega-m", type=float, help="Matter density today, if not in the file."),
        click.option("--omega-lambda", type=float, help="Dark energy today, if not in the file."),
    ):
        command = option(command)
    return command


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that the user gave."""
    return {key: value for key, value in options.items() if value not in (None, ())}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="mockgal %(version)s")
def cli() -> None:
    """Mock galaxy catalogues painted on gravity-only simulations."""


@cli.command()
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
@_reading
def build(recipe: Path | None, **options: Any) -> None:
    """Build a mock: read a simulation, paint it, cut it, and write the catalogue."""
    from .pipeline import build as run
    from .recipe import check, read_yaml

    values = {} if recipe is None else read_yaml(recipe)
    source = "mockgal build" if recipe is None else str(recipe)
    given = _given(options)
    painter_options = {
        key: given.pop(key)
        for key in ("calibration", "allow_extrapolation", "missing_twin")
        if key in given
    }
    values |= given
    stated = values.get("painter_options", {})
    if painter_options and isinstance(stated, dict):
        values["painter_options"] = {**stated, **painter_options}
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
    _say(_describe(report, seed_is_default="seed" not in values))


def _describe(report: Report, *, seed_is_default: bool) -> list[str]:
    sim, galaxies, p = report.scene, report.galaxies, report.galaxies.provenance
    snapshot, prediction = sim.snapshot, p["painter"]["prediction"]
    h = snapshot.cosmology.h
    central = int(galaxies["is_central"].sum())
    lines = [
        f"simulation  {snapshot.name} ({snapshot.format}), box {snapshot.box_size:g} Mpc/h, "
        f"redshift {round(snapshot.redshift, 9):.4g}, {len(sim.halos):,} subhalos",
        f"painter     {p['painter']['name']}, calibration {p['painter'].get('calibration')}, "
        f"seed {p['seed']}" + " (the default)" * seed_is_default,
        f"painted     {p['painted']:,} galaxies; expected {prediction['expected_centrals']:.1f} "
        f"centrals and {prediction['expected_satellites']:.1f} satellites",
    ]
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


@cli.command()
@click.argument("path")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@_reading
def inspect(path: str, as_json: bool, **options: Any) -> None:
    """Say what PATH is, and what each painter could do with it."""
    from .summary import as_text
    from .summary import inspect as look

    facts = look(path, **_given(options))
    _say((json.dumps(facts, indent=1) if as_json else as_text(facts)).splitlines())


@cli.command()
@click.argument("path")
@click.option("--out", required=True, help="Bundle to write, .hdf5.")
@click.option("--no-particles", is_flag=True, help="Leave the particles out.")
@click.option("--density", help="Density grid to pack with the halos.")
@click.option("--overwrite", is_flag=True, help="Replace the bundle if it exists.")
@_reading
def pack(
    path: str, out: str, no_particles: bool, density: str | None, overwrite: bool, **options: Any
) -> None:
    """Put the simulation at PATH into one file."""
    from .pipeline import pack as run

    with _progress() as progress:
        sim = run(
            path,
            out,
            overwrite=overwrite,
            particles=not no_particles,
            density=density,
            progress=progress,
            **_given(options),
        )
    particles = 0 if sim.particles is None or no_particles else sim.particles.count
    _say(
        [
            f"wrote {out}: {len(sim.halos):,} subhalos, {particles:,} particles, "
            f"{Path(out).stat().st_size:,} bytes"
        ]
    )


@cli.command()
def calibrations() -> None:
    """List the HOD calibrations that come with mockgal."""
    from .paint.hod_store import shipped
    from .paint.hod_table import KINDS, TWIN

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
        _say(lines)


@contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None] | None]:
    """A progress bar with rate and time left on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.speed:.3g}/s"),
        TimeLeft(),
        console=Console(stderr=True),
    )
    tasks: dict[str, Any] = {}

    def advance(done: int, total: int, label: str) -> None:
        if label not in tasks:
            tasks[label] = bar.add_task(label, total=total)
        bar.update(tasks[label], completed=done)

    with bar:
        yield advance


def _warn(text: object) -> None:
    click.echo(f"mockgal: warning: {printable(text)}", err=True)


def _fail(error: MockgalError) -> int:
    click.echo(f"mockgal: error[{error.code}] {error}", err=True)
    return error.exit_code


def _terminate(signum: int, frame: Any) -> None:
    raise SystemExit(128 + signum)


def _say(lines: Iterable[str]) -> None:
    """Print lines to standard output; what they hold cannot forge other lines."""
    try:
        for line in lines:
            click.echo(printable(line))
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on, which is no failure of ours
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - so that the exit finds it writable
    except OSError as error:
        raise OutputError(
            "standard output",
            str(error),
            "a place for the report",
            "the files that the command was to write are complete",
        ) from error


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit with a documented code; no traceback reaches the user.

    With ``MOCKGAL_DEBUG`` set in the environment errors are raised as they are.
    """
    signal.signal(signal.SIGTERM, _terminate)
    if sys.stdout is None:  # closed by the caller
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115

    def show(message: Any, category: Any, filename: str, lineno: int, *_: Any) -> None:
        if issubclass(category, MockgalWarning):
            _warn(message)
        elif os.environ.get("MOCKGAL_DEBUG"):
            _warn(f"{category.__name__} at {filename}:{lineno}: {message}")

    warnings.showwarning = show  # type: ignore[assignment]
    warnings.simplefilter("always", MockgalWarning)  # whatever PYTHONWARNINGS says
    try:
        cli(arguments, standalone_mode=False)
        code = 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = 2
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "mockgal"
        code = _fail(
            UsageError(command, error.format_message(), "", f"`{command} --help` lists the options")
        )
    except (click.Abort, KeyboardInterrupt):
        click.echo("mockgal: interrupted; every output is whole, or as it was", err=True)
        code = 130
    except MockgalError as error:
        if os.environ.get("MOCKGAL_DEBUG"):
            raise
        code = _fail(error)
    except MemoryError:
        code = _fail(ResourceError("mockgal", "too little memory", "", "a machine with more"))
    except Exception as error:
        if os.environ.get("MOCKGAL_DEBUG"):
            raise
        code = _fail(
            InternalError(
                "mockgal",
                f"an unforeseen {type(error).__name__}: {error}",
                "",
                "please report this, with what MOCKGAL_DEBUG=1 prints",
            )
        )
    sys.exit(code)
