"""Catalogues in pieces: the same checks, counts and warnings as of the whole."""

import numpy as np
import pytest

import mockgal
from mockgal.protocols import ReadOptions
from mockgal.readers.checks import in_pieces
from mockgal.readers.checks.in_pieces import in_batches
from mockgal.readers.checks.units import Masses, Median
from mockgal.tasks.parts.spool import Spool
from mockgal.tasks.steps.read import read_in_pieces
from mockgal.testing.compaso import cleaning, header, made_up_halos, write_asdf, write_compaso


def write(folder, halos, superslabs=2):
    """Write halos as superslabs, with a cleaning that keeps all."""
    cuts = np.linspace(0, len(halos["id"]), superslabs + 1).astype(int)
    for k in range(superslabs):
        arrays = {name: values[cuts[k] : cuts[k + 1]] for name, values in halos.items()}
        place = "Made_Up/halos/z0.000/halo_info"
        write_asdf(folder / place / f"halo_info_{k:03d}.asdf", header(), arrays)
        index = cleaning(arrays["N"], k) | {"N_total": arrays["N"]}
        place = "cleaning/Made_Up/z0.000/cleaned_halo_info"
        write_asdf(folder / place / f"cleaned_halo_info_{k:03d}.asdf", header(), index)
    return folder / "Made_Up/halos/z0.000"


def both(path, folder, rows=70, **options):
    """Return what reading as a whole and in pieces give: a scene, or an error; and warnings."""
    found = []
    for pieces in (False, True):
        with mockgal.errors.listening(quiet=True) as said:
            try:
                if pieces:
                    with Spool(folder / "spool") as kept:
                        options = ReadOptions(**options)
                        scene = read_in_pieces(path, kept, rows, format=None, options=options)
                        gathered = {}
                        if not isinstance(scene, str):
                            kept.divide(3)
                            parts = [kept.part(k) for k in (1, 2, 3)]
                            names = parts[0]
                            gathered = {n: np.concatenate([p[n] for p in parts]) for n in names}
                    found.append((scene, gathered, list(said)))
                else:
                    found.append((mockgal.read(path, **options), {}, list(said)))
            except mockgal.errors.MockgalError as error:
                found.append((error, {}, list(said)))
    return found


def test_the_same_rows_record_and_warnings(tmp_path):
    path = write_compaso(tmp_path, count=800, superslabs=3, samples="A")
    (whole, _, said), (scene, columns, also_said) = both(path, tmp_path)
    assert scene.snapshot == whole.snapshot
    assert dict(scene.halos.record) == dict(whole.halos.record)
    assert said == also_said
    order = np.argsort(whole.halos["halo_id"])
    for name, values in columns.items():
        assert np.array_equal(values, whole.halos[name][order], equal_nan=True), name
    assert set(whole.halos.columns) - set(columns) == {"host_id", "is_central", "host_mass"}


def changed(name, rows, values):
    def change(halos):
        halos[name] = halos[name].copy()
        halos[name][rows] = values
        return halos

    return change


def copied(halos):
    """Repeat a fifth of the halos under other ids."""
    again = {name: values[::5] for name, values in halos.items()}
    again["id"] = again["id"] + np.uint64(7)
    return {name: np.concatenate([halos[name], again[name]]) for name in halos}


def empty(halos):
    keep = halos["x_L2com"][:, 1] < 0.2
    return {name: values[keep] for name, values in halos.items()}


FAULTS = {
    "repeated ids": changed("id", [30, 500, 501], 1_000_003),
    "an id beyond 63 bits": changed("id", 7, 2**63),
    "a position that is NaN": changed("x_L2com", (300, 1), np.nan),
    "a position outside": changed("x_L2com", (300, 1), 1.7),
    "an infinite velocity": changed("v_L2com", (5, 0), np.inf),
    "too fast": changed("v_L2com", (6, 0), 9.0),
    "an absurd mass": changed("N", 8, 2**31),
    "copies": copied,
    "an empty region": empty,
    "vmax of another unit": lambda halos: halos | {"vcirc_max_L2com": halos["x_com"][:, 0] * 0 + 1},
}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("most", [1 << 23, 100])
def test_faults_are_found_as_in_the_whole(name, most, tmp_path, monkeypatch):
    monkeypatch.setattr(in_pieces, "_MOST_KEYS", most)
    path = write(tmp_path, FAULTS[name](made_up_halos(900)))
    (whole, *_), (pieces, *_) = both(path, tmp_path)
    assert isinstance(whole, mockgal.errors.MockgalError)
    assert type(pieces) is type(whole)
    assert str(pieces) == str(whole)


def test_what_is_rare_is_counted_over_all_pieces(tmp_path):
    kms = 100 / header()["VelZSpace_to_kms"]
    halos = changed("v_L2com", ([5, 100, 700], 0), 1.2e4 / 100 * kms)(made_up_halos(900))
    (whole, _, said), (scene, _, also_said) = both(write(tmp_path, halos), tmp_path)
    assert any("3 values above" in text for text in said)
    assert also_said == said
    assert dict(scene.halos.record) == dict(whole.halos.record)


def test_accepted_empty_regions_and_nothing_that_moves(tmp_path):
    halos = empty(made_up_halos(900))
    halos["v_L2com"] = halos["v_L2com"] * 0
    path = write(tmp_path, halos)
    (whole, _, said), (scene, _, also_said) = both(path, tmp_path, allow_empty_regions=True)
    assert whole.halos.record["velocity_all_zero"] == len(whole.halos)
    assert dict(scene.halos.record) == dict(whole.halos.record)
    assert also_said == said


def test_what_is_read_as_a_whole_says_why(tmp_path, demo_bundle):
    path = write_compaso(tmp_path, count=600, superslabs=2, samples="")
    assert both(path, tmp_path, drop_bad=True)[1][0] == "--drop-bad"
    assert "more superslabs" in both(path, tmp_path, superslab="0-1")[1][0]
    assert both(demo_bundle, tmp_path)[1][0] == "the reader bundle"


def test_sums_and_medians_do_not_depend_on_the_pieces():
    rng = np.random.default_rng(2)
    snapshot = mockgal.read("catalogs/demo/dark.hdf5").snapshot
    mass = 10.0 ** rng.uniform(9, 15, 5000)
    columns = {"mass": mass, "host_mass": mass, "is_central": np.ones(5000, dtype=bool)}
    whole, pieces = Masses(snapshot).add(columns), Masses(snapshot)
    for rows in np.array_split(rng.permutation(5000), 13):
        pieces.add({name: values[rows] for name, values in columns.items()})
    assert pieces.total == whole.total == pytest.approx(mass.sum(), rel=1e-12)
    assert np.array_equal(pieces.lightest, whole.lightest)
    many = Median()
    for _ in range(3):
        many.add(rng.lognormal(1.0, 0.5, 400_000))
    assert many.value() == pytest.approx(np.e, rel=2e-3)


def test_columns_in_pieces_of_any_sizes():
    columns = {"a": np.arange(10), "b": np.arange(10) * 2}
    pieces = {"a": iter(np.array_split(columns["a"], 4)), "b": iter([columns["b"]])}
    found = list(in_batches(pieces, 3, total=10))
    assert [start for start, _ in found] == [0, 3, 6, 9]
    for name, values in columns.items():
        assert np.array_equal(np.concatenate([batch[name] for _, batch in found]), values)
