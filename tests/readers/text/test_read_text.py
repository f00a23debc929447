"""Tables of numbers in text: exact values, and a refusal with a line number for anything else."""

import gzip
import hashlib
import os
import random
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockgal.errors import (
    BadValueError,
    CorruptFileError,
    InputError,
    MockgalError,
    ResourceError,
    UnsafeInputError,
)
from mockgal.readers.text import kernel as text_kernel
from mockgal.readers.text import stream as text_stream
from mockgal.readers.text import table as text
from mockgal.readers.text.table import Head, Rows, Wanted, check_kept, line_of, read_head
from mockgal.system import memory

ABC = {"a": Wanted(0, True), "b": Wanted(1), "c": Wanted(2)}
HEAD = Head(("a b c",), 3, False)


def put(folder, content, name="table.txt"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(path, columns=ABC, width=3, chunk_rows=1 << 20, head=HEAD):
    """The reader, at its end, and all its columns."""
    table = Rows(path, head, columns, {name: name.upper() for name in columns}, width, chunk_rows)
    pieces = [{name: array.copy() for name, array in piece.items()} for piece in table]
    assert all(0 < len(array) <= chunk_rows for piece in pieces for array in piece.values())
    return table, {
        name: np.concatenate([piece[name] for piece in pieces]) if pieces else np.empty(0)
        for name in columns
    }


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 64 bytes, so that lines and numbers fall across their ends."""
    monkeypatch.setattr(text, "lines", lambda stream, _=0: text_stream.lines(stream, 64))


WORDS = [
    "0",
    "-0",
    "+0",
    "-0.0",
    "1",
    "+1",
    "-1",
    "1.",
    ".5",
    "-.5",
    "5e-1",
    "5E+1",
    "00012.500",
    "1e22",
    "1e23",
    "-1e-22",
    "1e-23",
    "123456789012345678",
    "9007199254740992",
    "9007199254740993",
    "9007199254740993.0",
    "0.1",
    "0.3",
    "2.2250738585072014e-308",
    "5e-324",
    "1e-400",
    "1.7976931348623157e308",
    "0e999999999",
    "0.000000000000000000000000000000000000000001",
    "4.64900e+08",
    "179769313486231570000000000000000000000",
    "0.1000000000000000055511151231257827021181583404541015625",
    "8.5",
    "1e-5",
    "123456.789e3",
    "1.0000000000000002",
    "33.64788",
    "000",
    "-250.00000",
    "1e0000000000000000000001",
]


def test_floats_are_what_python_reads(tmp_path):
    path = put(tmp_path, "".join(f"7 {word} 1\n" for word in WORDS))
    _, found = rows(path)
    expected = np.array([float(word) for word in WORDS])
    np.testing.assert_array_equal(found["b"].view(np.int64), expected.view(np.int64))
    assert (found["a"] == 7).all()


def test_nan_and_infinity_are_values(tmp_path):
    words = ["nan", "-nan", "NaN", "+nan", "inf", "-inf", "Infinity", "-INFINITY"]
    _, found = rows(put(tmp_path, "".join(f"1 {word} 2\n" for word in words)))
    np.testing.assert_array_equal(found["b"], [np.nan] * 4 + [np.inf, -np.inf, np.inf, -np.inf])


INTEGERS = {
    "0": 0,
    "-1": -1,
    "+12": 12,
    "9007199254740993": 2**53 + 1,
    "9223372036854775807": 2**63 - 1,
    "-9223372036854775807": -(2**63) + 1,
    "1.0e9": 10**9,
    "12.000": 12,
    "1200e-2": 12,
    "9.223372036854775807e18": 2**63 - 1,
    "922337203685477580e1": 9223372036854775800,
    "1.00000000000000000000000000": 1,
    "0e99999": 0,
    "-0.0": 0,
}


def test_integers_are_exact(tmp_path):
    _, found = rows(put(tmp_path, "".join(f"{word} 1 2\n" for word in INTEGERS)))
    assert found["a"].dtype == np.int64
    assert found["a"].tolist() == list(INTEGERS.values())


# Apart from the few that "%.3e" rounds beyond the largest one.
FLOATS = st.floats().filter(lambda value: not 1.797e308 < abs(value) < np.inf)


@given(
    st.lists(st.tuples(st.integers(-(2**63) + 1, 2**63 - 1), FLOATS, FLOATS), max_size=40),
    st.sampled_from(["%r", "%.3e", "%.5f", "%g", "%.17g", "%.25e"]),
    st.integers(1, 60),
)
def test_any_numbers(tmp_path_factory, values, form, chunk_rows):
    words = [(str(a), form % b, form % c) for a, b, c in values]
    path = put(tmp_path_factory.mktemp("any"), "".join(" ".join(row) + "\n" for row in words))
    table, found = rows(path, chunk_rows=chunk_rows)
    assert table.rows == len(values)
    assert [int(a) for a in found["a"]] == [a for a, _, _ in values]
    for place, name in ((1, "b"), (2, "c")):
        np.testing.assert_array_equal(found[name], [float(row[place]) for row in words])


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = put(tmp_path_factory.mktemp("bytes"), content)
    try:
        read_head(path)
        table, found = rows(path)
    except MockgalError as error:
        refusal = error.exit_code
    else:
        refusal = 0
    if refusal:
        assert refusal in (3, 4)
        return
    plain = content if not content.startswith(b"\x1f\x8b") else gzip.decompress(content)
    lines = [line for line in plain.split(b"\n") if line.strip() and line.split()[0][:1] != b"#"]
    assert table.rows == len(lines)
    np.testing.assert_array_equal(found["b"], [float(line.split()[1]) for line in lines])


TABLE = "#a b c\r\n#x\n\n1 2.5 3\n\t 2   -2.5\t4  \r\n   # a comment\n#\n3 1e3 5\n \t\n"


def test_blanks_comments_and_line_ends(tmp_path, small_blocks):
    path = put(tmp_path, TABLE)
    table, found = rows(path)
    assert found["a"].tolist() == [1, 2, 3]
    assert found["b"].tolist() == [2.5, -2.5, 1000.0]
    assert found["c"].tolist() == [3, 4, 5]
    assert read_head(path) == Head(("a b c", "x"), 3, False)
    assert [line_of(path, row) for row in range(4)] == [4, 5, 8, None]
    assert table.fraction == 1.0


def test_columns_that_are_not_wanted_are_only_counted(tmp_path):
    path = put(tmp_path, "1 *** 0x10 2\n3 nan 1,5 4\n")
    _, found = rows(path, {"d": Wanted(3, True)}, width=4)
    assert found["d"].tolist() == [2, 4]


def test_pieces_and_blocks_do_not_show(tmp_path, small_blocks):
    generator = random.Random(3)
    values = [(i, generator.random(), generator.gauss(0, 1e5)) for i in range(300)]
    path = put(tmp_path, "".join(f"{a} {b!r} {c:.3e}\n#{a}\n" * 1 for a, b, c in values))
    for chunk_rows in (1, 7, 1 << 20):
        table, found = rows(path, chunk_rows=chunk_rows)
        assert found["a"].tolist() == [a for a, _, _ in values]
        assert found["b"].tolist() == [b for _, b, _ in values]
        assert found["c"].tolist() == [float(f"{c:.3e}") for _, _, c in values]
    assert table.source.size == path.stat().st_size
    assert table.source.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_no_rows(tmp_path):
    path = put(tmp_path, "#a b c\n#only comments")
    table, found = rows(path, head=read_head(path))
    assert (table.rows, len(found["a"])) == (0, 0)
    assert read_head(path).width == 0
    table, _ = rows(put(tmp_path, "", "empty"))
    assert table.rows == 0
    assert read_head(tmp_path / "empty") == Head((), 0, False)


def test_a_last_line_without_its_end(tmp_path):
    path = put(tmp_path, "1 2 3\n4 5 67")
    with pytest.raises(CorruptFileError, match=r"line 2: .*newline"):
        rows(path)
    _, found = rows(path, {"a": ABC["a"], "b": ABC["b"]})  # a cut in the last number does no harm
    assert found["a"].tolist() == [1, 4]
    with pytest.raises(CorruptFileError, match="line 2: found 2 values"):
        rows(put(tmp_path, "1 2 3\n4 5"))
    table, _ = rows(put(tmp_path, "1 2 3\n# the end"))
    assert table.rows == 1


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("1 2", CorruptFileError, "found 2 values, expected 3"),
        ("1 2 3 4", CorruptFileError, "found 4 values, expected 3"),
        ("1 -1.2-3.4 3", BadValueError, r":B, line 3: found '-1.2-3.4', expected a decimal number"),
        ("1 1.25.5 3", BadValueError, "'1.25.5'.*ran into each other"),
        ("1 ******** 3", BadValueError, "ran into each other"),
        ("1 0x10 3", BadValueError, "'0x10'"),
        ("1 1e999 3", BadValueError, ":B, line 3: found '1e999', expected a number up to"),
        ("1 1_0 3", BadValueError, "'1_0'"),
        ("1 1,5 3", BadValueError, "'1,5'"),
        ("1 1.0D+03 3", BadValueError, "1.0D"),
        ("1 1e 3", BadValueError, "'1e'"),
        ("1 e5 3", BadValueError, "'e5'"),
        ("1 . 3", BadValueError, "'.'"),
        ("1 - 3", BadValueError, "'-'"),
        ("1 --1 3", BadValueError, "'--1'"),
        ("1 +-nan 3", BadValueError, "nan"),
        ("1 nanx 3", BadValueError, "nanx"),
        ("1.5 2 3", BadValueError, ":A, line 3: found '1.5', expected an integer"),
        ("1e-1 2 3", BadValueError, "an integer"),
        ("9223372036854775808 2 3", BadValueError, "an integer of 64 bits"),
        ("-9223372036854775809 2 3", BadValueError, "an integer of 64 bits"),
        ("1e19 2 3", BadValueError, "an integer of 64 bits"),
        ("99999999999999999999999999 2 3", BadValueError, "an integer of 64 bits"),
        ("0.99999999999999999999999 2 3", BadValueError, "an integer"),
        ("nan 2 3", BadValueError, "'nan'"),
        ("x 2 3", BadValueError, "'x'"),
        ("1 2\x00 3", CorruptFileError, "line 3: found the byte 0x00 in value 2"),
        ("1 2 \x7f", CorruptFileError, "the byte 0x7f in value 3"),
        ("1 2 3\x0b", CorruptFileError, "0x0b"),
        ("1 2\r3 4", CorruptFileError, "0x0d"),
        (b"1 2 3\xff", CorruptFileError, "the byte 0xff in value 3"),
        ("1 2 3" + " " * text_stream.MAX_LINE, CorruptFileError, "line 3: found a line longer"),
        ("# " + "x" * text_stream.MAX_LINE, CorruptFileError, "line 3: found a line longer"),
        ("#a b c", CorruptFileError, "line 3: found another head, 'a b'"),
    ],
)
@pytest.mark.parametrize("length", [64, 8 << 20])
def test_refused_lines(tmp_path, monkeypatch, line, kind, words, length):
    monkeypatch.setattr(text, "lines", lambda stream, _=0: text_stream.lines(stream, length))
    line = line if isinstance(line, bytes) else line.encode()
    path = put(tmp_path, b"#a b c\n1 2 3\n" + line + b"\n4 5 6\n")
    with pytest.raises(kind, match=words) as caught:
        rows(path)
    assert caught.value.exit_code == 3
    assert caught.value.fix
    assert "\n" not in str(caught.value)
    assert f"{path}" in str(caught.value)


def test_a_line_without_end_is_not_held(tmp_path):
    path = put(tmp_path, "1 2 3\n")
    os.truncate(path, 1 << 36)  # no disk is used
    with pytest.raises(CorruptFileError, match="line 2: found the byte 0x00 in value 1"):
        rows(path)
    spaces = put(tmp_path, "1 2 3\n" + " " * (20 << 20), "spaces")
    with pytest.raises(CorruptFileError, match=r"line 2: .*longer than"):
        rows(spaces)
    with pytest.raises(CorruptFileError):
        read_head(put(tmp_path, "#" + "x" * (1 << 20)))


@pytest.mark.slow
def test_comments_without_end(tmp_path):
    comments = "#comment\n" * 300_000
    with pytest.raises(CorruptFileError, match=r"comments .*no row"):
        read_head(put(tmp_path, comments))
    with pytest.raises(CorruptFileError, match=r"comments, .*at most"):
        rows(put(tmp_path, "1 2 3\n" + comments))


PLAIN = "".join(f"{i} {i / 7:.5f} {i * i:.3e}\n" for i in range(2000)).encode()


@pytest.mark.parametrize(
    "packed",
    [
        gzip.compress(PLAIN),
        gzip.compress(PLAIN[:5000]) + gzip.compress(PLAIN[5000:]),
        gzip.compress(PLAIN) + b"\0" * 1000,
        gzip.compress(b"") + gzip.compress(PLAIN, 1),
    ],
    ids=["one member", "two members", "padded", "an empty member"],
)
@pytest.mark.parametrize("length", [64, 8 << 20])
def test_gzip(tmp_path, monkeypatch, packed, length):
    monkeypatch.setattr(text, "lines", lambda stream, _=0: text_stream.lines(stream, length))
    path = put(tmp_path, packed)
    table, found = rows(path)
    _, plain = rows(put(tmp_path, PLAIN, "plain.txt"))
    for name in ABC:
        np.testing.assert_array_equal(found[name], plain[name])
    assert read_head(path).compressed
    assert table.source.digest == hashlib.sha256(packed).hexdigest()
    assert text_stream.begins_with(path) == "0 0.00000 0.000e+00"
    assert line_of(path, 1999) == 2000


def test_damaged_gzip(tmp_path):
    packed = gzip.compress(PLAIN)
    for cut in (3, 12, len(packed) // 2, len(packed) - 1):
        with pytest.raises(CorruptFileError, match="end too early"):
            rows(put(tmp_path, packed[:cut]))
    for place in (len(packed) // 2, len(packed) - 6):  # data, checksum
        broken = bytearray(packed)
        broken[place] ^= 0x55
        with pytest.raises(MockgalError) as caught:
            rows(put(tmp_path, bytes(broken)))
        assert caught.value.exit_code == 3
    with pytest.raises(CorruptFileError, match="damaged"):
        rows(put(tmp_path, packed + b"junk"))


@pytest.mark.parametrize("filler", [b"\n", b"1 2 3\n", b" "])
def test_gzip_bomb(tmp_path, monkeypatch, filler):
    monkeypatch.setattr(text_stream, "BOMB_BYTES", 1 << 20)
    path = put(tmp_path, gzip.compress(b"1 2 3\n" + filler * ((4 << 20) // len(filler))))
    with pytest.raises(MockgalError) as caught:
        rows(path)
    if filler != b" ":  # which is a line too long at once
        assert isinstance(caught.value, UnsafeInputError)
        assert caught.value.exit_code == 4
        assert "compressed bytes that expand to" in str(caught.value)


def test_a_file_that_grows_is_refused(tmp_path, small_blocks):
    path = put(tmp_path, "1 2 3\n" * 50)
    table = Rows(path, HEAD, ABC, {name: name for name in ABC}, 3, 1 << 20)
    pieces = iter(table)
    next(pieces)
    with open(path, "a") as file:
        file.write("1 2 3\n")
    with pytest.raises(CorruptFileError, match=r"30[06] bytes where there were 300"):
        list(pieces)


def test_what_is_no_text_begins_with_nothing(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    cases = [
        tmp_path / "missing",
        tmp_path,
        Path(os.devnull),
        tmp_path / "pipe",
        put(tmp_path, b"\x89HDF\r\n\x1a\n", "hdf5"),
        put(tmp_path, b"\x1f\x8bgarbage", "gz"),
        put(tmp_path, "", "empty"),
        put(tmp_path, "x" * 20_000, "long"),
    ]
    for path in cases:
        assert text_stream.begins_with(path) == ""
    assert text_stream.begins_with(put(tmp_path, "one\r\ntwo", "crlf")) == "one"
    for path in cases[:4]:
        with pytest.raises(InputError, match="a text file"):
            rows(path)


def test_memory_is_asked_for_before_it_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 1 << 30)
    check_kept(tmp_path, (1 << 30) // 5, 1.0)
    with pytest.raises(ResourceError, match=str(tmp_path)) as caught:
        check_kept(tmp_path, (1 << 30) // 5, 0.5)
    assert caught.value.exit_code == 6


def test_without_a_folder_for_compiled_code(tmp_path, monkeypatch):
    real = numba.njit

    def njit(*arguments, cache=False, **options):
        if cache:
            raise RuntimeError("no locator available")
        return real(*arguments, **options)

    monkeypatch.setattr(numba, "njit", njit)
    text_kernel.scan.cache_clear()
    try:
        _, found = rows(put(tmp_path, "1 2.5 3\n"))
        assert found["b"].tolist() == [2.5]
    finally:
        text_kernel.scan.cache_clear()
