"""Faults 14-27: headers of sets of files, as Gadget-4 and AREPO write them."""

import shutil

import h5py
import numpy as np
import pytest
from read_faults import both, catalogue, edit, header, put, snapshot

from mockgal.errors import MockgalWarning
from mockgal.protocols import ReadOptions
from mockgal.readers.detect import read
from mockgal.writers.bundle import write_bundle

FIRST, NSUBS = "Group/GroupFirstSub", "Group/GroupNsubs"
OF_GROUP, OF_SUBHALOS = "dataset with the group's number", "attribute with the number of subhalos"


@pytest.mark.fault(14)
@both
def test_chunk_missing(make_run, refused):
    run = make_run(files=12, snapshots=False)
    for k in (3, 10):
        catalogue(run)[k if k == 3 else -2].unlink()
    refused(run, run / "groups_002", "missing chunk 3, 10")
    refused(catalogue(run)[0], "missing chunk 3, 10", "--allow-missing-chunks")
    with pytest.warns(MockgalWarning, match="chunks 3, 10 of 12 are missing"):
        scene = read(run, ReadOptions(allow_missing_chunks=True))
    assert scene.snapshot.record["missing_chunks"] == "3, 10"


@pytest.mark.fault(14)
def test_snapshot_chunk_missing(run, refused):
    snapshot(run)[1].unlink()
    refused(run, run / "snapdir_002", "missing chunk 1")


@pytest.mark.fault(14)
@pytest.mark.parametrize("declared", [(1 << 62) - 1, 1 << 40])
def test_absurd_number_of_files(run, declared, refused):
    header(catalogue(run), NumFiles=np.uint64(declared))
    refused(run, run / "groups_002", f"2 of {declared} files", f"missing chunk 2-{declared - 1}")


@pytest.mark.fault(15)
def test_snapshot_chunk_copied_over(run, refused):
    files = snapshot(run)
    shutil.copy(files[0], files[1])
    refused(run, files[0], f"{files[1]}:/PartType1/Coordinates", "same particles")


@pytest.mark.fault(15)
def test_extra_chunk(run, refused):
    shutil.copy(catalogue(run)[1], run / "groups_002/fof_subhalo_tab_002.2.hdf5")
    refused(run, run / "groups_002", "surplus chunk 2")


@pytest.mark.fault(15)
@pytest.mark.parametrize("name", ["fof_subhalo_tab_002.01.hdf5", "fof_subhalo_tab_002.hdf5"])
def test_duplicate_chunk(run, name, refused):
    shutil.copy(catalogue(run)[1], run / "groups_002" / name)
    refused(run / "groups_002", name, "one file for each chunk")


@pytest.mark.fault(15)
@both
def test_chunk_copied_over(make_run, refused):
    run = make_run(files=6)  # 462 subhalos and 420 groups: equal counts in every file
    files = catalogue(run)
    shutil.copy(files[1], files[2])
    refused(run, files[2], "same content")


@pytest.mark.fault(16)
@both
def test_order_of_chunks_is_numeric(make_run, tmp_path, dialect):
    run = make_run(files=12, snapshots=False)
    dialect.write(tmp_path / "one", files=1, snapshots=False)
    assert read(run).halos.digest() == read(tmp_path / "one").halos.digest()


@pytest.mark.fault(18)
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Subhalo/SubhaloVel", lambda values: values[:, :2]),
        ("Subhalo/SubhaloVel", lambda values: values[:, 0]),
        ("Subhalo/SubhaloMassType", lambda values: values[:, :5]),
        ("Subhalo/SubhaloMass", lambda values: np.stack([values, values], axis=1)),
    ],
)
@pytest.mark.parametrize("which", [0, 1])
def test_rows_of_another_width(run, name, change, which, refused):
    file = catalogue(run)[which]
    edit(file, name, change)
    # Any width of SubhaloMassType will do, if it is the same in all: the second file is told.
    file = catalogue(run)[1] if "Type" in name else file
    refused(run, f"{file}:/{name}", "shape")


@pytest.mark.fault(17)
@both
@pytest.mark.parametrize("kind", ["Ngroups", OF_SUBHALOS])
def test_sum_is_not_total(run, kind, refused, dialect):
    kind = dialect.subhalos if kind == OF_SUBHALOS else kind
    with h5py.File(catalogue(run)[0]) as file:
        total = int(file["Header"].attrs[f"{kind}_Total"])
    header(catalogue(run), **{f"{kind}_Total": np.uint64(total + 1)})
    refused(run, run / "groups_002", f"{kind}_Total", total, total + 1)


@pytest.mark.fault(17)
def test_snapshot_sum_is_not_total(run, refused):
    header(snapshot(run), NumPart_Total=np.array([0, 99, 0, 0, 0, 0], "u8"))
    refused(run, run / "snapdir_002", "NumPart_Total[1]", "99")


@pytest.mark.fault(18)
@both
@pytest.mark.parametrize("name", ["Subhalo/SubhaloMass", "Group/Group_M_Crit200"])
def test_rows_are_not_header_count(run, name, refused):
    file = catalogue(run)[1]
    edit(file, name, lambda values: values[:-1])
    refused(run, f"{file}:/{name}", "rows")


@pytest.mark.fault(18)
def test_snapshot_rows(run, refused):
    file = snapshot(run)[1]
    edit(file, "PartType1/Coordinates", lambda values: values[:-1])
    refused(run, f"{file}:/PartType1/Coordinates", "rows", stream=True)


@pytest.mark.fault(19)
@both
@pytest.mark.parametrize(("name", "value"), [("Time", 0.5), ("BoxSize", 31000.0)])
def test_chunks_disagree(run, name, value, refused):
    file = catalogue(run)[1]
    header(file, **{name: value})
    refused(run, file, "Time, Redshift, BoxSize")


@pytest.mark.fault(19)
@pytest.mark.parametrize(("name", "value"), [("Time", 0.5), ("BoxSize", 31000.0)])
def test_snapshot_chunks_disagree(run, name, value, refused):
    header(snapshot(run)[1], **{name: value})
    refused(run, f"{snapshot(run)[1]}:/Header", snapshot(run)[0], value)


@pytest.mark.fault(19)
@both
@pytest.mark.parametrize("files", [catalogue, snapshot])
@pytest.mark.parametrize(
    ("name", "value"), [("Omega0", 0.31), ("HubbleParam", 0.7), ("UnitMass_in_g", 2e33)]
)
def test_chunks_of_other_runs(run, files, name, value, refused, dialect):
    header(files(run)[1], dialect.parameters, **{name: value})
    refused(run, f"{files(run)[1]}:/{dialect.parameters}", files(run)[0], name)


@pytest.mark.fault(20)
@both
def test_high_word(run, refused):
    """A high word counts 2^32 particles: here they are missing, and the message says how many."""
    header(
        snapshot(run),
        NumPart_Total=np.array([0, 32768, 0, 0, 0, 0], "u4"),
        NumPart_Total_HighWord=np.zeros(6, "u4"),
    )
    assert read(run).particles.count == 32768
    header(snapshot(run), NumPart_Total_HighWord=np.array([0, 2, 0, 0, 0, 0], "u4"))
    refused(run, str((2 << 32) + 32768), "32768", code=3)


@pytest.mark.fault(21)
@both
@pytest.mark.parametrize("type_", ["u4", "u8", "i4"])
def test_minus_one_unsigned(run, type_):
    digest = read(run).halos.digest()
    for file in catalogue(run):
        edit(file, FIRST, lambda values: values.astype(type_))
    again = read(run)
    assert again.halos.digest() == digest
    assert again.halos.record["groups_without_subhalos"] == 10


@pytest.mark.fault(22)
@both
@pytest.mark.parametrize(
    ("name", "row", "value", "word"),
    [
        (FIRST, 5, 10_000, "does not exist"),
        (FIRST, 5, -2, "does not exist"),
        (FIRST, 5, 0, "another group"),
        (NSUBS, 5, 7, "number other than"),
        (NSUBS, 5, 0, "GroupFirstSub -1 and subhalos"),
        (NSUBS, 39, 1, "GroupFirstSub -1 and subhalos"),
        (OF_GROUP, 5, 420, "does not exist"),
        (OF_GROUP, 5, -1, "does not exist"),
    ],
)
def test_membership(run, name, row, value, word, refused, dialect):
    file, name = catalogue(run)[0], dialect.group_number if name == OF_GROUP else name
    edit(file, name, put(row, value))
    refused(run, f"{file}:/{name}, row {row}", word)


@pytest.mark.fault(23)
@pytest.mark.parametrize("value", [1, 0])
def test_first_sub_against_rank(run, value, refused):
    file, name = catalogue(run)[0], "Subhalo/SubhaloRankInGr"
    with h5py.File(file) as opened:
        row = int(np.flatnonzero(opened[name][:] != value)[0]) if value == 0 else 4
        row = row if value == 0 else int(np.flatnonzero(opened[name][:] == 0)[3])
    edit(file, name, put(row, value))
    refused(run, f"{file}:/{name}, row {row}", "contradicts GroupFirstSub")


FLAGS = {
    "HubbleParam": ("--h", "h", 0.6774),
    "Omega0": ("--omega-m", "omega_m", 0.3089),
    "OmegaLambda": ("--omega-lambda", "omega_lambda", 0.6911),
}


@pytest.mark.fault(24)
@pytest.mark.parametrize("names", [["Omega0"], ["HubbleParam", "OmegaLambda"], list(FLAGS)])
@pytest.mark.parametrize(
    ("dialect", "options"),
    [("gadget4", {}), ("gadget4", {"h_free": True}), ("arepo", {})],
    indirect=["dialect"],
)
def test_no_cosmology(make_run, names, options, refused, dialect):
    run = make_run(dtype="f8", **options)
    whole = read(run)
    header(catalogue(run) + snapshot(run), dialect.parameters, **dict.fromkeys(names))
    flags = [FLAGS[name][0] for name in names]
    refused(run, f"{catalogue(run)[0]}:/{dialect.parameters}", ", ".join(names), *flags)
    given = ReadOptions(**{FLAGS[name][1]: FLAGS[name][2] for name in names})
    scene = read(run, given)
    assert scene.snapshot.record["given_by_user"] == [FLAGS[n][1] for n in names]
    assert scene.snapshot.cosmology.to_dict() == pytest.approx(whole.snapshot.cosmology.to_dict())
    assert whole.snapshot.record["given_by_user"] == []
    np.testing.assert_allclose(scene.halos["mass"], whole.halos["mass"], rtol=1e-9)


@pytest.mark.fault(24)
def test_no_units(run, refused):
    """Without the units, and Hubble is one of them, no flag helps."""
    given = ReadOptions(h=0.6774, omega_m=0.3089, omega_lambda=0.6911)
    header(catalogue(run), "Parameters", Hubble=None, HubbleParam=None)
    refused(run, "no Hubble, HubbleParam", "--h VALUE", "write the attributes Hubble there")
    error = refused(run, "no Hubble", "write the attributes Hubble there", options=given)
    assert "--h" not in error.fix
    for file in catalogue(run):
        with h5py.File(file, "r+") as opened:
            del opened["Parameters"]
    refused(run, f"{catalogue(run)[0]}:/Parameters", "UnitLength_in_cm", "Omega0", "--omega-m")


@pytest.mark.fault(24)
@pytest.mark.parametrize(
    "wrong", [{"h": 0.7}, {"omega_m": 0.31}, {"omega_lambda": 0.7}, {"omega_m": np.nan}]
)
def test_the_file_says_otherwise(run, wrong, tmp_path, refused):
    flag = "--" + next(iter(wrong)).replace("_", "-")
    refused(run, flag, catalogue(run)[0], code=2, options=ReadOptions(**wrong))
    path = tmp_path / "b.hdf5"
    write_bundle(read(run), path)
    refused(path, flag, path, code=2, options=ReadOptions(**wrong))
    same = ReadOptions(h=0.6774, omega_m=0.3089, omega_lambda=0.69110001)
    assert read(run, same).snapshot.record["given_by_user"] == []
    assert len(read(path, same).halos) == 462


@pytest.mark.fault(24)
def test_impossible_flag(run, refused, dialect):
    header(catalogue(run), dialect.parameters, Omega0=None)
    refused(run, "--omega-m", "-0.3", code=2, options=ReadOptions(omega_m=-0.3))


@both
@pytest.mark.parametrize(
    ("name", "value"), [("Omega0", -0.3), ("OmegaLambda", 7.0), ("HubbleParam", 67.74)]
)
def test_impossible_cosmology_names_the_attribute(run, name, value, refused, dialect):
    header(catalogue(run), dialect.parameters, **{name: value})
    refused(run, f"{catalogue(run)[0]}:/{dialect.parameters}@{name}", value)


@pytest.mark.fault(25)
@both
def test_redshift_against_time(run, refused):
    header(catalogue(run), Redshift=0.1)
    refused(run, catalogue(run)[0], "1 / Time - 1")


@pytest.mark.fault(26)
@pytest.mark.parametrize("values", [{"Time": 0.5, "Redshift": 1.0}, {"BoxSize": 32100.0}])
def test_snapshot_of_another_time_or_box(run, values, refused):
    header(snapshot(run), **values)
    refused(run, snapshot(run)[0], catalogue(run)[0], next(iter(values)))


@pytest.mark.fault(26)
@both
@pytest.mark.parametrize(
    ("name", "value"), [("Omega0", 0.33), ("OmegaLambda", 0.7), ("UnitVelocity_in_cm_per_s", 2e5)]
)
def test_snapshot_of_another_cosmology(run, name, value, refused, dialect):
    if "Unit" in name:
        header(snapshot(run), dialect.parameters, Hubble=0.05)
    header(snapshot(run), dialect.parameters, **{name: value})
    refused(run, f"{snapshot(run)[0]}:/{dialect.parameters}@{name}", catalogue(run)[0])


@pytest.mark.fault(26)
@both
@pytest.mark.parametrize("hydro", [True, False])
def test_snapshot_of_the_twin(make_run, tmp_path, hydro, refused, dialect):
    """A hydro snapshot beside a dark catalogue, or the reverse: same box, time and cosmology."""
    run = make_run(hydro=not hydro)
    shutil.rmtree(run / "snapdir_002")
    dialect.write(tmp_path / "twin", hydro=hydro)
    shutil.move(tmp_path / "twin/snapdir_002", run)
    refused(run, f"{snapshot(run)[0]}:/Header@MassTable[1]", catalogue(run)[0])


def test_mass_table_without_sense(run, refused):
    header(snapshot(run), MassTable=np.array([0, -1.0, 0, 0, 0, 0]))
    refused(run, f"{snapshot(run)[0]}:/Header@MassTable", "-1.0")


@pytest.mark.fault(27)
@both
@pytest.mark.parametrize(
    "form",
    [
        lambda x: np.array([x]),
        lambda x: np.bytes_(repr(x).encode()),
        lambda x: np.array([[x]]),
    ],
)
def test_scalars_as_arrays_or_bytes(run, form, dialect):
    digest = read(run).halos.digest()
    header(
        catalogue(run),
        BoxSize=form(32000.0),
        Time=form(1.0),
        **{f"{dialect.subhalos}_Total": form(462)},
        NumFiles=form(2),
    )
    header(catalogue(run), dialect.parameters, HubbleParam=form(0.6774))
    scene = read(run)
    assert scene.halos.digest() == digest
    assert scene.snapshot.box_size == 32.0


NO_LENGTH = {
    "nan": np.nan,
    "text": np.bytes_(b"large"),
    "two": np.array([1.0, 2.0]),
    "negative": -1.0,
    "none": np.empty(0),
    "null": h5py.Empty("f8"),
    "many": np.arange(5000.0),
    "tiny": 5e-324,
    "huge": 1e308,
    "zero": 0.0,
    "record": np.array((1, 2.0), dtype=[("a", "i4"), ("b", "f8")]),
    "yes": True,
    "complex": 1j,
}


@pytest.mark.fault(18)
@pytest.mark.parametrize("value", NO_LENGTH.values(), ids=NO_LENGTH)
def test_header_value_that_is_no_number(run, value, refused):
    header(catalogue(run), BoxSize=value)
    error = refused(run, catalogue(run)[0], "BoxSize")
    assert len(str(error)) < 600


def test_several_outputs_in_one_folder(make_run, tmp_path, refused, dialect):
    run = make_run()
    dialect.write(run, number=7, redshift=0.0)
    refused(run, "002, 007", code=2)
    assert read(run / "groups_007").snapshot.record["output_number"] == "007"


def test_unknown_mass_definition_and_format(run, refused):
    refused(run, "mass-definition", "200c", code=2, options=ReadOptions(mass_definition="180b"))
    refused(run, "--format", "gadget4", code=2, format="fits")
