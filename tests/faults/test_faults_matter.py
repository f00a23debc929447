"""Faults of matter in files of its own: each by its number, in each format that can have it."""

import numpy as np
import pytest
from read_faults import case

import mockgal
from mockgal.errors import MockgalError
from mockgal.testing.matter import write_bigfile_block, write_fastpm, write_gadget_binary

H, PARTICLE = 0.6774, 1.3395e9  # of the demonstration [Msun/h]
HEADER = 264  # bytes of a header of Gadget with its markers


@pytest.fixture(scope="module")
def halos(demo_bundle, tmp_path_factory):
    path = tmp_path_factory.mktemp("halos") / "halos.hdf5"
    mockgal.pack(demo_bundle, path, particles=False)
    return path


@pytest.fixture(scope="module")
def demo(demo_bundle):
    return mockgal.read(demo_bundle)


@pytest.fixture
def write(demo, tmp_path):
    """Write the demo's particles, spoiled as asked, with a writer of `mockgal.testing.matter`."""

    def make(writer=write_gadget_binary, spoil=lambda x: x, **changes):
        (chunk,) = demo.particles.chunks(1 << 22)
        snapshot = demo.snapshot
        facts = {n: getattr(snapshot, n) for n in ("box_size", "redshift", "cosmology")}
        mass = changes.pop("mass", float(chunk.mass[0]))
        return writer(
            tmp_path / "s" / "snap", spoil(chunk.position.copy()), mass, **(facts | changes)
        )

    return make


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def patch(path, offset, data):
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(data)


def word(number):
    return np.array(number, "<u4").tobytes()


def row(value, at=1000):
    def spoil(position):
        position[at, 1] = value
        return position

    return spoil


def beside(number, of=0):
    """Copy a file of a set to another number."""

    def change(path):
        path.with_suffix(f".{number}").write_bytes(path.with_suffix(f".{of}").read_bytes())

    return change


def put(name, text):
    return lambda path: (path / name).write_text(text)


THREE, TWO, FASTPM = {"files": 3}, {"files": 2}, {"writer": write_fastpm}
ATTRIBUTES, BLOCK = "Header/attr-v2", "1/Position"
OTHER_BOX = np.array(17.0).tobytes()
FAULTS = [
    # Gadget in binary
    case(2, {}, lambda p: cut(p, 0), "begins with b''"),
    case(11, {}, lambda p: cut(p, 100), "without a header"),
    case(11, {}, lambda p: cut(p, -1), "ID: found a file of"),
    case(11, {}, lambda p: cut(p, 10_000), "POS: found a file of 10000 bytes"),
    case(11, {"format": 2}, lambda p: cut(p, 10_000), "POS: found a file of 10000 bytes"),
    case(11, {}, lambda p: p.write_bytes(p.read_bytes() + b"more"), "number 4"),
    case(11, {}, lambda p: patch(p, HEADER, word(12)), "POS: found two markers that differ"),
    case(11, {}, lambda p: patch(p, 260, word(12)), "without a header"),
    case(11, {}, lambda p: patch(p, 8, word(4_000_000_000)), "POS: found 3145728 bytes, expected"),
    case(14, THREE, lambda p: p.with_suffix(".1").unlink(), "missing chunk 1"),
    case(15, THREE, beside(3), "surplus chunk 3"),
    case(15, TWO, beside(1), "the same content"),
    case(17, {"npart_total": 7}, None, "262144 rows in all files, expected 7"),
    case(18, {"npart": 3}, None, "POS: found 3145728 bytes, expected 36 or 72"),
    case(19, TWO, lambda p: patch(p, 132, OTHER_BOX), "HEAD: found"),
    case(25, {"time": 0.5}, None, "redshift of 0.* with a scale factor of 0.5"),
    case(28, {"unit": 1e6}, None, "box size: found 16000"),
    case(30, {"unit": 1 / H}, None, "box size: found 23"),
    case(32, {"mass": PARTICLE / H}, None, "particle mass"),
    case(34, {"spoil": row(np.nan)}, None, "POS, row 1000.*NaN"),
    case(35, {"mass": np.full(64**3, -1e9)}, None, "masses that are NaN.*negative"),
    case(39, {"spoil": lambda x: x - 8.0}, None, "--centred-origin"),
    case(40, {"spoil": row(17.0)}, None, "POS, row 1000.*outside the box"),
    # BigFile
    case(5, FASTPM | TWO, lambda p: (p / BLOCK / "000001").unlink(), "no such file"),
    case(5, FASTPM, put(ATTRIBUTES, ""), "no such attribute"),
    case(11, FASTPM, lambda p: cut(p / BLOCK / "000000", 999), "found 999 bytes, expected"),
    case(11, FASTPM, put(f"{BLOCK}/header", "DTYPE: <O8\n"), "DTYPE"),
    case(11, FASTPM, put(ATTRIBUTES, "BoxSize <f8 1 zz #\n"), "line 1"),
    case(11, FASTPM, put(ATTRIBUTES, " \n"), "line 1"),
    case(17, FASTPM | {"unit": 1.0, "TotNumPart": np.arange(6)}, None, "TotNumPart"),
    case(
        18,
        FASTPM,
        lambda p: write_bigfile_block(p / BLOCK, np.zeros((9, 2))),
        "expected 3 integers or floats",
    ),
    case(25, FASTPM | {"Time": 0.5}, None, "Time"),
    case(30, FASTPM | {"spoil": lambda x: x / H, "BoxSize": 16 / H}, None, "box size: found 23"),
    case(32, FASTPM | {"mass": PARTICLE / H}, None, "particle mass"),
    case(35, FASTPM | {"BoxSize": np.nan}, None, "BoxSize"),
]


@pytest.mark.parametrize(("how", "change", "words"), FAULTS)
def test_particles(how, change, words, write, halos, exit_code):
    path = write(**how)
    if change is not None:
        change(path)
    with pytest.raises(MockgalError, match=words) as caught:
        mockgal.read(halos, matter=path)
    assert caught.value.exit_code == exit_code, caught.value
    assert caught.value.fix


def test_counts_in_two_words(write, halos):
    """A header that says 2^32 more particles than there are."""
    path = write()
    patch(path, 4 + 168 + 4, word(1))  # the high word of type 1
    with pytest.raises(MockgalError, match=f"expected {64**3 + (1 << 32)}"):
        mockgal.read(halos, matter=path)


@pytest.mark.fault(38)
def test_positions_at_the_far_edge(write, halos):
    sim = mockgal.read(halos, matter=write(spoil=row(16.0)))
    chunks = list(sim.particles.chunks(100_000))
    assert sum(chunk.at_edge for chunk in chunks) == 1
    assert max(chunk.position.max() for chunk in chunks) < 16.0


def _npy(path, **header):
    """A small array, under a header that says something else."""
    facts = {"descr": "<f8", "fortran_order": False, "shape": (4, 4, 4)} | header
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, facts)
        file.write(np.zeros((4, 4, 4)).tobytes())
    return path


GRIDS = [
    case(11, lambda p: cut(_npy(p), 200), "damaged array"),
    case(11, lambda p: p.write_bytes(_npy(p).read_bytes() + b"more"), "expected 640"),
    case(11, lambda p: _npy(p, shape=(99_999, 99_999, 99_999)), "damaged array"),
    case(11, lambda p: _npy(p, descr="<(8"), "damaged array"),
]


@pytest.mark.parametrize(("make", "words"), GRIDS)
def test_arrays(make, words, tmp_path, halos, exit_code):
    path = tmp_path / "g.npy"
    make(path)
    with pytest.raises(MockgalError, match=words) as caught:
        mockgal.read(halos, matter=path)
    assert caught.value.exit_code == exit_code, caught.value
