"""Changes to what files state: attributes of HDF5, entries of JSON and YAML, cards of FITS.

A mutation replaces one value by one of another shape, type, sign or size, or takes it away. It is
chosen by its number alone. Where a file seals what it states (checksums, digests), the seal is made
anew in two of three cases, so that the checks behind it are reached.
"""

import json
import sys
from hashlib import blake2b
from pathlib import Path

import h5py
import numpy as np
from galaxies_samples import card, put_together, take_apart, with_json

sys.path.append(str(Path(__file__).parents[1] / "faults"))
from read_faults import seal


def _record(_value):
    return np.array((1, 2.0), dtype=[("a", "i4"), ("b", "f8")])


def _enumeration(_value):
    return np.array(1, dtype=h5py.enum_dtype({"A": 0, "B": 1}))


def _reference(_value):
    return h5py.Reference()


def _ragged(_value):
    found = np.empty(2, dtype=h5py.vlen_dtype("f8"))
    found[:] = [np.arange(2.0), np.arange(3.0)]
    return found


def _several(value):
    if isinstance(value, str | bytes):
        return np.array([value.encode() if isinstance(value, str) else value] * 3)
    return np.resize(value, 3 * np.size(value))


def _scaled(factor):
    return lambda value: factor if isinstance(value, str | bytes) else np.multiply(value, factor)


ATTRIBUTES = {
    "several": _several,
    "nested": lambda value: np.reshape(value, (1, 1, -1)),
    "none": lambda _: np.empty(0),
    "no texts": lambda _: np.empty(0, "S4"),
    "null": lambda _: h5py.Empty("f8"),
    "null text": lambda _: h5py.Empty(h5py.string_dtype()),
    "many": lambda _: np.arange(5000.0),
    "table": lambda _: np.ones((3, 4)),
    "yes": lambda _: True,
    "complex": lambda _: 1 + 2j,
    "word": lambda _: "seven",
    "empty text": lambda _: "",
    "long text": lambda _: "x" * 5000,
    "control": lambda _: "a\nb\x1b[31m",
    "bytes": lambda _: np.bytes_(b"\xff\xfe\x00\x01"),
    "texts": lambda _: ["a", "b"],
    "number as text": lambda value: str(value),
    "not a number as text": lambda _: "nan",
    "huge as text": lambda _: "9" * 5000,
    "record": _record,
    "enumeration": _enumeration,
    "reference": _reference,
    "ragged": _ragged,
    "opaque": lambda _: np.void(b"abcdefgh"),
    "nan": lambda _: np.nan,
    "infinite": lambda _: -np.inf,
    "negative": _scaled(-1.0),
    "zero": _scaled(0),
    "huge": lambda _: 1e308,
    "tiny": lambda _: 5e-324,
    "large": _scaled(1e40),
    "small": _scaled(1e-40),
    "half": lambda _: 0.5,
    "minus one": lambda _: np.int32(-1),
    "largest": lambda _: np.uint64(2**64 - 1),
    "2^62": lambda _: np.int64(2**62 - 1),
    "wide": lambda _: np.longdouble(2),
    "more": lambda value: value if isinstance(value, str | bytes) else np.add(value, 1),
    "deleted": None,
}


def names(file):
    """All attributes as (object, name), in one order."""
    found = [("/", name) for name in sorted(file.attrs)]
    file.visititems(lambda path, item: found.extend((path, name) for name in sorted(item.attrs)))
    return found


def mutate_hdf5(path, number):
    """Change one attribute; say which and how."""
    rng = np.random.default_rng(number)
    with h5py.File(path, "r+") as file:
        chosen = names(file)
        owner, name = chosen[int(rng.integers(len(chosen)))]
        kind = list(ATTRIBUTES)[int(rng.integers(len(ATTRIBUTES)))]
        attrs, value = file[owner].attrs, file[owner].attrs[name]
        del attrs[name]
        if ATTRIBUTES[kind] is not None:
            if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind == "S":
                value = value.ravel()[0]
            changed = ATTRIBUTES[kind](value)
            if isinstance(changed, np.ndarray) and changed.dtype.kind == "U":
                changed = np.char.encode(changed, "utf-8")
            if kind == "reference":
                changed = file[owner].ref
            attrs.create(name, changed)
    if rng.integers(3):
        seal(path)
    return f"{owner}@{name}: {kind}"


ENTRIES = {
    "list": lambda value: [value, value],
    "empty list": lambda _: [],
    "object": lambda _: {"a": 1},
    "many": lambda _: list(range(5000)),
    "long text": lambda _: "x" * 5000,
    "empty text": lambda _: "",
    "yes": lambda _: True,
    "nothing": lambda _: None,
    "negative": lambda value: -value if isinstance(value, int | float) else -1,
    "zero": lambda _: 0,
    "half": lambda _: 0.5,
    "huge": lambda _: 1e308,
    "tiny": lambda _: 5e-324,
    "large": lambda _: 1e40,
    "2^64": lambda _: 2**64,
    "number as text": lambda value: str(value)[:200],
    "control": lambda _: "a\nb\x1b[31m",
    "deep": lambda _: json.loads("[" * 40 + "]" * 40),
    "many digits": lambda _: 10**2000,
}


def _places(value, path=()):
    """Paths of all entries of JSON."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from _places(item, (*path, key))


def mutate_json(value, rng):
    """Change one entry in place; say which and how."""
    places = list(_places(value))
    # What is near the root is looked at more than what is far below.
    depth = int(rng.integers(1, 1 + max(map(len, places))))
    some = [place for place in places if len(place) <= depth]
    *above, last = some[int(rng.integers(len(some)))]
    kind = [*ENTRIES, "deleted"][int(rng.integers(len(ENTRIES) + 1))]
    owner = value
    for key in above:
        owner = owner[key]
    if kind == "deleted":
        del owner[last]
    else:
        owner[last] = ENTRIES[kind](owner[last])
    return f"{'.'.join(map(str, (*above, last)))}: {kind}"


def mutate_mock_hdf5(path, number):
    """An attribute, or an entry of the JSON with its digest made anew."""
    rng = np.random.default_rng(number)
    if rng.integers(2):
        return mutate_hdf5(path, number)
    with h5py.File(path, "r+") as file:
        value = json.loads(file.attrs["provenance"])
        what = mutate_json(value, rng)
        text = json.dumps(value)
        file.attrs["provenance"] = text
        file.attrs["provenance_digest"] = blake2b(text.encode(), digest_size=32).hexdigest()
    return what


TEXTS = ["", "0", "-1", "1e400", "nan", "true", "[" * 90, "9" * 3000, "x" * 90_000, "a\nb\x1b[31m"]


def mutate_parquet(path, number):
    """An entry of the metadata, of the file or of a column, or of the JSON with its digest."""
    import pyarrow.parquet as pq

    rng = np.random.default_rng(number)
    table = pq.read_table(path)
    metadata, fields = dict(table.schema.metadata), list(table.schema)
    if kind := rng.integers(3):
        at = int(rng.integers(len(fields)))
        owner = metadata if kind == 1 else dict(fields[at].metadata)
        key, text = rng.choice(sorted(owner)), rng.choice([*TEXTS, None])
        owner.pop(key)
        if text is not None:
            owner[key] = text.encode()
        if kind == 2:
            fields[at] = fields[at].with_metadata(owner)
        what = f"{key}: {text!r:.40}"
    else:
        value = json.loads(metadata[b"provenance"])
        what = mutate_json(value, rng)
        text = json.dumps(value).encode()
        metadata[b"provenance"] = text
        metadata[b"provenance_digest"] = blake2b(text, digest_size=32).hexdigest().encode()
    schema = table.schema.empty_table().schema  # a schema of its own
    for at, field in enumerate(fields):
        schema = schema.set(at, field)
    pq.write_table(table.cast(schema).replace_schema_metadata(metadata), path)
    return what


CARDS = ["T", "'text'", "''", "-1", "0", "1E400", "9" * 60, "1D0", "(1, 2)", "'" + "x" * 60 + "'"]


def mutate_fits(path, number):
    """A card, or an entry of the JSON, with sums that are right."""
    rng = np.random.default_rng(number)
    hdus = take_apart(path)
    if rng.integers(2):
        said = []
        with_json(hdus, lambda value: said.append(mutate_json(value, rng)) or value)
        what = said[0]
    else:
        cards = hdus[int(rng.integers(len(hdus)))][0]
        keyword = cards[int(rng.integers(len(cards)))][:8].rstrip()
        text = [*CARDS, None][int(rng.integers(len(CARDS) + 1))]
        if keyword in ("CONTINUE", "", "COMMENT", "HISTORY"):
            keyword = "NEW"
        card(cards, keyword, text)
        what = f"{keyword} = {text}"
    put_together(path, hdus)
    return what


def mutate_safetensors(path, number):
    """An entry of the header, or of ours within its metadata."""
    rng = np.random.default_rng(number)
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header, data = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    if rng.integers(4):
        own = json.loads(header["__metadata__"]["mockgal"])
        what = mutate_json(own, rng)
        header["__metadata__"]["mockgal"] = json.dumps(own)
    else:
        what = mutate_json(header, rng)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return what


def mutate_ecsv(path, number):
    """An entry of the metadata."""
    from astropy.table import Table

    rng = np.random.default_rng(number)
    table = Table.read(path, format="ascii.ecsv")
    what = mutate_json(table.meta, rng)
    table.write(path, format="ascii.ecsv", overwrite=True)
    return what


_OTHER = (
    "-1",
    "0",
    "1e300",
    "1e-300",
    ".nan",
    "[]",
    "{}",
    "[1, 2]",
    "{a: [1]}",
    "text",
    "null",
    "",
)
_ODD = ("99999999999999999999", "!!python/object/apply:os.system [x]", "*a", "&a 1", "'", "\t")


def mutate_asdf(path, number):
    """A value of the tree."""
    rng = np.random.default_rng(number)
    whole = path.read_bytes()
    end = whole.index(b"\n...\n")
    lines = whole[:end].decode().split("\n")
    some = [k for k, line in enumerate(lines) if line.startswith("  ") and ": " in line]
    k = int(rng.choice(some))
    key = lines[k].partition(": ")[0]
    lines[k] = f"{key}: {rng.choice([*_OTHER, *_ODD])}" if rng.integers(6) else ""
    path.write_bytes("\n".join(lines).encode() + whole[end:])
    return f"{key.strip()} -> {lines[k]!r}"
