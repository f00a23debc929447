"""YAML from anyone: what words mean, what is refused and where, and the time that it takes."""

import contextlib
import os
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mockgal.errors import InputError, UnsafeInputError
from mockgal.system.files.plain_text import read_text
from mockgal.system.files.plain_yaml import Dialect, PlainYAMLError, load

PEOPLE = Dialect(depth=4, values=5000, text=4096)
PYYAML = Dialect(depth=4, values=5000, text=4096, by_pyyaml=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-12", -12),
        ("+0", 0),
        ("0x1F", 31),
        ("1e9", 1e9),
        ("1.5e9", 1.5e9),
        ("-.5", -0.5),
        ("3.", 3.0),
        ("2E-3", 2e-3),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'0777'", "0777"),
        ('"yes"', "yes"),
        ("'1:30'", "1:30"),
        ("1e9 Msun/h", "1e9 Msun/h"),
        ("nan", "nan"),
        ("1-2", "1-2"),
        ("z0.00", "z0.00"),
        ("[1, [a]]", [1, ["a"]]),
        ("{a: {b: 1}}", {"a": {"b": 1}}),
        ("\ufeffa: 1", {"a": 1}),
        ('"\\u00e9"', "é"),
        ("a: |\n b\n c\n", {"a": "b\nc\n"}),
    ],
)
def test_values(text, value):
    found = load(text, PEOPLE)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("word", "write"),
    [
        ("0777", '777, or "0777"'),
        ("-007", '-7, or "-007"'),
        ("00", '0, or "00"'),
        ("0o17", "in decimal digits"),
        ("0b11", "in decimal digits"),
        ("-0x1F", "in decimal digits"),
        ("1_000", '1000, or "1_000"'),
        ("1_0.5", '10.5, or "1_0.5"'),
        ("1:30", "without colons"),
        ("190:20:30.15", "without colons"),
        ("yes", 'true, or "yes"'),
        ("On", 'true, or "On"'),
        ("no", 'false, or "no"'),
        ("OFF", 'false, or "OFF"'),
        ("y", 'true, or "y"'),
        ("N", 'false, or "N"'),
        ("2020-01-01", '"2020-01-01" for the text'),
        ("2020-13-45", '"2020-13-45" for the text'),
        ("2020-01-01T00:00:00Z", "for the text"),
        (".nan", "a finite number"),
        ("-.inf", "a finite number"),
        ("1e999", "a number below 1e308"),
        ("9" * 41, "at most 40 characters"),
        ("0x" + "f" * 100, "at most 40 characters"),
        ("=", '"=" for the text'),
    ],
)
def test_words_that_are_not_clear_say_what_to_write(word, write):
    with pytest.raises(PlainYAMLError) as caught:
        load(f"a: 1\n\nb: {word}\n", PEOPLE)
    assert caught.value.line == 3
    assert word[:30] in caught.value.found
    assert write in caught.value.expected
    assert load(f'b: "{word}"', PEOPLE) == {"b": word}  # quotes always help


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        ("a: &x [1]\nb: [*x, *x]", 1, "the anchor &x"),
        ("a: 1\nb: *x", 2, "the alias *x"),
        ("a: 1\n<<: {b: 2}", 2, "<<"),
        ("a: 1\nb: !!python/object/apply:os.system ['x']", 2, "the tag 'tag:yaml.org,2002:python"),
        ("a: !!str 1", 1, "the tag"),
        ("a: !mine 1", 1, "the tag '!mine'"),
        ("a: ! 1", 1, "the tag '!'"),
        ("a: !!omap [b: 1]", 1, "the tag"),
        ("%TAG ! tag:x,2000:\n---\na: 1", 1, "a %TAG"),
        ("a: 1\n---\nb: 1", 2, "a second document"),
        ("a: 1\nb: 2\na: 3", 3, "the key 'a' more than once"),
        ('a: 1\n"a": 3', 2, "the key 'a' more than once"),
        ("a: 1\n1: 2", 2, "the key 1, which is not text"),
        ("a: 1\n~: 2", 2, "the key None"),
        ("a: 1\n? [b]\n: 2", 2, "a list or mapping as a key"),
        ("a: [[[[[1]]]]]", 1, "more than 4 deep"),
        ("a: 1\nb: [", 2, "text that is not plain YAML"),
        ("a: 'x\ty\n", 2, "text that is not plain YAML"),
        ("a: 1\nb: \x07", 2, "the character U+0007"),
        ("a: 1\nb: \0", 2, "the character U+0000"),
        ("a: 1\nb: '\ud800'", 2, "the character U+D800"),
        ('a: 1\nb: "\\ud800"', 2, "the character U+D800"),
        ('a: 1\nb: "\\0"', 2, "the character U+0000"),
        ('a: "\\UFFFFFFFF"', 1, "text that is not plain YAML"),
        ('a: "\\U00110000"', 1, "text that is not plain YAML"),
        ("%YAML 1." + "9" * 5000 + "\n---\na: 1", 1, "text that is not plain YAML"),
        ("a: " + "x" * 5000, 1, "a text of 5,000 characters"),
    ],
)
def test_refused(text, line, found):
    with pytest.raises(PlainYAMLError) as caught:
        load(text, PEOPLE)
    assert caught.value.line == line
    assert found in caught.value.found
    assert caught.value.fix


@pytest.mark.parametrize(
    "text",
    [
        "{" + ",".join(f"a{n:x}" for n in range(16_000)) + "}",
        "".join(f"k{n}: v\n" for n in range(9000)),
        "[" * 100_000,
        "- " * 50_000,
        "? " * 50_000,
        "a: |\n" + " \n" * 50_000,
        "\n" * 100_000,
        "!" * 100_000,
        "&" * 100_000,
        '"' + "\\x41" * 25_000 + '"',
        "{a: " * 25_000,
        "[a, " * 25_000,
        "<<: " * 25_000,
        "[" + ("1_" * 2000 + "x,") * 20 + "]",
    ],
    ids=lambda text: text[:12],
)
def test_the_time_is_proportional_to_the_length(text):
    start = time.process_time()
    with contextlib.suppress(PlainYAMLError):
        load(text, PEOPLE)
    assert time.process_time() - start < 2


@pytest.mark.parametrize("text", ["a:\t1\n", "{\n\t'a': 1}\n", "\ta: 1\n"])
def test_what_to_write_for_a_tab(text):
    with pytest.raises(PlainYAMLError) as caught:
        load(text, PEOPLE)
    assert caught.value.fix == "replace tabs by blanks"
    assert load(text.replace("\t", " "), PEOPLE) == {"a": 1}


def test_what_pyyaml_wrote_is_read_as_pyyaml_does():
    value = {
        "texts": ["1e9", "y", "no", "0o17", "0777", "1:30", "2020-01-01", "=", "<<", "1_000", "~"],
        "numbers": [1e20, -1.5, 3, float("inf"), 0.1],
        "long": "a: b # c" * 20,
    }
    assert load(yaml.safe_dump(value), PYYAML) == value
    assert load("!!omap\n- a: 1\n- {b: 2}", PYYAML) == {"a": 1, "b": 2}
    for bad in ("!!omap [1]", "!!omap [a: 1, a: 2]", "!!omap {a: 1}"):
        with pytest.raises(PlainYAMLError):
            load(bad, PYYAML)


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False)
    | st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc 019:._-~yn", max_size=6), inner),
    max_leaves=8,
))  # fmt: skip
def test_dumps_of_pyyaml_come_back(value):
    deep = PYYAML._replace(depth=20)
    assert load(yaml.safe_dump(value, allow_unicode=True), deep) == value


@given(st.text() | st.text("{}[]:-?&*!|>%@'\"\\ \nab01#,.~<", max_size=60))
def test_any_text_is_read_or_refused(text):
    for dialect in (PEOPLE, PYYAML):
        with contextlib.suppress(PlainYAMLError):
            load(text, dialect)


class TestFiles:
    def test_what_is_no_ordinary_file(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to(tmp_path / "pipe")
        for path in (tmp_path / "pipe", tmp_path / "link", tmp_path, "/dev/zero", "/dev/null"):
            with pytest.raises(InputError, match="not an ordinary file"):
                read_text(tmp_path / path, 100, "text", fix="x")
        for path in ("none", "a\0b", "x" * 300):
            with pytest.raises(InputError, match=r"no (such|readable) file"):
                read_text(tmp_path / path, 100, "text", fix="x")

    def test_the_bound_is_on_what_is_read(self, tmp_path):
        with pytest.raises(UnsafeInputError, match="more than 10 bytes"):
            read_text("/proc/self/status", 10, "text", fix="x")  # states a size of 0
        path = tmp_path / "a"
        path.write_bytes(b"x" * 10)
        assert read_text(path, 10, "text", fix="x") == "x" * 10

    def test_encodings(self, tmp_path):
        path = tmp_path / "a"
        path.write_bytes("\ufeffé".encode())
        assert read_text(path, 10, "text", fix="x") == "é"
        path.write_bytes(b"a\nb\n\xe9")
        with pytest.raises(InputError, match=r"b'\\xe9' in line 3.*Fix: save it in UTF-8"):
            read_text(path, 10, "text", fix="x")
