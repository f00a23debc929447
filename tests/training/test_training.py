"""`mockgal.train` and `mockgal.evaluate` on a made-up pair of runs in memory."""

import hashlib
import os
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace

import h5py
import loop_samples
import numpy as np
import pytest
import torch

import mockgal
from mockgal.calibration.runs import describe_run
from mockgal.errors import (
    BadValueError,
    DomainError,
    HeaderError,
    InputError,
    MissingDatasetError,
    MockgalWarning,
    OutputError,
    ResourceError,
    UsageError,
)
from mockgal.painters.cnn.architecture import MEAN_ONLY
from mockgal.painters.cnn.weights.named import read_weights
from mockgal.tasks import train as training
from mockgal.tasks.evaluate import card_of
from mockgal.tasks.pairs import Pair, chosen_scheme, chosen_voxel_size, fields_key, read_pairs
from mockgal.training import folder as folder_module
from mockgal.training import loop
from mockgal.training.data import volumes
from mockgal.training.data.field_files import Place
from mockgal.training.folder import places
from mockgal.training.request import SAMPLING
from mockgal.types import HaloCatalog, SourceFile
from mockgal.universe import Run, make_universe
from mockgal.writers.bundle import write_bundle

FLOOR = 2e8
RUN, SMALL = Run(box_size=16.0, side=64, steps=10), Run(box_size=12.0, side=48, steps=10)
GRID = 96
pytestmark = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


@pytest.fixture(scope="module")
def pair():
    made = make_universe(5, run=RUN)
    return made.dark, made.hydro


def train(pair, out, shape=loop_samples.NET, **changes):
    given = {"seed": 3, "preset": shape, "grid_size": GRID, "luminosity_floor": FLOOR}
    given |= {"training": {"epochs": 2, "batch_size": 8}}
    return mockgal.train(*pair, out, **given | changes)


@pytest.fixture(scope="module")
def trained(pair, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "w.safetensors"
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    weights = train(pair, out, provenance={"summary": "made up", "caution": "a test"})
    torch.set_num_threads(before)
    return weights, out


def test_the_weights_say_what_they_are_from(pair, trained):
    weights, out = trained
    assert read_weights(out).digest() == weights.digest()
    endings = ("", ".card.md", ".split.png", ".training")
    assert {p.name for p in out.parent.iterdir()} == {out.name + ending for ending in endings}
    assert out.with_name(out.name + ".split.png").read_bytes().startswith(b"\x89PNG")
    dark, hydro = pair
    p, domain = weights.provenance, weights.domain
    (record,) = p["training_data"]["pairs"]
    assert record["dark"]["halo_digest"] == dark.halos.digest()
    assert record["twins"]["phases"]["conclusion"]
    matching = record["matching"]
    assert matching["luminous_hydro"] == np.sum(hydro.halos["stellar_mass"] >= FLOOR)
    assert matching["luminous_hydro_unmatched"] == 0
    assert p["training_data"]["sampling"] == SAMPLING["input"]
    assert p["training"]["samples"]["split"]["kind"] == "cubes"
    assert {"residuals", "power", "pit", "mass"} <= set(p["scores"])
    least = 31.5 * dark.snapshot.particle_mass
    assert domain.least_subhalo_mass == pytest.approx(least)
    mass = np.log10(dark.halos["mass"])
    assert np.log10(least) <= domain.log_mass[0] < domain.log_mass[1] <= mass.max()
    assert (domain.voxel_size, domain.redshift) == (16.0 / GRID, (0.0, 0.0))
    assert domain.luminosity_floor == FLOOR


def test_the_card_is_repeated(pair, trained):
    weights, out = trained
    scores = mockgal.evaluate(out, *pair)
    card = out.with_name(out.name + ".card.md").read_text()
    assert card_of(weights, scores) == card
    for text in ("made up", "a test", "held-out part", "by position", weights.digest()[:16]):
        assert text in card
    assert scores["subhalos"] == weights.provenance["scores"]["subhalos"]


@pytest.mark.slow
def test_the_pair_is_matched_as_it_was(pair, tmp_path, monkeypatch):
    weights = train(pair, tmp_path / "w.safetensors", match="position")
    monkeypatch.setattr("mockgal.tasks.evaluate._method", lambda *_: "ids")
    with pytest.raises(InputError):  # there are none in this pair
        mockgal.evaluate(weights, *pair)
    monkeypatch.undo()
    assert mockgal.evaluate(weights, *pair)["runs"][0]["matched_by"] == "position and mass"


@pytest.mark.slow
def test_whatever_the_order_of_rows(pair, trained, tmp_path):
    rng = np.random.default_rng(1)
    mixed = [replace(run, halos=run.halos.take(rng.permutation(len(run.halos)))) for run in pair]
    about = {"summary": "made up", "caution": "a test"}
    again = train(mixed, tmp_path / "w.safetensors", provenance=about)
    assert again.digest() == trained[0].digest()


@pytest.fixture(scope="module")
def files(pair, tmp_path_factory):
    """The pair as bundles, the gravity-only run without particles, and its matter on a grid."""
    folder = tmp_path_factory.mktemp("files")
    names = ("whole", "dark", "hydro", "matter")
    paths = {name: folder / f"{name}.hdf5" for name in names}
    write_bundle(pair[0], paths["whole"])
    write_bundle(replace(pair[0], particles=None), paths["dark"])
    write_bundle(pair[1], paths["hydro"])
    mockgal.field(paths["whole"], paths["matter"], grid_size=GRID)
    return paths


@pytest.mark.fault(85)
@pytest.mark.slow
def test_fields_are_made_once(files, tmp_path, monkeypatch):
    """Those of a training that was stopped are taken; not those of a file that has changed."""
    dark = tmp_path / "dark.hdf5"
    shutil.copy(files["whole"], dark)
    runs, out = (dark, files["hydro"]), tmp_path / "w.safetensors"
    expected = train(runs, tmp_path / "first.safetensors", name="w")
    made, real = [], volumes.mass_channels
    monkeypatch.setattr(volumes, "mass_channels", lambda *a, **k: made.append(a) or real(*a, **k))

    def stopped(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(loop, "train", stopped)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                train(runs, out)
        assert len(made) == 1
        os.utime(dark, ns=(0, 0))
        with pytest.raises(KeyboardInterrupt):
            train(runs, out)
        with pytest.raises(KeyboardInterrupt):
            train(runs, out, least_particles=40)
    folder = tmp_path / "w.safetensors.training"
    assert len(made) == 3
    assert len(list(folder.iterdir())) == 3  # a mistaken command costs nothing
    weights = train(runs, out)
    assert len(made) == 3
    assert weights.digest() == expected.digest()
    assert not list(folder.glob("*fields*"))


def test_other_processes_take_the_fields_of_the_first(tmp_path, monkeypatch):
    assert places(tmp_path, ["ab", None], [4, 4]) == [Place(tmp_path, "ab"), Place(tmp_path)]
    Place(tmp_path, "cd").path.write_bytes(b"")
    monkeypatch.setattr(folder_module, "is_first_process", lambda: False)
    found = places(tmp_path, ["ab", "cd"], [4, 4])
    assert found == [Place(tmp_path), Place(tmp_path, "cd")]


def test_room_for_all_fields_is_asked_for_before_the_first_is_made(tmp_path, monkeypatch):
    free = (2 << 20) + 8 * 100**3
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    places(tmp_path, ["ab"], [100])
    with pytest.raises(ResourceError, match="bytes free"):
        places(tmp_path, ["ab", "cd"], [100, 100])
    Place(tmp_path, "cd").path.write_bytes(b"")  # that one is there
    places(tmp_path, ["ab", "cd"], [100, 100])


def test_what_fields_depend_on(files):
    """A change of each gives another key; the file alone would not tell of most."""
    ((_, dark),) = read_pairs([files["whole"]], [files["hydro"]], {})
    domain = {"voxel_size": 0.5, "least_subhalo_mass": 1e9}
    domain |= {"assignment": "CIC", "origin": "corner"}
    pair = Pair(dark, dark, None, {"dark": describe_run(dark)})
    key = fields_key(pair, domain, {})
    assert key == fields_key(pair, dict(reversed(domain.items())), {})
    others = [
        fields_key(pair, domain | change, {})
        for change in (
            {"voxel_size": 0.25},
            {"least_subhalo_mass": 2e9},
            {"assignment": "TSC"},
            {"origin": "centre"},
        )
    ]
    others += [
        fields_key(pair, domain, options)
        for options in ({"drop_bad": True}, {"centred_origin": True}, {"h": 0.7}, {"h": np.e})
    ]
    for change in ({"particle_mass": 1e9}, {"redshift": 0.5}, {"box_size": 17.0}):
        other = replace(dark, snapshot=replace(dark.snapshot, **change))
        others.append(fields_key(replace(pair, dark=other), domain, {}))
    others.append(fields_key(replace(pair, record={"dark": {"halo_digest": "other"}}), domain, {}))
    fields_key(pair, domain, {"chunk_rows": np.int64(1), "drop_bad": np.bool_(True)})
    assert len({key, *others}) == len(others) + 1
    gone = replace(dark.snapshot, source=(SourceFile("nowhere", 1, ""),))
    assert fields_key(replace(pair, dark=replace(dark, snapshot=gone)), domain, {}) is None


def test_the_folder_is_one_trainings(tmp_path, pair, monkeypatch):
    out, folder = tmp_path / "w.safetensors", tmp_path / "w.safetensors.training"
    folder.mkdir()
    taken = folder / ".training.lock"
    monkeypatch.setattr(training, "read_pairs", None)  # runs are not looked at
    command = [sys.executable, "-c", HOLD, str(folder / "training")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(OutputError, match="is writing it"):
            train(pair, out)
        other.kill()
    assert taken.exists()


HOLD = """
import sys, time
from pathlib import Path
from mockgal.system.files.lock import output_lock
with output_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(100)
"""


@pytest.mark.slow
def test_fields_that_another_run_writes_do_not_fail_a_training_that_is_done(
    files, tmp_path, monkeypatch
):
    out, folder = tmp_path / "w.safetensors", tmp_path / "w.safetensors.training"
    plain = loop.train

    def meanwhile(*args, **about):
        (folder / ".fields-beef.safetensors.lock").mkdir()  # which cannot be taken
        return plain(*args, **about)

    monkeypatch.setattr(loop, "train", meanwhile)
    train((files["whole"], files["hydro"]), out)
    assert out.exists()
    assert not list(folder.glob("fields*"))


@pytest.mark.slow
def test_a_density_grid_is_as_good_as_the_particles(files, tmp_path):
    with_particles = train((files["whole"], files["hydro"]), tmp_path / "p.safetensors")
    runs = files["dark"], files["hydro"]
    given = {"matter": files["matter"], "grid_size": None}
    weights = train(runs, tmp_path / "w.safetensors", **given)
    assert weights.state.keys() == with_particles.state.keys()
    for name, values in with_particles.state.items():
        assert torch.equal(weights.state[name], values), name
    data = weights.provenance["training_data"]
    assert "density grid" in data["voxel_size"]
    dark = data["pairs"][0]["dark"]
    digest = hashlib.sha256(files["matter"].read_bytes()).hexdigest()
    assert ("matter.hdf5", digest) in {(file["name"], file["sha256"]) for file in dark["files"]}
    assert dark["reading"]["matter"]["sha256"] == digest
    scores = mockgal.evaluate(weights, *runs, matter=[files["matter"]])
    assert scores["residuals"] == with_particles.provenance["scores"]["residuals"]
    with pytest.raises(MissingDatasetError, match="no matter"):
        mockgal.evaluate(weights, *runs)


@pytest.mark.slow
def test_the_network_takes_the_scheme_of_the_grid(pair, files, tmp_path):
    matter = tmp_path / "matter.hdf5"
    mockgal.field(files["whole"], matter, grid_size=GRID, assignment="TSC")
    with h5py.File(matter, "r+") as file:
        file["density"].attrs["origin"] = b"centre"
    dark = mockgal.read(files["dark"], matter=matter)
    assert chosen_voxel_size(dark, None, None)[0] == 16.0 / GRID
    assert chosen_scheme(dark, 0.1) == {"assignment": "CIC", "origin": "corner"}
    weights = train((dark, pair[1]), tmp_path / "w.safetensors", grid_size=None)
    assert (weights.domain.assignment, weights.domain.origin) == ("TSC", "centre")


@pytest.mark.parametrize(
    ("matter", "said"),
    [(["a", "b"], "1 gravity-only runs and matter of 2"), (["a"], "option matter for a run")],
)
def test_matter_that_is_refused(pair, tmp_path, matter, said):
    with pytest.raises(UsageError, match=said):
        train(pair, tmp_path / "w.safetensors", matter=matter)


def test_without_particles_their_mass_must_be_known(pair, files, tmp_path):
    sim = mockgal.read(files["dark"], matter=files["matter"])
    sim = replace(sim, snapshot=replace(sim.snapshot, particle_mass=None))
    with pytest.raises(MissingDatasetError, match="no particle mass"):
        train((sim, pair[1]), tmp_path / "w.safetensors")


@pytest.mark.slow
def test_all_of_a_pair_that_was_not_trained_on(pair, trained):
    other = make_universe(2, run=SMALL)
    weights, _ = trained
    with warnings.catch_warnings():
        warnings.simplefilter("error", MockgalWarning)
        scores = mockgal.evaluate(weights, other.dark, other.hydro)
    same = replace(other.dark, snapshot=replace(other.dark.snapshot, name=pair[0].snapshot.name))
    with pytest.warns(MockgalWarning, match="used in training"):
        assert mockgal.evaluate(weights, same, other.hydro)["mass"] == scores["mass"]
    light = other.dark.halos.columns | {"mass": np.minimum(other.dark.halos["mass"], 1e9)}
    light = replace(other.dark, halos=replace(other.dark.halos, columns=light))
    with pytest.raises((BadValueError, DomainError)) as caught:
        mockgal.evaluate(weights, light, other.hydro)
    assert "used in training, or" not in str(caught.value)
    above = other.dark.halos["mass"] >= weights.domain.least_subhalo_mass
    assert scores["subhalos"] == np.sum(above)
    assert scores["runs"][0]["trained_on"] is False
    assert "not trained on" in card_of(weights, scores)


@pytest.mark.slow
def test_a_pair_that_was_trained_on_must_be_read_as_then(pair, tmp_path):
    from mockgal.types import SourceFile

    files = (SourceFile("halos.hdf5", 1, "ab" * 32),)
    dark, hydro = pair
    dark = replace(dark, snapshot=replace(dark.snapshot, source=files))
    weights = train((dark, hydro), tmp_path / "w.safetensors")
    mass = dark.halos["mass"] * 1.01
    other = HaloCatalog({**dark.halos.columns, "mass": mass}, dark.halos.mass_definition)
    with pytest.raises(DomainError, match="read in another way"):
        mockgal.evaluate(weights, replace(dark, halos=other), hydro)


@pytest.mark.parametrize(
    "change",
    [
        {"training": None},
        {"training": {}},
        {"training_data": {"pairs": [{}]}},
        {"training_data": {"pairs": "none"}},
        {"training_data": {"pairs": []}},
    ],
)
def test_a_provenance_that_was_made_up(pair, trained, change):
    weights, _ = trained
    other = replace(weights, provenance={**weights.provenance, **change})
    with pytest.raises(BadValueError, match="provenance"):
        mockgal.evaluate(other, *pair)


def test_weights_that_say_nothing_of_their_training(pair, trained):
    weights, _ = trained
    other = replace(weights, provenance={"summary": "from elsewhere"})
    with pytest.raises(UsageError, match="seed"):
        mockgal.evaluate(other, *pair)
    scores = mockgal.evaluate(other, *pair, seed=1)
    assert not scores["runs"][0]["trained_on"]
    assert "from elsewhere" in card_of(other, scores)


def test_runs_that_weights_are_not_for(pair, trained):
    dark, hydro = (replace(run, snapshot=replace(run.snapshot, redshift=0.5)) for run in pair)
    with pytest.raises(DomainError, match="redshift"):
        mockgal.evaluate(trained[0], dark, hydro)


@pytest.mark.slow
def test_as_the_paper(pair, tmp_path):
    shape = replace(loop_samples.NET, outputs=MEAN_ONLY, features=())
    weights = train(pair, tmp_path / "w.safetensors", shape, target="voxel")
    data, rows = (weights.provenance[key] for key in ("training_data", "training"))
    assert data["sampling"] == SAMPLING["target"]
    assert data["not_luminous_and_not_trained_on"] > 0
    (box,) = rows["samples"]["boxes"]
    assert rows["rows"]["training"] == box["luminous"]["train"]
    assert (
        rows["rows"]["training"] + data["not_luminous_and_not_trained_on"]
        == (box["targets"]["train"])
    )
    assert weights.provenance["scores"]["pit"] is None


@pytest.mark.slow
def test_a_corrected_loss(pair, tmp_path):
    """Subhalos as often at all stellar masses, for a network that gives a distribution."""
    shown = {}
    for how in ("corrected", "natural"):
        weights = train(pair, tmp_path / f"{how}.safetensors", sampling=how)
        shown[how] = weights.provenance["training"]["sampling"]
        assert weights.provenance["training_data"]["sampling"] == SAMPLING[how]
    assert shown == {"corrected": ["weights", "loss_weights"], "natural": []}
    mean_only = replace(loop_samples.NET, outputs=MEAN_ONLY)
    with pytest.raises(UsageError, match=r"corrected, .*mean"):
        train(pair, tmp_path / "w.safetensors", mean_only, sampling="corrected")


@pytest.mark.slow
def test_several_pairs_with_the_last_held_out(pair, tmp_path):
    pairs = [pair, *(make_universe(seed, run=SMALL)[:2] for seed in (2, 3))]
    darks, hydros = ([p[i] for p in pairs] for i in (0, 1))
    weights = train((darks, hydros), tmp_path / "w.safetensors", sampling="natural")
    training = weights.provenance["training"]
    assert training["samples"]["split"]["kind"] == "box"
    boxes = training["samples"]["boxes"]
    assert [max(b["targets"], key=b["targets"].get) for b in boxes] == [
        "train", "validation", "test",
    ]  # fmt: skip
    assert training["sampling"] == []
    scores = mockgal.evaluate(weights, *pairs[2])
    assert scores["residuals"] == weights.provenance["scores"]["residuals"]
    text = (tmp_path / "w.safetensors.card.md").read_text()
    assert card_of(weights, scores) == text  # the pair that is held out, alone
    assert card_of(weights, mockgal.evaluate(weights, darks, hydros)) == text
    for number in (0, 1):
        with pytest.raises(DomainError, match="used in training, or"):
            mockgal.evaluate(weights, *pairs[number])


@pytest.mark.slow
def test_one_cosmology_for_all(pair, tmp_path):
    def of(run, **changes):
        cosmology = replace(run.snapshot.cosmology, **changes)
        snapshot = replace(run.snapshot, name=run.snapshot.name + "'", cosmology=cosmology)
        return replace(run, snapshot=snapshot)

    cosmology = pair[0].snapshot.cosmology
    for changes in ({"sigma_8": 0.6}, {"n_s": 0.8}, {"omega_m": 1.1 * cosmology.omega_m}):
        (name,) = changes
        others = [of(run, **changes) for run in pair]
        with pytest.raises(DomainError, match=f"{name} .* and "):
            train(([pair[0], others[0]], [pair[1], others[1]]), tmp_path / "w.safetensors")
    weights = train(pair, tmp_path / "w.safetensors")
    for changes in ({"sigma_8": 0.6}, {"n_s": 0.8}):
        (name,) = changes
        with pytest.raises(DomainError, match=f"{name} "):
            mockgal.evaluate(weights, *[of(run, **changes) for run in pair])
    unknown = [of(run, sigma_8=None, omega_b=0.0) for run in pair]
    assert mockgal.evaluate(weights, *unknown)["subhalos"]


def test_galaxies_that_are_missing_are_counted(pair, tmp_path):
    dark, hydro = pair
    weights = train(pair, tmp_path / "w.safetensors", least_particles=150)
    (record,) = weights.provenance["training_data"]["pairs"]
    stars = hydro.halos["stellar_mass"]
    luminous = stars >= FLOOR
    least = 149.5 * dark.snapshot.particle_mass
    small = luminous & (hydro.halos["mass"] < least)  # of the same haloes, here
    found = record["matching"]
    assert found["luminous_hydro_unresolved"] == np.sum(small) > 10
    share = stars[small].sum() / stars[luminous].sum()
    assert found["stellar_mass_share_unresolved"] == pytest.approx(share)
    said = f"and {np.sum(small)} ({share:.1%}) with one that is not resolved: these are missing"
    assert said in (tmp_path / "w.safetensors.card.md").read_text()


@pytest.mark.slow
def test_a_box_under_another_name_is_known_by_its_matter(pair, tmp_path):
    """Two snapshots of a format whose names tell them apart."""
    later = [
        replace(run, snapshot=replace(run.snapshot, name=f"{run.snapshot.name} later"))
        for run in pair
    ]
    runs = [pair[0], later[0]], [pair[1], later[1]]
    weights = train(runs, tmp_path / "w.safetensors")
    samples = weights.provenance["training"]["samples"]
    assert samples["universes"] == [0, 0]
    assert samples["boxes_compared"][0]["correlation"] == pytest.approx(1.0)
    assert "Errors are as of 50%" in (tmp_path / "w.safetensors.card.md").read_text()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"search": 0}, "trials"),
        ({"least_particles": 0}, "whole number"),
        ({"sampling": "odd"}, "natural"),
        ({"split": {"shift": 1}}, "kind"),
        ({"training": {"precision": "tf32", "accelerator": "cpu"}}, "tf32"),
        ({"training": {"strategy": "foo"}}, "foo"),
    ],
)
def test_options_are_looked_at_before_runs(tmp_path, changes, said):
    with pytest.raises(UsageError, match=said):
        train(("nowhere", "nowhere"), tmp_path / "w.safetensors", **changes)


@pytest.mark.slow
def test_a_search_goes_on(pair, tmp_path):
    out = tmp_path / "w.safetensors"
    weights = train(pair, out, search=2, training={"epochs": 1, "batch_size": 8})
    assert len(weights.provenance["search"]) == 2
    again = train(pair, out, search=2, training={"epochs": 1, "batch_size": 8}, overwrite=True)
    assert again.digest() == weights.digest()


@pytest.mark.fault(83)
@pytest.mark.parametrize("change", [{"box_size": 16.5}, {"redshift": 0.5}], ids=["box", "redshift"])
def test_runs_that_are_no_twins(pair, tmp_path, exit_code, change):
    dark, hydro = pair
    hydro = replace(hydro, snapshot=replace(hydro.snapshot, **change))
    with pytest.raises(HeaderError) as caught:
        train((dark, hydro), tmp_path / "w.safetensors")
    assert caught.value.exit_code == exit_code
    assert not list(tmp_path.iterdir())


@pytest.mark.fault(84)
def test_regions_that_overlap(pair, tmp_path, exit_code):
    with pytest.raises(DomainError, match="half a crop") as caught:
        train(pair, tmp_path / "w.safetensors", split={"kind": "cubes", "side": 0.45})
    assert caught.value.exit_code == exit_code
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"preset": "large"}, UsageError, "demo"),
        ({"target": "colour"}, UsageError, "voxel"),
        ({"sampling": "target"}, UsageError, "distribution"),
        ({"sampling": "odd"}, UsageError, "natural"),
        ({"voxel_size": 0.1}, UsageError, "one of them"),
        ({"grid_size": None, "voxel_size": "0.1"}, UsageError, "unit"),
        ({"grid_size": 0}, UsageError, "whole number"),
        ({"least_particles": 0}, UsageError, "whole number"),
        ({"luminosity_floor": None}, MissingDatasetError, "--luminosity-floor"),
        ({"luminosity_floor": 1e20}, UsageError, "luminous"),
        ({"luminosity_floor": "-1e9 Msun/h"}, UsageError, "a mass of 0 or more"),
        ({"training": {"epoch": 1}}, UsageError, "epochs"),
        ({"training": {"epochs": 0}}, UsageError, "epochs"),
        ({"split": {"shift": 1}}, UsageError, "kind"),
        ({"match": "names"}, UsageError, "ids"),
        ({"search": 0}, UsageError, "trials"),
        ({"omega": 1}, UsageError, "omega_m"),
        ({"omega_m": 0.3}, UsageError, "already read"),
    ],
)
def test_what_is_refused(pair, tmp_path, changes, error, said):
    with pytest.raises(error, match=said):
        train(pair, tmp_path / "w.safetensors", **changes)
    assert not list(tmp_path.glob("*.safetensors"))


def test_outputs_are_looked_at_first(tmp_path):
    nowhere = "nowhere", "nowhere"
    with pytest.raises(UsageError, match=r"\.safetensors"):
        train(nowhere, tmp_path / "w.pt")
    for name in ("w.safetensors", "w.safetensors.card.md", "w.safetensors.split.png"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(UsageError, match="overwrite"):
            train(nowhere, tmp_path / "w.safetensors")
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()


@pytest.mark.parametrize(
    ("module", "changes"), [("lightning.fabric", {}), ("optuna", {"search": 2})]
)
def test_without_the_extra_it_says_so_first(tmp_path, monkeypatch, module, changes):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=r"mockgal\[train\]"):
        train(("nowhere", "nowhere"), tmp_path / "w.safetensors", **changes)


def test_the_grid_of_the_paper_for_its_run(pair):
    dark = pair[0]
    particles = replace(dark.particles, count=1820**3)
    size, why = chosen_voxel_size(
        replace(dark, particles=particles, snapshot=replace(dark.snapshot, box_size=75.0)),
        None,
        None,
    )
    assert size == 75.0 / 2048
    assert "1820 particles" in why
    h = dark.snapshot.cosmology.h
    assert chosen_voxel_size(dark, "0.1 Mpc", None)[0] == pytest.approx(0.1 * h)
