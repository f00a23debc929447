"""Mutated texts: cuts, quantities, recipes and tables in ECSV, and what the package makes of each.

For each kind there is a generator ``mutations(rng, n)`` and a function ``outcome(mutation)``, which
is ``"ok"`` or the code of the error; an exception that is none of ours goes on to the caller. By
hand, for any number of them::

    python tests/mutations/text.py KIND COUNT [SEED]
"""

import random
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mockgal.errors import MockgalError, UsageError, printable
from mockgal.options import check_names
from mockgal.painters.choose import make_painter
from mockgal.painters.hod import store as hod_store
from mockgal.protocols import ReadOptions
from mockgal.quantity import UnitError, in_unit, memory_size
from mockgal.readers.tables import quantities as of_tables
from mockgal.readers.tables.facts import beside as read_beside
from mockgal.readers.tables.units import parse as parse_unit
from mockgal.recipe import check, read_yaml
from mockgal.satellites.options import SatelliteOptions
from mockgal.selection.cuts import parse
from mockgal.tasks.one_statistic import read_measurement

LONGEST = 4000  # characters of a message

CUTS = (
    "stellar_mass > 1e9 Msun/h",
    "1e9 Msun <= stellar_mass < 1e10 Msun/h",
    "position_x < 2000 kpc h^-1",
    "0.05 Mm/s < velocity_x",
    "is_central == 1",
    "galaxy_id != 9007199254740993",
    "halo_mass >= 1e12 /h Msun",
)
QUANTITIES = (
    ("0.1 h/Mpc", "littleh / Mpc"),
    ("0.25 dex", "dex"),
    ("40 Mpc/h", "Mpc / littleh"),
    ("1e9 Msun h^-1", "Msun / littleh"),
    ("1e10 kg", "Msun / littleh"),
    ("2 GiB", "bytes"),
    ("1e9 /h Msun", "Msun / littleh"),
    ("3 (Mpc/h)**-1", "littleh / Mpc"),
)
PIECES = (
    *("h", "Mpc", "Msun", "kpc", "km/s", "dex", "mag", "dex(Mpc)", "mag(Msun)", "littleh", "1/h"),
    *("/h", "/h/h", " h", "h^-1", "^", "**", "^-", "^(1/2)", "**(1/0)", "^999999999", "**1e9"),
    *("^-9", "^10", "(", ")", "((((", "))))", "*", "/", ".", "-", "+", " ", "\t", "\n", "\0"),
    *("1e", "e400", "1e400", "1e-400", "1e-9999999999999999999", "1e9999999999999999999", "nan"),
    *("inf", "0", "00", "1_000", "0x10", "٣", "１", "²", "☉", "\u00a0", "\u200b", "\ud800", "é"),
    *("<", ">", "<=", "=>", "==", "!=", "=", "<>", "&", ";", "__import__('os')", "{}", "%s", "%n"),
    *("9" * 50, "9" * 5000, "Mpc " * 50, "(" * 300, "x" * 300, "Msun/" * 60, "galaxy_id", "vmax"),
    *("Unit", "deg_C", "QMpc", "percent", "%", '"', "'", "\\", "\x1b[31m", "\u2028"),
)
WORDS = (
    *("0777", "1:30", "no", "on", "yes", "y", "0o17", "0b11", "1_000", "0x1F", "1e9", "1e999", "."),
    *("2020-01-01", "2020-13-45", ".nan", "-.inf", "nan", "inf", "~", "null", "", "true", "False"),
    *("18446744073709551616", "-1", "1.0", "9" * 5000, "0x" + "f" * 5000, "'", '"', '"\\ud800"'),
    *(
        '"\\0"',
        '"\\UFFFFFFFF"',
        "\0",
        "\x07",
        "\x85",
        "\u2028",
        "\ufeff",
        "\ud800",
        "é",
        "\U0001f600",
    ),
    *(
        "!!python/object/apply:os.system [x]",
        "!!omap [a: 1]",
        "!!binary aGk=",
        "!x",
        "! 1",
        "!<x> 1",
    ),
    *(
        "&a [1]",
        "*a",
        "&a [*a]",
        "<<: {a: 1}",
        "{<<: *a}",
        "[]",
        "{}",
        "[[[[[[[[[]]]]]]]]]",
        "{a: 1}",
    ),
    *(
        "{a: {a: {a: {a: {}}}}}",
        "? a",
        "? [a]\n: b",
        "- a",
        "--- a",
        "...",
        "%YAML 1.1",
        "%TAG ! x:",
    ),
    *(
        "|",
        ">-",
        "|\n  a\n  b",
        ">\n a",
        "# a",
        "a: b: c",
        "@x",
        "`x`",
        "%",
        "[",
        "]",
        "{",
        "}",
        ",",
    ),
    *("=", "<<", "\t", " ", "x" * 5000, "[" * 2000, "{a: " * 2000, "- " * 2000, "? " * 2000, "\\"),
    *("{" + ",".join(f"k{n}" for n in range(3000)) + "}", "/dev/zero", "a\\b", "../x", "x.ecsv"),
)
RECIPE = """\
sim: demo/dark.hdf5
matter: field.hdf5
painter: hod
painter_options:
  calibration: gadget4-z0.00
  allow_extrapolation: false
populate: true
populate_options:
  numbers: poisson
  concentration: duffy08
  velocity_bias: 1.0
seed: 1
cut:
  - stellar_mass > 3e9 Msun/h
out: mock.fits
units: h-free
overwrite: false
mass_definition: 200c
orphans: refuse
h: 0.6774
redshift: 0.0
box_size: 16 Mpc/h
particle_mass: 1e9 Msun/h
"""
MAP = (
    "halo_id=id, host_id=pid [0], position='x y' y z [kpc/h], velocity=vx vy vz [km/s], "
    "host_mass=m200c [1e10 Msun/h], mass=mvir [dex(Msun/h)], radius=r200c [ckpc/h]"
)
MAP_PIECES = (
    *("=", ",", "[", "]", "[]", "[[", "''", '"', "'", "velocity=0", "halo_id=", "=id", "comoving "),
    *("dex(", "log10(Msun)", "10^10 ", "10**99 Msun", "1e400 ", "-1 ", "cMpc", "pkpc", "Mpccm/h"),
)
BESIDE = """\
columns:
  position: x y z [Mpc/h]
  velocity: vx vy vz [km/s]
  host_mass: m200c [Msun/h]
  mass: mvir [Msun/h]
name: the run
mass_definition: 200c
centred_origin: false
box_size: 40 Mpc/h
redshift: 0
h: 0.6774
omega_m: 0.3089
omega_lambda: 0.6911
particle_mass: 1.33925e9 Msun/h
"""
HEADERS = (
    *("__serialized_columns__: {a: {__class__: astropy.time.Time}}", "subtype: json", "object"),
    *("datatype: object", "datatype: complex128", "float64[null]", "float64[99999999]", "int8"),
    *("!!omap", "!astropy.units.Unit {unit: m}", "!numpy.ndarray {}", "!!python/tuple [1]"),
    *("name: kind", "delimiter: ','", "schema: x", "meta: {}", "# ", "#", "[" * 3000, "1e999"),
    *("nan", "-inf", "9" * 400, "[1,2]", "[1,", "null", '""', '"', "True", "\n", "\n\n", "\r", ","),
)


def _changed(rng: random.Random, text: str, pieces: tuple[str, ...]) -> str:
    """A text with one to three changes: a piece put in, or a part changed, repeated or gone."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice((0, 1, 2, 4, 8, 30)))
        part = text[start:end]
        new = rng.choice(
            (
                rng.choice(pieces),
                rng.choice(pieces),
                rng.choice(pieces),
                part * rng.choice((0, 2, 2, 60)),
                part.swapcase() or chr(rng.choice((rng.randrange(256), rng.randrange(0x11000)))),
                part[::-1],
            )
        )
        text = text[:start] + new + text[end:]
    return text


def _in_place_of_a_value(rng: random.Random, text: str, pieces: tuple[str, ...], mark: str) -> str:
    """A text of which what follows a mark in some line is another."""
    lines = text.split("\n")
    some = [n for n, line in enumerate(lines) if mark in line]
    chosen = rng.choice(some)
    key, _, _ = lines[chosen].partition(mark)
    lines[chosen] = f"{key}{mark}{rng.choice(pieces)}"
    return "\n".join(lines)


def maps(rng: random.Random, n: int) -> Iterator[str]:
    """Maps of the columns of a table, by one to three changes each."""
    for number in range(n):
        text = _changed(rng, MAP, (*PIECES, *MAP_PIECES))
        yield text * 10_000 if number % 2000 == 1999 else text


def beside(rng: random.Random, n: int) -> Iterator[bytes]:
    """Files of facts beside a table."""
    for number in range(n):
        if number % 3:
            text = _in_place_of_a_value(rng, BESIDE, (*WORDS, *PIECES), ": ")
        else:
            text = _changed(rng, BESIDE, WORDS)
        yield _bytes(rng, text)


def cuts(rng: random.Random, n: int) -> Iterator[str]:
    """Cuts, by one to three changes each; and now and then a long one."""
    for number in range(n):
        text = _changed(rng, rng.choice(CUTS), PIECES)
        yield text * 100_000 if number % 2000 == 1999 else text


def quantities(rng: random.Random, n: int) -> Iterator[str]:
    """Quantities with the unit that is asked for, after a ``|``."""
    for number in range(n):
        text, unit = rng.choice(QUANTITIES)
        text = _changed(rng, text, PIECES)
        yield f"{text * 100_000 if number % 2000 == 1999 else text}|{unit}"


def recipes(rng: random.Random, n: int) -> Iterator[bytes]:
    """Recipes: another value of a key, or changes anywhere, or bytes that are no text."""
    for number in range(n):
        if number % 3:
            text = _in_place_of_a_value(rng, RECIPE, (*WORDS, *CUTS), ": ")
            text = _changed(rng, text, WORDS) if number % 3 == 2 else text
        else:
            text = _changed(rng, RECIPE, WORDS)
        yield _bytes(rng, text)


def tables(rng: random.Random, n: int) -> Iterator[bytes]:
    """Calibrations and measurements in ECSV, of which the header or some values are others."""
    pieces = (*WORDS, *HEADERS)
    for number in range(n):
        text = _tables()[number % 2]
        head = text.rindex("\n#")
        if number % 8 == 7:
            text = text[:head] + _changed(rng, text[head:], pieces)
        elif number % 3:
            text = _in_place_of_a_value(rng, text[:head], pieces, ": ") + text[head:]
        else:
            start = rng.randrange(head)
            part = text[start : start + 200]
            text = text[:start] + _changed(rng, part, pieces) + text[start + 200 :]
        yield _bytes(rng, text)


def _bytes(rng: random.Random, text: str) -> bytes:
    found = text.encode("utf-8", "surrogatepass")
    if rng.randrange(20) == 0:
        place = rng.randrange(len(found) + 1)
        found = found[:place] + rng.randbytes(rng.choice((1, 2, 8))) + found[place:]
    return found


@cache
def _tables() -> tuple[str, str]:
    """A calibration with fewer rows, for speed, and a measurement."""
    from mockgal.statistics.result import Field, Measurement

    (first, *_) = sorted(hod_store.SHIPPED.glob("*.ecsv"))
    fields = {name: Field("littleh / Mpc", "its meaning", "$k$") for name in ("k", "p", "p_error")}
    columns = {name: [0.1, 0.2, 0.3] for name in fields} | {"modes": [1, 2, 3]}
    fields["modes"] = Field("", "independent modes")
    settings = {"box_size_mpc_h": 16.0, "catalogue": {"cuts": ["vmax > 3 km/s"], "seed": 1}}
    measured = Measurement("power", columns, fields, "k", ("p",), "modes", settings, 7.0)
    return first.read_text(encoding="utf-8"), measured.to_ecsv()


def _code(function: Callable[[], object]) -> str:
    """``ok``, or the code of the error, which must be one that helps."""
    try:
        function()
    except MockgalError as error:
        text = str(error)
        if len(text) > LONGEST or printable(text) != text or not (error.expected or error.fix):
            raise AssertionError(f"an error that helps nobody: {text[:300]!r}") from error
        return error.code
    return "ok"


def map_outcome(mutation: str) -> str:
    """What comes of a map: columns by quantity, and their units."""

    def use() -> None:
        found = of_tables.parse_map(mutation)
        again = ", ".join(taken.entry(name) for name, taken in found.items())
        assert of_tables.parse_map(again) == found, (mutation, again)
        for name, taken in found.items():
            try:
                conversion = (
                    parse_unit(taken.unit, of_tables.QUANTITIES[name]) if taken.unit else None
                )
            except UnitError as error:
                raise UsageError("--columns", str(error), "a unit") from error
            assert conversion is None or 0 < conversion.factor < float("inf")

    return _code(use)


def beside_outcome(mutation: bytes) -> str:
    """What comes of a file of facts beside a table."""

    def use() -> None:
        path = _written(mutation, "halos.csv.yaml")
        found = read_beside(path.with_name("halos.csv"), ReadOptions())
        assert found.path == path
        given = found.options._asdict()
        assert all(isinstance(v, str | bool | int | float | None) for v in given.values())

    return _code(use)


def cut_outcome(mutation: str) -> str:
    """What comes of a cut: parsed, and turned into numbers."""

    def use() -> None:
        cut = parse(mutation)
        assert all(abs(bound.internal(cut.column, 0.7)) < float("inf") for bound in cut.bounds)
        cut.lower_limit(0.7)

    return _code(use)


def quantity_outcome(mutation: str) -> str:
    """What comes of a quantity: a finite number in the unit after the ``|``."""
    text, _, unit = mutation.rpartition("|")

    def use() -> None:
        found = memory_size("--memory", text) if unit == "bytes" else in_unit("x", text, unit, 0.7)
        assert abs(found) < float("inf")

    return _code(use)


def recipe_outcome(mutation: bytes) -> str:
    """What comes of a recipe: all that `mockgal build` does before it reads the simulation."""

    def use() -> None:
        path = _written(mutation, "recipe.yaml")
        values = read_yaml(path)
        for key in ("sim", "painter"):
            if key not in values:
                raise UsageError(path, f"no {key}", "one", "give it")
        recipe = check(values, str(path))
        recipe.configuration_digest()
        assert recipe.output
        assert recipe.read_options
        for cut in recipe.cut:
            parse(cut)
        make_painter(recipe.painter, recipe.painter_options)
        check_names("populate", recipe.populate_options, SatelliteOptions.__annotations__)
        SatelliteOptions(**recipe.populate_options)

    return _code(use)


def table_outcome(mutation: bytes) -> str:
    """What comes of a calibration or a measurement."""

    def use() -> None:
        path = _written(mutation, "table.ecsv")
        if b"HOD calibration" in mutation:
            hod_store.read(path)
        else:
            found = read_measurement(path)
            str(found), repr(found)
            found.to_ecsv()

    return _code(use)


@cache
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory()


def _written(content: bytes, name: str) -> Path:
    path = Path(_folder().name) / name
    path.write_bytes(content)
    return path


class Kind(NamedTuple):
    """A kind of text."""

    mutations: Callable[[random.Random, int], Iterator[str] | Iterator[bytes]]
    outcome: Callable[..., str]


KINDS = {
    "cuts": Kind(cuts, cut_outcome),
    "quantities": Kind(quantities, quantity_outcome),
    "recipes": Kind(recipes, recipe_outcome),
    "tables": Kind(tables, table_outcome),
    "maps": Kind(maps, map_outcome),
    "beside": Kind(beside, beside_outcome),
}


def campaign(kind: str, count: int, seed: int, most_seconds: float = 2.0) -> Counter[str]:
    """Count the outcomes; unforeseen exceptions and what takes long are printed."""
    found: Counter[str] = Counter()
    for number, mutation in enumerate(KINDS[kind].mutations(random.Random(seed), count)):
        start = time.process_time()
        try:
            outcome = KINDS[kind].outcome(mutation)
        except Exception:
            outcome = "unforeseen"
            print(number, repr(mutation)[:400], traceback.format_exc()[-1500:], file=sys.stderr)
        if time.process_time() - start > most_seconds:
            outcome = "slow"
            print(
                number,
                repr(mutation)[:400],
                f"{time.process_time() - start:.1f} s",
                file=sys.stderr,
            )
        found[outcome] += 1
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    kind, count, *seed = sys.argv[1:]
    print(kind, dict(campaign(kind, int(count), *map(int, seed or [0]))))
