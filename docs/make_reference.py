"""Write the reference pages that repeat facts of the code: python docs/make_reference.py [PAGE]...

A test (tests/docs/test_docs.py) fails when a page is not what this script writes.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING
from pathlib import Path

import click

from mockgal import errors, registry
from mockgal.cli import cli
from mockgal.columns import GALAXY_COLUMNS, HALO_COLUMNS, SURVEY_COLUMNS, Column
from mockgal.options import KINDS
from mockgal.painters.halotools import parameters as hod_parameters
from mockgal.painters.hod import columns as hod_columns
from mockgal.readers.tables.declared import Declared
from mockgal.statistics.names import UNITS
from mockgal.statistics.result import DETECTABLE, FORMAT, LEFT_OUT
from mockgal.writers.models.companions import density_path, randoms_path
from mockgal.writers.models.engine import DECLARED, make_model

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
import fault_table  # noqa: E402

REFERENCE = Path(__file__).parent / "reference"
_NOTE = "<!-- written by docs/make_reference.py -->\n"


def columns() -> str:
    """The page on columns."""
    return (
        "# Columns\n" + _NOTE + "\n"
        "In memory, and in files written with `--units h`, lengths are comoving Mpc/h and masses "
        "Msun/h; files are otherwise free of h (Mpc, Msun). Velocities are peculiar km/s.\n\n"
        "## Galaxies (the output)\n\nNames follow the LSST DESC generic catalogue reader.\n\n"
        + _column_table(GALAXY_COLUMNS)
        + "\nGalaxies on the sky, or after steps of a survey, also have some of these:\n\n"
        + _column_table(SURVEY_COLUMNS)
        + "\nColumns given by the painter beside `stellar_mass` are there if it provides them. A "
        "plug-in's painter may bring a property that is not listed: a positive number with a "
        "log-normal law about a line in log stellar mass.\n\n```python\n"
        "from mockgal.columns import Column\n\n"
        'RATE = Column(\n    "star_formation_rate",\n    "Msun/yr",\n    h_power=0,\n'
        '    a_power=0,\n    meaning="stars formed in the last 100 Myr",\n)\n```\n\n'
        "Listed in `provides` of the painter, with its law in `Distribution.further`, it is cut on "
        '(`--cut "star_formation_rate > 1 Msun/yr"`), written, converted and read back like the '
        "others; files say what it means, so reading them does not need the plug-in. "
        "[A property](../how-to/extend.md#a-property) is a whole one, with its painter.\n"
        + "\n## Halos (what readers give, and bundles hold)\n\n"
        + _column_table(HALO_COLUMNS)
    )


def _column_table(table: dict[str, Column]) -> str:
    lines = [
        "| column | unit in memory | type | meaning | refused outside | warned of above |",
        "|---|---|---|---|---|---|",
    ]
    for column in table.values():
        kind = column.dtype.strip("<|") + (str(list(column.shape)) if column.shape else "")
        bounds = column.bounds
        refused = f"{bounds.least:g} to {bounds.most:g}: {bounds.why}" if bounds else ""
        rare = f"{bounds.rare:g}" if bounds and bounds.rare < math.inf else ""
        lines.append(
            f"| `{column.name}` | {column.unit_label} | {kind} | {column.meaning} | {refused} | "
            f"{rare} |"
        )
    return "\n".join(lines) + "\n"


def exit_codes() -> str:
    """The page on exit codes."""
    text = (
        "# Exit codes and errors\n" + _NOTE + "\n"
        "Every failure prints one line, `mockgal: error[CODE] WHERE: found X, expected Y. Fix: Z`, "
        "and exits with one of these codes. The output file is then what it was before. With "
        "`MOCKGAL_DEBUG=1` in the environment the Python traceback is shown instead.\n\n"
        "| exit code | meaning |\n|---|---|\n"
        "| 0 | success (there may be warnings, on standard error and in the output) |\n"
        "| 2 | usage: an option, recipe or cut that cannot be honoured |\n"
        "| 3 | invalid input |\n| 4 | unsafe input refused |\n"
        "| 5 | the output cannot be written |\n"
        "| 6 | not enough memory or disk |\n"
        "| 7 | incomplete: what is done is kept, and the rest can be asked for again |\n"
        "| 8 | a check of our own results failed: please report it |\n"
        "| 130, 143 | interrupted by SIGINT, SIGTERM |\n\n"
        "| error | exit code | class | when |\n|---|---|---|---|\n"
    )
    for error in sorted(_family(errors.MockgalError), key=lambda e: e.code):
        when = (inspect.getdoc(error) or "").removeprefix("Use when ").rstrip(".")
        text += f"| {error.code} | {error.exit_code} | `{error.__name__}` | {when} |\n"
    return text


def _family(base: type[errors.MockgalError]) -> Iterator[type[errors.MockgalError]]:
    for error in base.__subclasses__():
        yield error
        yield from _family(error)


def hod_calibration() -> str:
    """The page on calibration tables."""
    lines = [
        "# HOD calibration tables\n" + _NOTE,
        "One ECSV file (text, read by `astropy.table.Table.read`). One row for each bin of "
        "mass, first those of the centrals, then those of the satellites; `binned_by` says which "
        "mass. Masses are log10 of Msun/h; what is done with the numbers is in "
        "[How the HOD paints](../explanation/hod.md). "
        "`mockgal calibrations` lists the tables that come with the package.\n",
        "| column | unit | meaning |\n|---|---|---|",
    ]
    lines += [
        f"| `{name}` | {unit} | {meaning} |"
        for name, (unit, meaning) in hod_columns.COLUMNS.items()
    ]
    twin = ", ".join(f"`{name}`" for name in hod_columns.TWIN)
    satellites = ", ".join(f"`{name}`" for name in hod_columns.SATELLITES)
    lines.append(
        f"\nA table made without a gravity-only twin lacks all of {twin}. The painter refuses it "
        "unless you accept painting without corrections (`--missing-twin uncorrected`). "
        f"All of {satellites} are there, or none: hosts without subhalos can be populated from a "
        "table that has them. So are all jackknife errors (`NAME_error`), or none.\n\n"
        "Metadata:\n\n| key | meaning |\n|---|---|"
    )
    lines += [f"| `{key}` | {meaning} |" for key, (_, meaning) in hod_columns.META.items()]
    return "\n".join(lines) + "\n"


def command_line() -> str:
    """The page on commands."""
    text = "# Command line\n" + _NOTE
    settings = {**cli.context_settings, "terminal_width": 100}
    for context in _contexts(cli.context_class(cli, info_name="mockgal", **settings)):
        text += f"\n## {context.command_path}\n\n```\n{context.get_help()}\n```\n"
    return text


def _contexts(context: click.Context) -> Iterator[click.Context]:
    """A command and, if it is a group, those in it."""
    yield context
    commands = context.command.commands if isinstance(context.command, click.Group) else {}
    for name, command in sorted(commands.items()):
        yield from _contexts(
            command.context_class(command, info_name=name, parent=context, terminal_width=100)
        )


def statistics() -> str:
    """The page on statistics."""
    lines = [
        "# Statistics\n" + _NOTE,
        "`mockgal measure PATH --statistic NAME,... --out DIR` writes `NAME.ecsv` and `NAME.png`; "
        "`mockgal.measure(galaxies, NAME, ...)` gives a `Measurement`. Names with `cross` are of "
        "two samples: `--cross PATH` or `--cross-matter PATH` is the second, in Python `cross=`. "
        "Those with `sky`, and `w_theta`, are of galaxies on the sky against `--randoms PATH`, in "
        "Python `randoms=`. "
        "The functions' docstrings describe the columns; [How statistics are "
        "measured](../explanation/statistics.md) says what is behind them, and "
        "[Measure a mock](../how-to/measure-a-mock.md) and [Measure on the "
        "sky](../how-to/measure-on-the-sky.md) how to use them.\n",
        "| name | what | function | options and their defaults |\n|---|---|---|---|",
    ]
    for name in registry.names("statistics"):
        function = registry.load("statistics", name)
        lines.append(
            f"| `{name}` | {registry.summary('statistics', name)} | "
            f"`{function.__name__}` of `{function.__module__}` | {', '.join(_options(function))} |"
        )
    lines.append(
        "\n`auto` depends on the box or the sample; what was taken is in the table's settings. "
        "From Python numbers are in the units shown, or texts with a unit.\n\n"
        "From Python alone, of fields in a periodic box, of a sub-cube of one, of positions on the "
        "sky, and of predicted distributions:\n\n"
        "```python\n"
        "from mockgal.statistics.power.spectrum import power_of_field\n"
        "from mockgal.statistics.power.cross import cross_power_of_fields\n"
        "from mockgal.statistics.bispectrum.estimator import bispectrum_of_field\n"
        "from mockgal.statistics.pdf import pdf_of_field\n"
        "from mockgal.statistics.power.subvolume import power_of_subcube\n"
        "from mockgal.statistics.pairs.angular import angular_correlation_function\n"
        "from mockgal.statistics.pit import probability_integral_transform\n"
        "from mockgal.fields.assign import deposit  # mass on a grid\n"
        "```\n\n"
        "## The table\n\n"
        "ECSV, read by `astropy.table.Table.read` (units with `astropy.cosmology.units` enabled) "
        "or `mockgal.read_measurement`. For each estimate X there are `X_error` and "
        f"`X{DETECTABLE}`; with a jackknife vectors `X{LEFT_OUT}`, X without each region. Metadata:"
        "\n\n"
        "| key | meaning |\n|---|---|\n"
        f"| `format` | `{FORMAT}` |\n"
        "| `statistic`, `axis`, `estimates`, `count` | the name; the column of the bins; the "
        "columns that were measured; the column that says of how many |\n"
        "| `settings` | what determines the numbers, what was counted on the way, and in `errors` "
        "what the errors are; `catalogue` says what was measured |\n"
        "| `error_degrees_of_freedom` | of the errors: sub-volumes less one, or infinite |\n"
        "| `style`, `labels` | how it is drawn |\n"
        "| `file_digest` | BLAKE2b of the text with zeros in its place: see `mockgal verify` |\n"
    )
    return "\n".join(lines)


def _options(function: Callable[..., object]) -> Iterator[str]:
    for option in inspect.signature(function).parameters.values():
        if option.kind is not option.KEYWORD_ONLY:
            continue
        flag = "grid" if option.name == "grid_size" else option.name.replace("_", "-")
        unit = UNITS.get(option.name, "").replace("littleh", "h").replace(" ", "")
        if option.name == "line_of_sight" and option.default is None:
            default = "real space"
        elif option.default is None:
            default = "auto"
        elif isinstance(option.default, bool):
            default = "" if not option.default else "yes"
        else:
            default = f"{option.default} {unit}".strip()
        yield f"`--{flag}`" + (f" {default}" if default else "")


def painters() -> str:
    """The page on painters and their options."""
    text = (
        "# Painters and their options\n" + _NOTE + "\n"
        "On the command line `missing_twin` is `--missing-twin`; a recipe has it under "
        "`painter_options`; from Python it is an argument: "
        '`mockgal.paint(sim, "hod", seed=1, missing_twin="uncorrected")`. What does not change '
        "the galaxies is left out of the digest of a build's configuration. Relative paths in a "
        "recipe are taken from its folder. Of what has a name or is in a file, `./x` and what "
        "ends in the extension is a file.\n"
    )
    for name in registry.built_in("painters"):
        for title, options in registry.painter_options(name).items():
            text += (
                f"\n## {name}{', ' * bool(title)}{title}\n\n"
                "| option | value | default | changes the galaxies | meaning |\n"
                "|---|---|---|---|---|\n"
            )
            for option in options.values():
                value = option.allowed
                if option.objects:
                    value += f"; from Python also an object of class `{option.objects[0]}`"
                default = "" if option.default is None else f"`{option.default}`".lower()
                if option.default is MISSING:
                    default = "must be given"
                changes = "yes" if option.changes_result else "no"
                text += f"| `{option.name}` | {value} | {default} | {changes} | {option.help} |\n"
    return text + _parameters() + _OWN_PAINTER + _kinds()


def _parameters() -> str:
    """Tables of the parameters of halotools' models."""
    text = (
        "\n## Parameters of the models\n\n"
        "What `parameters` of `hod` takes ([how to give them](../how-to/hod-parameters.md)). A "
        "mass is its logarithm, `12.02 log10(Msun/h)`, or itself, `1.05e12 Msun/h`; the range is "
        "that of the logarithm. From Python it may also be a plain number in the unit given here.\n"
    )
    for title, known in (*hod_parameters.MODELS.items(), ("all models", hod_parameters.SHARED)):
        text += f"\n### {title}\n\n| parameter | unit | range | meaning |\n|---|---|---|---|\n"
        for name, one in known.items():
            text += f"| `{name}` | {one.label} | {one.least:g} to {one.most:g} | {one.meaning} |\n"
    return text


_OWN_PAINTER = """
## Options of a painter of your own

A painter is a class that is registered as an entry point in the group `mockgal.painters`. It is a
frozen dataclass, and its fields are its options:

```python
from dataclasses import dataclass

from mockgal.options import check_options, file, flag, quantity, whole


@dataclass(frozen=True)
class Mine:
    neighbours: int = whole("Number of neighbours to average over (default: 3).", 3, least=1)
    least_mass: str | float | None = quantity(
        "Least mass of a galaxy.", "Msun / littleh", example="1e9 Msun/h"
    )
    table: str | None = file("Table of the law.")
    verbose: bool = flag("Print each step.", changes_result=False)

    name = "mine"

    def __post_init__(self) -> None:
        check_options(self)
```

With `predict` and `describe` that is all ([a whole painter](../how-to/extend.md#a-painter)):
`mockgal build --painter mine --neighbours 5` works, `mockgal build --help` has a group *Painter
mine*, recipes and Python are checked, and `mockgal.testing.painter_contract` tries what a painter
promises.

"""


def _kinds() -> str:
    """A table of the functions that declare an option."""
    lines = ["| function of `mockgal.options` | declares |", "|---|---|"]
    for function in KINDS:
        about = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
        about = about.removeprefix("Declare ").rstrip(".").replace("``", "`")
        lines.append(f"| `{function.__name__}` | {about} |")
    return "\n".join(lines) + (
        "\n\nAn option that another painter has too shares its flag; the painter that is chosen "
        "says which values are allowed. Where the command has a flag of that name for something "
        "else (`--seed`), the option is for recipes and Python alone. A function that makes one of "
        "several classes lists them in its attribute `option_classes`; the attribute "
        "`option_title` of each follows the painter's name in the help.\n"
    )


def faults() -> str:
    """The page on bad input and other faults."""
    claims = fault_table.claims()
    known = fault_table.FAULTS.values()
    without = sum(bool(fault.no_part) for fault in known)
    text = (
        "# Bad input, and what happens\n" + _NOTE + "\n"
        "Files get cut short, sets lose a file, units are taken for others, disks fill up. mockgal "
        "is built to notice: it gives the right catalogue, or it stops and says what is wrong, in "
        "one line,\n\n"
        "```\nmockgal: error[CODE] FILE:DATASET: found X, expected Y. Fix: Z\n```\n\n"
        "with one of the [exit codes](exit-codes.md) and without an output: a file of that name "
        "stays as it was. From Python it is an exception of the same text "
        "(`mockgal.errors.MockgalError`).\n\n"
        "**What cannot be noticed.** In formats that carry no checksums (text, and HDF5 written "
        "without Fletcher-32), a flipped bit inside the values themselves cannot be recognised "
        "where it leaves a number that could be true; nor can whole lines that are missing at the "
        "end of a text table. The SHA-256 digests of the input files in the record of the run "
        "(`OUTPUT.run.json`) tell later whether a file has changed, and can be compared with those "
        "that a data release lists. Of snapshots, which can take terabytes, only the sizes are "
        "recorded. The catalogues and bundles that mockgal writes carry checksums, and are read "
        "back and verified before they get their name.\n\n"
        f"These are the {len(known)} faults that are planned for. {len(known) - without} of them "
        "are brought about by the tests in the last column, which hold what the table says. The "
        f"other {without} concern parts that mockgal does not have yet: nothing is claimed of "
        "them.\n"
    )
    for group in fault_table.GROUPS:
        text += (
            f"\n## {group.letter}. {group.title}\n\n"
            "| | what is wrong | what happens | exit code | tests |\n|---|---|---|---|---|\n"
        )
        for fault in group.faults:
            happens = f"*no such part yet:* {fault.no_part}" if fault.no_part else fault.happens
            codes = "" if fault.no_part else ", ".join(map(str, fault.exit_codes))
            tests = ", ".join(
                f"[{Path(name).stem.removeprefix('test_')}](../../tests/{name})"
                for name in claims.get(fault.number, [])
            )
            text += f"| {fault.number} | {fault.wrong} | {happens} | {codes} | {tests} |\n"
    return text


def formats() -> str:
    """The page on formats of simulations."""
    readers = {name: registry.load("readers", name) for name in registry.built_in("readers")}
    text = (
        "# Formats of simulations\n" + _NOTE + "\n"
        "The format is found from the content, never from the name; `--format` overrides it. What "
        "a file does not state, mockgal asks for, with the options to give it. "
        "[Read your own simulation](../how-to/read-your-simulation.md) says what to point at. "
        "Particles and density grids of other formats can be given "
        "[beside a catalogue](../how-to/matter-beside-halos.md).\n\n"
        "*Made* files are written by the tests in the layout that the code's documentation "
        "publishes: no real file of that format was at hand.\n\n"
        "| `--format` | what | read | units in the file | asked for | tests read | needs |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    for name, reader in readers.items():
        about = reader.about
        text += (
            f"| `{name}` | {about.title} | {about.reads} | {about.units} | {about.asked} | "
            f"{about.tested_on} | {about.library} |\n"
        )
    text += (
        "\n## Columns of formats with fixed names\n\nUnits in brackets are those of the format; "
        "without brackets the file states them. Of several columns the first that is there is "
        "read. `--columns` overrides any of them.\n"
    )
    for name, reader in readers.items():
        if not issubclass(reader, Declared):
            continue
        text += f"\n### {name}\n\n| quantity | columns |\n|---|---|\n"
        for quantity, ways in reader.columns.items():
            ways = (ways,) if isinstance(ways, str) else ways
            text += f"| {quantity} | {', else '.join(f'`{way}`' for way in ways)} |\n"
        if reader.host_masses:
            unit = f" [{reader.mass_unit}]" * bool(reader.mass_unit)
            listed = ", ".join(f"{key} `{column}`" for key, column in reader.host_masses.items())
            text += f"| host_mass{unit}, the first by default | {listed} |\n"
        if reader.flag:
            text += f"| left out and counted | rows with `{reader.flag}` |\n"
        if reader.may_lack_mass:
            text += (
                "| left out and counted | hosts whose mass is 0, negative or NaN, and their "
                "satellites |\n"
            )
    return text


def data_models() -> str:
    """The page on data models."""
    text = (
        "# Data models\n" + _NOTE + "\n"
        "`--model-out NAME` of `mockgal build`, or `mockgal.write(galaxies, path, model=NAME)`, "
        "writes the columns, names and units that the pipelines of a survey read. "
        "[Hand your mock to a pipeline](../how-to/hand-to-a-pipeline.md) says how. The file also "
        "has the provenance and the content digest of the catalogue, and `mockgal.read_galaxies` "
        "reads back the columns that it holds. A column that the catalogue lacks is an error that "
        "names the step that makes it.\n\n"
        "| model | what | files | table | units |\n|---|---|---|---|---|\n"
        "| `mockgal` | all [columns](columns.md), under their own names (the default) | "
        "[all formats](output-files.md) | `GALAXIES` | `--units` |\n"
        "| `parquet` | the same | `.parquet` | | `--units` |\n"
        "| `hats` | the same, in HEALPix partitions that LSDB opens; needs "
        "`pip install 'mockgal[hats]'` | a folder | | `--units` |\n"
    )
    models = [make_model(name) for name in DECLARED]
    for model in models:
        ends = [end for name in model.formats for end in registry.make("writers", name).extensions]
        units = {"h": "densities in h^3 Mpc^-3", "h-free": "Mpc, Msun, without h"}[model.units]
        text += (
            f"| `{model.name}` | {model.title} | {', '.join(f'`{end}`' for end in ends)} | "
            f"`{model.table.upper()}` | {units} |\n"
        )
    for model in models:
        text += (
            f"\n## {model.name}\n\n"
            "| column | type | unit | from | meaning |\n|---|---|---|---|---|\n"
        )
        for column in model.columns:
            source = column.sources[-1] if column.sources else None
            declared = column.column(source)
            unit = declared.unit_label if model.units == "h" else declared.unit
            kept = {True: ", with copies of the box", False: ", without copies of the box"}
            when = kept[column.copies] if column.copies is not None else ""
            when += ", if it is there" * column.optional
            text += (
                f"| `{column.name}` | {declared.dtype.strip('<|')} | {unit} | {column.text}{when} "
                f"| {column.meaning} |\n"
            )
    return text + (
        "\nWith `--desi-release edr`, `NX` of `desi` is called `NZ`. Ids that are *keyed* are "
        "hashes of 58 bits of the id and the copy: two objects of a file never share one, and the "
        "same object has the same one in each mock of a simulation.\n\n"
        "## Files beside\n\n"
        "| model | galaxies | randoms | number density by redshift |\n|---|---|---|---|\n"
        + "".join(
            f"| `{model}` | `{name}` | `{randoms_path(Path(name), model)}` | "
            f"`{density_path(Path(name), model)}` |\n"
            for model, name in (
                ("desi", "LRG_NGC_clustering.dat.fits"),
                ("desi", "mock.fits"),
                ("boss", "galaxy_CMASS_North.fits"),
                ("boss", "mock.fits"),
            )
        )
        + "\nThe randoms of other models are written to `NAME_ran`. The number density is that of "
        "the bins of the step n(z), if the provenance has one.\n"
    )


PAGES = {
    "columns.md": columns,
    "data-models.md": data_models,
    "formats.md": formats,
    "exit-codes.md": exit_codes,
    "hod-calibration.md": hod_calibration,
    "command-line.md": command_line,
    "painters.md": painters,
    "statistics.md": statistics,
    "faults.md": faults,
}

if __name__ == "__main__":
    for page in sys.argv[1:] or PAGES:
        (REFERENCE / page).write_text(PAGES[page](), encoding="utf-8")
