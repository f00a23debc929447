"""Parquet mocks: what is refused, and tables that pyarrow, pandas and their like wrote."""

import json
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from galaxies_samples import BOX, catalogue, same, written

from mockgal.errors import CorruptFileError, FormatError, MockgalError, MockgalWarning
from mockgal.readers import parquet_file
from mockgal.readers.mocks.reader import describe_galaxies, is_catalogue, read_galaxies

WHY = "red galaxies only"


@pytest.fixture(params=["h-free", "h"])
def path(request, tmp_path):
    return written(catalogue(), tmp_path / "a.parquet", request.param)


@pytest.fixture
def in_h(tmp_path):
    return written(catalogue(), tmp_path / "a.parquet")


def refused(path, *words, code=3):
    with pytest.raises(MockgalError) as caught:
        read_galaxies(path)
    text = str(caught.value)
    assert caught.value.exit_code == code, text
    assert all(word in text for word in words), text
    assert ". Fix: " in text
    return caught.value


def read_changed(path, **options):
    with pytest.warns(MockgalWarning, match="cannot be verified"):
        return read_galaxies(path, **options)


def with_metadata(table, **entries):
    """The table with other metadata; None takes an entry away."""
    metadata = {**table.schema.metadata}
    for name, value in entries.items():
        metadata.pop(name.encode())
        if value is not None:
            metadata[name.encode()] = value.encode()
    return table.replace_schema_metadata(metadata)


def with_json(table, change):
    facts = json.loads(table.schema.metadata[b"provenance"])
    change(facts)
    text = json.dumps(facts)
    digest = blake2b(text.encode(), digest_size=32).hexdigest()
    return with_metadata(table, provenance=text, provenance_digest=digest)


def with_field(table, name, **entries):
    """The table with other metadata of one column."""
    at, field = table.column_names.index(name), table.field(name)
    metadata = field.metadata | {key.encode(): text.encode() for key, text in entries.items()}
    return table.set_column(at, field.with_metadata(metadata), table[name])


def with_column(table, name, values):
    at = table.column_names.index(name)
    array = pa.array(values)
    field = pa.field(name, array.type, array.null_count > 0, table.field(name).metadata)
    return table.set_column(at, field, array)


# ---- what is refused


@pytest.mark.fault(12)
def test_cut_off(in_h, exit_code):
    raw = in_h.read_bytes()
    for length in (4, 11, len(raw) // 2, len(raw) - 1):
        in_h.write_bytes(raw[:length])
        assert isinstance(refused(in_h, code=exit_code), CorruptFileError)
    in_h.write_bytes(raw[:-8] + (1 << 30).to_bytes(4, "little") + b"PAR1")
    refused(in_h, "a footer of")


def test_rows_have_checksums(in_h):
    raw = bytearray(in_h.read_bytes())
    column = pq.read_metadata(in_h).row_group(0).column(5)
    raw[column.data_page_offset + column.total_compressed_size - 1] ^= 1
    in_h.write_bytes(raw)
    assert isinstance(refused(in_h, "CRC"), CorruptFileError)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: with_metadata(t, provenance_digest="00" * 32), ["@provenance", "a text of"]),
        (lambda t: with_metadata(t, provenance_digest=None), ["@provenance"]),
        (lambda t: with_metadata(t, redshift="0.6"), ["@redshift", "0.6"]),
        (lambda t: with_metadata(t, redshift="x" * 9000), ["@redshift"]),
        (lambda t: with_metadata(t, rows="300.0"), ["@rows"]),
        (lambda t: with_metadata(t, simulation=None), ["@simulation", "none"]),
        (lambda t: with_json(t, lambda v: v["file"].update(frame="tilted")), ["frame"]),
        (lambda t: with_field(t, "vmax", unit="m s-1"), ["vmax", "m s-1"]),
        (lambda t: with_field(t, "halo_mass", h_power="0"), ["halo_mass", "units h"]),
        (lambda t: with_field(t, "halo_mass", h_power="many"), ["halo_mass"]),
        (lambda t: t.drop_columns(["vmax"]), ["vmax", "--changed-by-hand"]),
        (lambda t: t.append_column("colour", pa.array(np.ones(300))), ["colour"]),
        (lambda t: t.slice(1), ["299 rows", "300", "--changed-by-hand"]),
        (lambda t: with_column(t, "vmax", np.ones(300, "f4")), ["vmax"]),
        (lambda t: with_column(t, "halo_id", np.ones(300, "u8")), ["halo_id", "u8"]),
        (lambda t: with_column(t, "vmax", [None] * 9 + [1.0] * 291), ["vmax", "missing"]),
        (lambda t: with_column(t, "vmax", [[1.0]] * 300), ["vmax"]),
        (lambda t: with_column(t, "vmax", np.ones(300)), ["vmax", "changed since mockgal"]),
    ],
)  # fmt: skip
def test_contradictions(in_h, spoil, words):
    pq.write_table(spoil(pq.read_table(in_h)), in_h)
    refused(in_h, *words)


def test_types_that_a_program_has_to_be_told_of(in_h):
    class Speed(pa.ExtensionType):
        def __init__(self):
            super().__init__(pa.float64(), "speed")

        def __arrow_ext_serialize__(self):
            return b""

        @classmethod
        def __arrow_ext_deserialize__(cls, storage, serialized):
            return cls()

    table = pq.read_table(in_h)
    at = table.column_names.index("vmax")
    speeds = pa.ExtensionArray.from_storage(Speed(), table["vmax"].combine_chunks())
    field = pa.field("vmax", Speed(), False, table.field("vmax").metadata)
    pa.register_extension_type(Speed())
    try:
        pq.write_table(table.set_column(at, field, speeds), in_h)
        refused(in_h, "vmax", "a plain number", code=4)
    finally:
        pa.unregister_extension_type("speed")


def test_tables_of_others(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"RA": [1.0], "DEC": [2.0]}), path)
    assert not is_catalogue(path)
    assert isinstance(refused(path, "without the metadata provenance", "RA, DEC"), FormatError)
    pq.write_table(pa.table({"a": [[1.0]]}), path)
    refused(path, "its columns are a")


# ---- hostile footers, made of a good one


def patched(path, **numbers):
    """Write the file anew with another number of one of its fields, of as many bytes."""
    with path.open("rb") as file:
        footer = parquet_file.read_footer(file, path)
    raw = path.read_bytes()
    for old, new in numbers.items():
        before, after = (varint(number) for number in (getattr(footer, old), new))
        assert len(before) == len(after)
        start = len(raw) - 8 - int.from_bytes(raw[-8:-4], "little")
        raw = raw[:start] + raw[start:].replace(before, after)
    path.write_bytes(raw)


def varint(number):
    number, found = 2 * number, []
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


@pytest.mark.fault(67)
def test_more_rows_than_there_are(in_h, monkeypatch, exit_code):
    patched(in_h, rows=8000)  # 300 and 8000 take two bytes
    refused(in_h, "8000 rows", "300, as in the provenance")
    with pytest.raises(CorruptFileError, match="damaged pages"):
        read_galaxies(in_h, changed_by_hand=WHY)
    monkeypatch.setattr(parquet_file, "BOMB_BYTES", 1000)
    monkeypatch.setattr(parquet_file, "BOMB_RATIO", 0.001)
    refused(in_h, "bytes of data declared", code=exit_code)


@pytest.mark.fault(68)
def test_a_page_larger_than_any(in_h, monkeypatch, exit_code):
    monkeypatch.setattr(parquet_file, "_MAX_PAGE", 1000)
    refused(in_h, "a page of", code=exit_code)


@pytest.mark.parametrize("limit", ["_MAX_ITEMS", "_MAX_FOOTER", "_MAX_DEPTH", "_PAGE_HEADER"])
def test_limits(in_h, monkeypatch, limit):
    monkeypatch.setattr(parquet_file, limit, 1)
    refused(in_h, code=4 if limit == "_MAX_FOOTER" else 3)


# ---- changed by hand


def test_filtered_and_extended_with_pyarrow(path, tmp_path):
    galaxies, table = catalogue(), pq.read_table(path)
    few = table.filter(pc.greater(table["stellar_mass"], pc.mean(table["stellar_mass"])))
    few = few.append_column("colour", pa.array(np.ones(len(few))))
    pq.write_table(few, tmp_path / "b.parquet")
    refused(tmp_path / "b.parquet", "--changed-by-hand")
    metadata = {**few.schema.metadata, b"changed": WHY.encode()}
    pq.write_table(few.replace_schema_metadata(metadata), tmp_path / "b.parquet")
    assert is_catalogue(tmp_path / "b.parquet")
    found = read_changed(tmp_path / "b.parquet")
    mass = galaxies["stellar_mass"]
    expected = galaxies.take(np.flatnonzero(mass > mass.mean(dtype="f8")))
    np.testing.assert_array_equal(found["galaxy_id"], expected["galaxy_id"])
    np.testing.assert_allclose(found["position_x"], expected["position_x"], rtol=1e-15)
    change = found.provenance["changed_by_hand"]
    assert change["reason"] == WHY
    assert (change["rows_before"], change["rows"]) == (300, len(few))
    assert change["columns_left_out"] == ["colour"]
    assert change["content_digest_before"] == galaxies.digest()
    assert found.completeness.limit is None
    assert found.snapshot.box_size == BOX
    with pytest.warns(MockgalWarning):
        assert describe_galaxies(tmp_path / "b.parquet")["changed_by_hand"]["reason"] == WHY


def test_after_a_program_that_drops_the_metadata(path, tmp_path):
    """As pandas and polars do: without units, compressed otherwise, values that may be missing."""
    table, kept = pq.read_table(path), pq.read_schema(path).metadata
    bare = pa.table({name: table[name].to_numpy() for name in table.column_names}).slice(100)
    pq.write_table(bare, tmp_path / "b.parquet", row_group_size=17, compression="gzip")
    refused(tmp_path / "b.parquet", "replace_schema_metadata")
    with pytest.raises(FormatError, match="replace_schema_metadata"):
        read_galaxies(tmp_path / "b.parquet", changed_by_hand=WHY)
    again = pq.read_table(tmp_path / "b.parquet").replace_schema_metadata(kept)
    pq.write_table(again, tmp_path / "b.parquet")
    found = read_changed(tmp_path / "b.parquet", columns=["vmax"], changed_by_hand=WHY)
    assert set(found.columns) == {"galaxy_id", "halo_id", "vmax"}
    expected = catalogue().take(np.arange(100, 300))
    np.testing.assert_array_equal(found["vmax"], expected["vmax"])
    whole = read_changed(tmp_path / "b.parquet", changed_by_hand=WHY)
    np.testing.assert_allclose(whole["halo_mass"], expected["halo_mass"], rtol=1e-15)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t.drop_columns(["halo_id"]), ["no column halo_id"]),
        (lambda t: with_column(t, "stellar_mass", [None] + [1e10] * 299), ["stellar_mass", "NaN"]),
        (lambda t: with_column(t, "position_x", np.full(300, 1e4)), ["position_x"]),
        (lambda t: with_column(t, "galaxy_id", np.ones(300)), ["galaxy_id", "integers"]),
        (lambda t: with_column(t, "vmax", ["fast"] * 300), ["vmax", "string"]),
        (lambda t: with_field(t, "vmax", unit="kg"), ["vmax", "kg"]),
        (lambda t: with_field(t, "vmax", unit=""), ["vmax", "no unit"]),
        (lambda t: with_metadata(t, units="cgs"), ["units"]),
        (lambda t: pa.concat_tables([t, t]), ["repeated galaxies"]),
    ],
)
def test_a_reason_is_no_pass(path, spoil, words):
    pq.write_table(spoil(pq.read_table(path)), path)
    with pytest.raises(MockgalError) as caught:
        read_galaxies(path, changed_by_hand=WHY)
    assert caught.value.exit_code in (2, 3)
    for word in words:
        assert word in str(caught.value)


def test_units_of_a_column_count(path):
    galaxies, table = catalogue(), pq.read_table(path)
    speed = pa.array(table["vmax"].to_numpy() * 1000)
    at = table.column_names.index("vmax")
    field = table.field("vmax").with_metadata({"unit": "m / s"})
    pq.write_table(table.set_column(at, field, speed), path)
    found = read_changed(path, changed_by_hand=WHY)
    np.testing.assert_allclose(found["vmax"], galaxies["vmax"], rtol=1e-14)


def test_rewritten_in_other_ways_it_is_still_the_catalogue(path):
    """Rows and metadata are those that were written; how they are stored does not matter."""
    whole = read_galaxies(path)
    pq.write_table(pq.read_table(path), path, row_group_size=50, compression="none")
    assert same(read_galaxies(path), whole)
