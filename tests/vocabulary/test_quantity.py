"""Quantities and sizes of memory as users write them: one grammar for options and cuts."""

import contextlib
import math
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mockgal.errors import CutError, UsageError
from mockgal.quantity import (
    UnitError,
    box_length,
    conversion,
    in_unit,
    memory_size,
    parse_unit,
)
from mockgal.selection.cuts import parse


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("2 GiB", 2 << 30),
        ("512MiB", 512 << 20),
        (" 1.5 GB ", 1_500_000_000),
        ("3 MB", 3_000_000),
        ("7 kB", 7000),
        (".5 KiB", 512),
        ("1e-3 GB", 1_000_000),
    ],
)
def test_sizes(text, size):
    assert memory_size("--memory", text) == size


@pytest.mark.parametrize(
    "text",
    [
        *("", "2", "GiB", "2 gib", "2 TB", "-2 GiB", "0 MiB", "nan GiB", "inf GiB", "1e400 GB"),
        *("1e12 GB", "2 GiB 3", "2 Gi B", "0.1e-9 GB", "two GiB", "2\n GiB\n x", "٢ GiB"),
    ],
)
def test_what_is_no_size(text):
    with pytest.raises(UsageError, match=r"--memory: .*above 0 .*kB, MB"):
        memory_size("--memory", text)


@pytest.mark.parametrize(
    ("unit", "powers"),
    [
        ("Msun/h", {"Msun": 1, "h": -1}),
        ("/h Msun", {"Msun": 1, "h": -1}),
        ("Msun h^-1", {"Msun": 1, "h": -1}),
        ("Msun h-1", {"Msun": 1, "h": -1}),
        ("Msun*h**-1", {"Msun": 1, "h": -1}),
        ("Msun h^(-1)", {"Msun": 1, "h": -1}),
        ("1/h Msun", {"Msun": 1, "h": -1}),
        ("1 / Mpc", {"Mpc": -1}),
        ("km/s/Mpc", {"km": 1, "s": -1, "Mpc": -1}),
        ("km.s-1", {"km": 1, "s": -1}),
        ("littleh3 / (Mpc3 dex)", {"h": 3, "Mpc": -3, "dex": -1}),
        ("(Mpc/h)^-3", {"h": 3, "Mpc": -3}),
        ("((Mpc))", {"Mpc": 1}),
        ("Mpc/Mpc", {}),
    ],
)
def test_units(unit, powers):
    assert parse_unit(unit) == powers


@pytest.mark.parametrize(
    ("unit", "says"),
    [
        ("Mpc^999999999", "power 999999999"),
        ("Mpc^99", "power 99"),
        ("(Mpc^9)^9", "power of 81"),
        ("Mpc^5 Mpc^5", "power of 10"),
        ("Mpc**(1/0)", r"\*"),
        ("Mpc^(1/2)", r"\^"),
        ("Mpc^0.5", "the power 0"),
        ("foo0 Mpc", "the power 0"),
        ("_000 Mpc", "in it"),
        ("dex(Mpc)", "another kind"),
        ("mag(", "open end"),
        ("(" * 150, "in it"),
        ("(Mpc", "not closed"),
        ("mpc/h", "Mpc is a megaparsec"),
        ("Mpc)", r"'\)'"),
        ("Mpc/", "open end"),
        ("km/s Mpc", "write a / before each"),
        ("km/s*Mpc", "write a / before each"),
        ("1e10 Msun", "in it"),
        ("10 Msun", "in it"),
        ("Mpc\0", "in it"),
        ("М", "in it"),
        ("x" * 1000, "1,000 characters"),
    ],
)
def test_what_is_no_unit(unit, says):
    with pytest.raises(UnitError, match=says):
        conversion(unit, "dex")


OPTIONS_AND_CUTS = [
    ("1e9 /h Msun", 1e9),
    ("1e9 Msun/h", 1e9),
    ("1e9Msun h^-1", 1e9),
    ("2e9 Msun", 1.4e9),
    ("1e9 solMass / h", 1e9),
    ("1e9 Msun/hr", None),
    ("1e9 dex(Msun)", None),
    ("1 mag", None),
    ("1e400 Msun/h", None),
    ("1e-9999999999999999999 Msun/h", None),
    ("1e9 Msun^999999999", None),
    ("٣ Msun/h", None),
    ("10^9 Msun/h", None),
    ("10**9 Msun/h", None),
    ("1_000 Msun/h", None),
    ("1,000 Msun/h", None),
    ("1d9 Msun/h", None),
    ("1e9 Msun/h foo0", None),
    ("1e9\u00a0Msun", None),
    ("1e9 Msun\0", None),
    ("1e9 " + "Msun" * 250_000, None),
    ("9" * 5000 + " Msun", None),
]


@pytest.mark.parametrize(("text", "value"), OPTIONS_AND_CUTS, ids=lambda x: str(x)[:30])
def test_options_and_cuts_have_one_grammar(text, value):
    start = time.process_time()
    if value is None:
        with pytest.raises(CutError) as caught:
            parse(f"stellar_mass > {text}")
        assert len(str(caught.value)) < 1000
        if '"' in caught.value.fix:  # it has the number that was meant
            assert parse(caught.value.fix.split('"')[1]).lower_limit(0.7) in (1.0, 1e9)
        with pytest.raises(UsageError, match='Fix: write "1e9 Msun/h"') as caught:
            in_unit("--luminosity-floor", text, "Msun / littleh", 0.7)
        assert len(str(caught.value)) < 1000
    else:
        assert parse(f"stellar_mass > {text}").lower_limit(0.7) == pytest.approx(value)
        found = in_unit("--luminosity-floor", text, "Msun / littleh", 0.7)
        assert found == pytest.approx(value)
    assert time.process_time() - start < 1


SPELLINGS = [
    *("{}/h", "/h {}", "1/h {}", "1 / h*{}", "{} h^-1", "{} h-1", "h^-1 {}", "h**-1*{}"),
    *("{}.h-1", "{} littleh^(-1)", "({}/h)", "({} h^-1)^1", "(h/{})^-1", "{} / h", "{}^2/h/{}"),
]
WRONG = ["{}/H", "{}/h/", "{} per h", "h^-1 s", "{} h^-1^2", "{}/hh", "{}{}", "/", "{}**(1/0)"]


@given(
    st.sampled_from(SPELLINGS) | st.sampled_from(WRONG) | st.text("{}h/^-1*. ()", max_size=8),
    st.sampled_from(["", " ", "  "]),
    st.sampled_from(["1e9", "3", "0", ".5", "1e99", "1e-99", "7e+3", "-2"]),
    st.sampled_from(["Msun", "solMass", "kg", "Tg"]),
    st.sampled_from(["Mpc", "kpc", "lyr", "mm"]),
)
@example("{}/h", " ", "1e-99", "Msun", "mm")  # beyond the range once it is in Mpc
def test_a_quantity_is_one_wherever_it_is_written(spelling, blank, number, mass, length):
    """Either all take it, as one number, or all refuse it."""
    columns = {
        "stellar_mass": (mass, lambda text: in_unit("--luminosity-floor", text, "Msun / h", 0.7)),
        "position_x": (length, lambda text: box_length(text, 0.7)),
    }
    for column, (name, option) in columns.items():
        text = number + blank + spelling.replace("{}", name)
        try:
            value = option(text)
        except UsageError:
            with pytest.raises(CutError):
                parse(f"{column} > {text}")
            assert spelling not in SPELLINGS or number in ("1e99", "1e-99")
        else:
            try:
                parse(f"{column} > {text}")
            except CutError as error:  # options take h^-2 Msun, too
                if "power of h" not in str(error):
                    raise
                continue
            assert parse(f"{column} > {text}").lower_limit(0.7) == pytest.approx(value, rel=1e-12)
            assert parse(f"{text} < {column}").lower_limit(0.7) == pytest.approx(value, rel=1e-12)
            assert spelling not in WRONG


@pytest.mark.parametrize("h", [0.0, 1e-300, math.inf])
def test_an_h_that_cannot_be(h):
    with pytest.raises(UsageError, match="a number from 1e-100 to 1e"):
        in_unit("--box-size", "1 Mpc h^-9", "Mpc / littleh", h)


def test_every_fix_of_a_cut_works():
    for bad, written in {
        "stellar_mass > 1e9": "stellar_mass > 1e9 Msun/h",
        "1e9<stellar_mass<1e10 Msun": "1e9 Msun/h < stellar_mass < 1e10 Msun/h",
        "3 mag <= vmax": "3 km/s <= vmax",
        "position_x < 2 Msun": "position_x < 2 Mpc/h",
        "vmax > 3 km/s/h": "vmax > 3 km/s",
        "is_central == 1 Mpc": "is_central == 1",
    }.items():
        with pytest.raises(CutError) as caught:
            parse(bad)
        assert caught.value.fix == f'write "{written}"'
        parse(written)


TEXTS = st.text() | st.text("0123456789eE+-.^*/() hMpcsundexkg<>=\t", max_size=60)


@given(st.sampled_from(["", "3", "1e9 ", "3 (", "3 Mpc^"]), TEXTS)
def test_any_text_is_a_quantity_or_refused(start, text):
    for unit in ("Mpc / littleh", "dex"):
        with contextlib.suppress(UsageError):
            assert math.isfinite(in_unit("x", start + text, unit, 0.7))
    with contextlib.suppress(UsageError):
        memory_size("x", start + text)
    with contextlib.suppress(CutError):
        parse(f"vmax > {start}{text}")
