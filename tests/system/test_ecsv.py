"""Tables of ours in ECSV: as astropy reads them, or one error of ours."""

import time
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

import mockgal
from mockgal.errors import CorruptFileError, InputError, MockgalError, UnsafeInputError
from mockgal.system.files.ecsv import parse, read_ecsv
from mockgal.system.files.plain_json import DeepJSONError, PlainJSONError
from mockgal.system.files.plain_json import load as load_json

SHIPPED = sorted(Path(mockgal.__file__).parent.glob("painters/hod/calibrations/*.ecsv"))
COLUMNS = """\
# %ECSV 1.0
# ---
# datatype:
# - {name: a, datatype: float64}
# - {name: b, datatype: int64}
# - {name: c, datatype: string, subtype: 'float64[2]'}
# - {name: d, datatype: bool}
"""
META = "# meta: {format: ours}\n"
ROWS = 'a b c d\n1.5 3 [1,2.5] True\n"" -4 [NaN,null] False\n'
GOOD = COLUMNS + META + ROWS
BOMB = "# meta: !!omap\n# - a: &a [x,x]\n# - b: &b [*a,*a]\n"


def read(tmp_path, text):
    path = tmp_path / "t.ecsv"
    path.write_text(text)
    return read_ecsv(path, "ours", what="table", fix="give one", again="make it again")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_it_reads_what_astropy_does(path):
    expected, found = Table.read(path, format="ascii.ecsv"), parse(path.read_text())
    assert list(found.columns) == expected.colnames
    assert found.meta == dict(expected.meta)
    for name, column in found.columns.items():
        values = expected[name]
        values = np.asarray(values.filled(np.nan) if hasattr(values, "filled") else values)
        assert column.values.dtype == values.dtype
        assert column.values.tobytes() == values.tobytes()
        assert column.description == (values.description if hasattr(values, "description") else
                                      expected[name].description or "")  # fmt: skip


@pytest.mark.parametrize("delimiter", [" ", ","])
def test_all_types(tmp_path, delimiter):
    table = Table(
        {
            "f4": np.array([1.5, np.inf], "f4"),
            "i2": np.array([-3, 4], "i2"),
            "b": [True, False],
            "s": ['a "b" c', "d,e"],
            "v": np.array([[1, 2, 3], [4, 5, 6]], "i4"),
            "w": [[True, False], [False, True]],
        },
        meta={"format": "ours", "nothing": np.nan, "text": "1e9"},
    )
    table.write(tmp_path / "t.ecsv", format="ascii.ecsv", delimiter=delimiter)
    found = read(tmp_path, (tmp_path / "t.ecsv").read_text())
    for name in table.colnames:
        np.testing.assert_array_equal(found.columns[name].values, table[name])
        assert found.columns[name].values.dtype == table[name].dtype
    assert found.meta["text"] == "1e9"


def test_masked_values_are_nan(tmp_path):
    found = read(tmp_path, GOOD)
    np.testing.assert_array_equal(found.columns["a"].values, [1.5, np.nan])
    np.testing.assert_array_equal(found.columns["c"].values, [[1, 2.5], [np.nan, np.nan]])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("# %ECSV 1.0", "# %ECSV 9", "first line"),
        (META, BOMB, "anchor"),
        (META, "# meta: {<<: {format: ours}}\n", "<<"),
        (META, "# meta: !!python/name:os.system\n", "tag"),
        (META, "# meta: {format: ours, __serialized_columns__: {}}\n", "__serialized_columns__"),
        (META, "# meta: [format]\n", "meta"),
        (META, "# meta: {format: other}\n", "format 'other'"),
        (META, "# more: 1\n" + META, "header with keys other than"),
        (META, "# meta: [" + "[" * 50_000 + "\n", "deep"),
        (META, "# meta: [" + "x," * 20_000 + "]\n", "more than 10,000"),
        (META, "# meta: " + "x" * 400_000 + "\n", "a header of"),
        (META, "# delimiter: x\n" + META, "delimiter"),
        ("name: b", "name: a", "named 'a'"),
        ("name: b", "name: [b]", "named"),
        ("name: b, ", "", "named None"),
        ("name: b", "name: z", "line of names"),
        ("int64", "object", "'object'"),
        ("int64", "complex128", "'complex128'"),
        ("int64", "float128", "'float128'"),
        ("int64", "int8, extra: 1", "with keys other than"),
        ("int64", "int8, description: [1]", "description"),
        ("'float64[2]'", "'float64[null]'", "subtype"),
        ("'float64[2]'", "'float64[999999]'", "subtype"),
        ("'float64[2]'", "json", "subtype"),
        ("'float64[2]'", "'float64[3]'", "without 3 values"),
        ("'float64[2]'", "'int64[2]'", "in row 1"),
        ("1.5 3", "1.5", "3 values in row 1, for 4 columns"),
        ("1.5 3", "1.5 3 3", "5 values in row 1, for 4 columns"),
        ("1.5 3", "1e999 3", "'1e999' in row 1"),
        ("1.5 3", "1_0 3", "'1_0' in row 1"),
        ("1.5 3", "٣ 3", "in row 1 of column 'a'"),
        ("1.5 3", "1.5 3.5", "'3.5' in row 1"),
        ("1.5 3", "1.5 9223372036854775808", "beyond int64"),
        ("1.5 3", "1.5 " + "9" * 5000, "in row 1"),
        ("int64", "int8", None),
        ("-4", "-400", None),
        ("[1,2.5]", "[1,1e999]", "1e999"),
        ("[1,2.5]", "[1,[2]]", "deep"),
        ("[1,2.5]", "[1,true]", "in row 1"),
        ("[1,2.5]", "[" * 30_000, "row 1"),
        ("True", "yes", "'yes' in row 1"),
        ("True", '"True', "not ECSV"),
        (ROWS, "a b c d\n" + "1 1 [1,1] True\n" * 100_001, "more than 100,000 rows"),
        (ROWS, "", "line of names"),
        (GOOD, "", "first line"),
    ],
)
def test_refused(tmp_path, old, new, says):
    text = GOOD.replace(old, new, 1)
    if says is None:
        read(tmp_path, text)
        return
    with pytest.raises(CorruptFileError, match=says) as caught:
        read(tmp_path, text)
    assert len(str(caught.value)) < 1000


def test_numbers_beyond_a_type(tmp_path):
    with pytest.raises(CorruptFileError, match="beyond int8"):
        read(tmp_path, GOOD.replace("int64", "int8").replace("-4", "-400"))
    with pytest.raises(CorruptFileError, match="beyond float32"):
        read(tmp_path, GOOD.replace("float64}", "float32}").replace("1.5", "1e300"))


def test_what_to_write_in_a_header(tmp_path):
    for bad, says in (("2024-01-01", '"2024-01-01" for the text'), ("&a x", "without anchors")):
        with pytest.raises(CorruptFileError) as caught:
            read(tmp_path, GOOD.replace("{format: ours}", f"{{format: ours, when: {bad}}}"))
        assert says in caught.value.expected
        assert caught.value.fix.startswith("make it again; or write ")


def test_a_number_without_end_is_refused_at_once(tmp_path):
    start = time.process_time()
    with pytest.raises(CorruptFileError, match="row 1 of column 'a', float64"):
        read(tmp_path, GOOD.replace("1.5", "1" * 20_000 + "x"))
    assert time.process_time() - start < 1


def test_what_is_no_small_file(tmp_path):
    with pytest.raises(InputError, match="not an ordinary file"):
        read_ecsv(Path("/dev/zero"), "ours", what="table", fix="x", again="y")
    with pytest.raises(UnsafeInputError, match="more than 10,000,000 bytes"):
        read(tmp_path, " " * 10_000_001)


def test_a_calibration_of_aliases_is_refused_at_once(tmp_path):
    lines = SHIPPED[0].read_text().split("\n")
    at = lines.index("# meta: !!omap") + 1
    bomb = ["# - _a: &a0 [x,x,x,x,x,x,x,x,x]"]
    bomb += [f"# - _b{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    (tmp_path / "bomb.ecsv").write_text("\n".join([*lines[:at], *bomb, *lines[at:]]))
    from mockgal.painters.hod.store import named

    for read_one in (named, mockgal.read_measurement):
        with pytest.raises(MockgalError, match=f"anchor &a0 in line {at + 1}") as caught:
            read_one(str(tmp_path / "bomb.ecsv"))
        assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000 + "]" * 100_000, "deeper"),
        ("[[[1]]]", "deeper than 2"),
        ("9" * 5000, "number"),
        ("1e999", "number"),
        ("NaN", "number NaN"),
        ('{"a": 1, "a": 2}', "'a' twice"),
        ("{", "Expecting"),
        (b"\xff", "utf-8"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_json(text, says):
    with pytest.raises(PlainJSONError, match=says) as caught:
        load_json(text, depth=2)
    assert isinstance(caught.value, DeepJSONError) == ("deeper" in says)
    assert load_json('[[1, 2.5, "x", null]]', depth=2) == [[1, 2.5, "x", None]]
