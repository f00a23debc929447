"""Further targets and the scale factor: learnt from runs whose law is known, and judged."""

import json
from dataclasses import replace

import loop_samples
import numpy as np
import pytest
import torch
from astropy.table import Table
from scipy import stats

import mockgal
from mockgal.columns import FURTHER_TARGETS
from mockgal.errors import (
    BadValueError,
    DomainError,
    MissingDatasetError,
    MockgalWarning,
    UsageError,
)
from mockgal.painters.cnn import law as cnn_law
from mockgal.painters.cnn.architecture import MEAN_ONLY, architecture, outputs_of
from mockgal.painters.cnn.network import seeded_network
from mockgal.painters.cnn.painter import CNNPainter
from mockgal.painters.cnn.weights.header import WeightsHeader
from mockgal.painters.cnn.weights.named import Weights, read_weights
from mockgal.tasks.pairs import told_the_redshift
from mockgal.training.data.samples import TRAIN, VALIDATION, Batch, CropBatches, normalisation_of
from mockgal.training.data.targets import targets_of
from mockgal.training.evaluation.scores import NO_POWER, card, evaluate
from mockgal.training.inputs import check_samples, training_key
from mockgal.training.losses import Loss
from mockgal.training.options import TrainingOptions
from mockgal.types import HaloCatalog
from mockgal.universe import Run, make_universe
from mockgal.writers.bundle import write_bundle

RADIUS = "stellar_half_mass_radius"
BOTH = f"stellar_mass,{RADIUS}"
NET = replace(loop_samples.NET, outputs=outputs_of((RADIUS,)))
FLOOR, GRID = 2e8, 96
RUN = Run(box_size=16.0, side=64, steps=10)
quiet = pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")


def with_radius(data, *, intercept=-2.5, slope=0.4, scatter=0.1, unknown=0.0, seed=5):
    """Samples with log radii on a line in log stellar mass."""
    rng = np.random.default_rng(seed)
    value = intercept + slope * (data.log_stellar_mass - 9.0)
    value = value + rng.normal(0, scatter, len(value))
    value[rng.random(len(value)) < unknown] = np.nan
    return replace(data, further={RADIUS: value})


def header(data, shape=NET):
    return WeightsHeader(name="x", architecture=shape, **loop_samples.given(data, shape))


# ---- the loss


def made_batch(n=200, seed=1):
    rng = np.random.default_rng(seed)
    about = header(with_radius(loop_samples.samples(60)))
    luminous, known = rng.random(n) < 0.7, rng.random(n) < 0.8
    target = np.where(luminous, Loss(about).floor + 3 * rng.random(n), 0.0)
    further = np.where(known, rng.normal(size=n), np.nan)
    output = rng.normal(0, 0.5, (n, 6))
    weight = rng.random(n)
    empty = torch.zeros((n, 0))
    numbers = (torch.tensor(x).float() for x in (target, further[:, None], weight))
    target_, further_, weight_ = numbers
    batch = Batch(empty, empty, target_, torch.tensor(luminous), further_, weight_, np.arange(n))
    return about, torch.tensor(output).float(), batch


def test_the_likelihood_is_that_of_the_joint_law():
    about, output, batch = made_batch()
    total, count = Loss(about)(output, batch)
    plain = replace(about.architecture, outputs=outputs_of(()))
    alone = replace(
        about, architecture=plain, normalisation=replace(about.normalisation, further=())
    )
    mass, _ = Loss(alone)(output[:, :3], batch)
    mu, log_s, _, mean, slope, log_scatter = output.double().numpy().T
    z = (batch.target.numpy() - mu) / np.exp(log_s)
    value = batch.further[:, 0].numpy()
    known = batch.luminous.numpy() & np.isfinite(value)
    assert 0 < known.sum() < batch.luminous.sum()
    law = stats.norm(mean + slope * z, np.exp(log_scatter))
    each = -law.logpdf(np.where(known, value, 0.0))[known]
    expected = float(mass) + np.sum(batch.weight.numpy()[known] * each)
    assert float(total) == pytest.approx(expected, rel=1e-5)
    assert float(count) == pytest.approx(float(batch.weight.sum()))


def test_the_loss_is_of_the_law_that_is_drawn_from():
    # A galaxy of 10^8.25 where the floor is 10^8: t = -1.5, f = -2. Of a mean mu below the floor
    # and of one above it, (t - max(mu, f)) / s is 1 and 0.5; the radius, 1.1, is 2 and 3 sigma off.
    mu, sigmas = [-6.0, -1.75], np.array([2.0, 3.0])
    expected = sigmas**2 / 2 + np.log(0.2) + np.log(2 * np.pi) / 2
    about = header(with_radius(loop_samples.samples(60)))
    scales = replace(about.normalisation, target=(9.0, 0.5), further=((-2.0, 0.5),))
    about = replace(about, normalisation=scales)
    output = torch.tensor([[m, np.log(0.5), 0.0, 0.3, 0.4, np.log(0.2)] for m in mu])
    target, further, empty = torch.full((2,), -1.5), torch.full((2, 1), 1.1), torch.zeros((2, 0))
    batch = Batch(empty, empty, target, target < 0, further, torch.ones(2), np.arange(2))
    unknown = batch._replace(further=torch.full_like(further, np.nan))
    loss = Loss(about).each(output, batch)[0] - Loss(about).each(output, unknown)[0]
    assert loss.numpy() == pytest.approx(expected, abs=1e-4)

    rows = np.arange(2)
    made = cnn_law.law(about, 2, rows, output.numpy(), np.ones(2), rows < 0, {})
    law = made.further[RADIUS]
    density = stats.norm(law.mean(np.full(2, 8.25)), law.scatter).pdf(-2.0 + 0.5 * 1.1)
    assert -np.log(0.5 * density) == pytest.approx(expected)  # of a standardised radius


def test_what_is_not_known_has_no_say_and_no_gradient():
    about, output, batch = made_batch()
    unknown = batch._replace(further=torch.full_like(batch.further, np.nan))
    output.requires_grad_()
    Loss(about)(output, unknown)[0].backward()
    assert torch.isfinite(output.grad).all()
    assert (output.grad[:, 3:] == 0).all()
    assert (output.grad[:, :3] != 0).any()


# ---- samples


def test_batches_hold_them_standardised():
    data = with_radius(loop_samples.samples(), unknown=0.2)
    rows = np.flatnonzero(data.part == TRAIN)
    scales = normalisation_of(data, rows, NET)
    known = data.further[RADIUS][rows]
    known = known[np.isfinite(known)]
    assert scales.further == ((pytest.approx(known.mean()), pytest.approx(known.std())),)
    common = {"batch_size": 16, "symmetries": "none", "seed": 1, "shuffle": False}
    batches = CropBatches(data, rows, architecture=NET, normalisation=scales, **common)
    batch = next(batches.epoch(0))
    mean, deviation = scales.further[0]
    expected = (data.further[RADIUS][batch.rows] - mean) / deviation
    assert batch.further[:, 0].numpy() == pytest.approx(expected, abs=1e-5, nan_ok=True)
    assert np.isnan(expected).any()


def test_what_they_are_is_in_the_key():
    data, options = with_radius(loop_samples.samples()), TrainingOptions(seed=1)
    about = header(data)
    keys = {training_key(data, about, options, {})}
    moved = replace(data, further={RADIUS: data.further[RADIUS] + 1e-6})
    keys.add(training_key(moved, about, options, {}))
    assert len(keys) == 2


def test_samples_that_lack_them():
    data = loop_samples.samples()
    rows = [np.flatnonzero(data.part == part) for part in (TRAIN, VALIDATION)]
    with pytest.raises(BadValueError, match=RADIUS):
        check_samples(data, rows, header(with_radius(data)), {})
    with pytest.raises(BadValueError, match="lengths"):
        replace(data, further={RADIUS: np.zeros(3)})
    with pytest.raises(UsageError, match=RADIUS):
        normalisation_of(with_radius(data, unknown=1.0), rows[0], NET)


# ---- scores


def known_weights(data, *, intercept=-2.5, slope=0.4, scatter=0.1):
    """Weights that give one law, whatever the subhalo: the target is (9, 0.5), the radius (-2, 1).

    Stellar mass has a scatter of 0.3 dex.
    """
    about = loop_samples.given(data, NET)
    about["normalisation"] = replace(
        about["normalisation"], target=(9.0, 0.5), further=((-2.0, 1.0),)
    )
    state = seeded_network(NET, 1).state_dict()
    state["output.weight"][:] = 0.0
    numbers = [0.0, np.log(0.6), 0.0, intercept + 2.0, 0.3 * slope, np.log(scatter)]
    state["output.bias"][:] = torch.tensor(numbers)
    return Weights(name="known", architecture=NET, state=state, **about)


def truth(number=3000, **law):
    data = loop_samples.samples(number)
    rng = np.random.default_rng(3)
    mass = rng.normal(9.0, 0.3, number)
    data = replace(data, log_stellar_mass=np.where(rng.random(number) < 0.5, mass, np.nan))
    return with_radius(data, **law)


@pytest.mark.slow
def test_of_the_true_law_all_is_well():
    data = truth(unknown=0.1)
    found = evaluate(known_weights(data), data, seed=1, part=VALIDATION)
    json.dumps(found, allow_nan=False)
    scores = found["further"][RADIUS]
    whole, test = scores["residuals"][0], scores["pit"]
    assert whole["subhalos"] == test["subhalos"] < found["luminous_subhalos"]
    assert whole["scatter"] == pytest.approx(0.1, rel=0.1)
    assert abs(whole["bias"]["value"]) < 4 * whole["bias"]["error"]
    assert test["p_value"] > 1e-3
    assert f"## {RADIUS}: log10 of true over predicted" in card(found)
    assert f"{RADIUS}: outside" not in card(found)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"intercept": -2.8}, f"the mean {RADIUS} at a given stellar mass"),
        ({"slope": -0.4}, f"the distribution of {RADIUS}"),
        ({"scatter": 0.3}, f"the distribution of {RADIUS}"),
    ],
)
@pytest.mark.slow_but("wrong0")
def test_a_wrong_law_is_seen(wrong, what):
    data = truth()
    found = evaluate(known_weights(data, **wrong), data, seed=1, part=VALIDATION)
    assert f"{what}: outside the bar" in card(found)


@pytest.mark.slow
def test_one_that_is_known_nowhere_claims_nothing():
    data = truth()
    weights = known_weights(data)
    data = replace(data, further={RADIUS: np.full(len(data), np.nan)})
    found = evaluate(weights, data, seed=1, part=VALIDATION)
    assert found["further"][RADIUS] == {"residuals": None, "pit": None}
    assert f"the mean {RADIUS} at a given stellar mass: {NO_POWER} in 1 of 1" in card(found)


# ---- runs


def sized(run, redshift, *, name=None, zeros=0, seed=8):
    """A hydrodynamic run with radii, and its redshift; 1 dex more at redshift 0 than at 1."""
    halos, rng = run.halos, np.random.default_rng(seed)
    mass = halos["stellar_mass"]
    log_mass = np.log10(np.where(mass > 0, mass, 1.0))
    value = -2.3 + 0.4 * (log_mass - 9) + 2.0 * (1 / (1 + redshift) - 1)
    radius = np.where(mass > 0, 10.0 ** (value + rng.normal(0, 0.1, len(mass))), 0.0)
    radius[np.flatnonzero(mass > FLOOR)[:zeros]] = 0.0
    return at(
        replace(run, halos=HaloCatalog({**halos.columns, RADIUS: radius}, halos.mass_definition)),
        redshift,
        name,
    )


def at(run, redshift, name=None):
    snapshot = replace(run.snapshot, redshift=redshift, name=name or run.snapshot.name)
    return replace(run, snapshot=snapshot)


@pytest.fixture(scope="module")
def universes():
    return [make_universe(seed, run=RUN) for seed in (5, 6)]


def train(dark, hydro, out, shape=loop_samples.NET, **changes):
    given = {"seed": 3, "preset": shape, "grid_size": GRID, "luminosity_floor": FLOOR}
    given |= {"training": {"epochs": 2, "batch_size": 8}, "target": BOTH}
    return mockgal.train(dark, hydro, out, **given | changes)


@quiet
@pytest.mark.slow
def test_a_law_of_mass_and_redshift_is_learnt(universes, tmp_path):
    redshifts = (0.0, 1.0)
    darks = [
        at(made.dark, z, f"dark {k}")
        for k, (made, z) in enumerate(zip(universes, redshifts, strict=True))
    ]
    hydros = [
        sized(made.hydro, z, name=f"hydro {k}", zeros=3)
        for k, (made, z) in enumerate(zip(universes, redshifts, strict=True))
    ]
    shape = replace(loop_samples.NET, hidden=32)
    training = {"epochs": 14, "batch_size": 8, "learning_rate": 0.02}
    weights = train(darks, hydros, tmp_path / "w.safetensors", shape, training=training)
    assert read_weights(tmp_path / "w.safetensors").digest() == weights.digest()
    assert weights.architecture.features == ("log_mass", "scale_factor")
    assert weights.domain.redshift == redshifts
    boxes = weights.provenance["training"]["samples"]["boxes"]
    assert [box[f"luminous_without_{RADIUS}"] for box in boxes] == [3, 3]
    scores = weights.provenance["scores"]["further"][RADIUS]
    assert scores["residuals"][0]["subhalos"] == scores["pit"]["subhalos"] > 0
    assert mockgal.evaluate(weights, darks, hydros)["further"][RADIUS] == scores

    found = []
    for redshift in (0.0, 0.5, 1.0):
        painter = CNNPainter(weights, device="cpu")
        law = painter.predict(at(darks[0], redshift)).further[RADIUS]
        seen = darks[0].halos["mass"] >= weights.domain.least_subhalo_mass
        found.append(law.take(seen))
    low, between, high = (np.median(law.mean(np.full(len(law.slope), 9.5))) for law in found)
    assert low - high == pytest.approx(1.0, abs=0.25)
    assert high < between < low
    for law in (found[0], found[2]):
        assert np.median(law.slope) == pytest.approx(0.4, abs=0.3)
        assert 0.06 < np.median(law.scatter) < 0.2


@pytest.mark.slow
def test_who_is_told_the_redshift(universes):
    made = universes[0]
    one, other = ([(at(made.hydro, z), at(made.dark, z))] for z in (0.0, 1.0))
    net = loop_samples.NET
    assert told_the_redshift(net, one + one) is net
    told = told_the_redshift(net, one + other)
    assert told.features == ("log_mass", "scale_factor")
    assert told_the_redshift(told, one + other) is told
    paper = architecture("paper", width=1)
    with pytest.warns(MockgalWarning, match="not told"):
        assert told_the_redshift(paper, one + other) is paper


@quiet
@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"target": "stellar_mass,colour"}, UsageError, RADIUS),
        ({"target": RADIUS}, UsageError, "stellar_mass, and after it"),
        ({"target": f"{BOTH},{RADIUS}"}, UsageError, "each once"),
        ({"target": f"voxel,{RADIUS}"}, UsageError, "voxel, or"),
        ({"target": BOTH}, MissingDatasetError, f"no {RADIUS}.* it has .*stellar_mass"),
        ({"preset": "paper"}, UsageError, "gives mean"),
        ({"preset": replace(loop_samples.NET, outputs=MEAN_ONLY)}, UsageError, "a distribution"),
        ({"preset": NET, "target": "stellar_mass"}, UsageError, "targets of the network"),
        ({"preset": NET, "target": "voxel"}, UsageError, "targets of the network"),
    ],
)
def test_what_is_refused(universes, tmp_path, changes, error, said):
    made = universes[0]
    with pytest.raises(error, match=said):
        train(made.dark, made.hydro, tmp_path / "w.safetensors", **changes)
    assert not list(tmp_path.glob("*.safetensors"))


def test_names_of_targets():
    assert targets_of("stellar_mass") == ("subhalo", ())
    assert targets_of(f"stellar_mass, vmax,{RADIUS}") == ("subhalo", ("vmax", RADIUS))
    assert targets_of("voxel") == ("voxel", ())


@pytest.mark.slow
def test_the_command(mockgal_command, universes, tmp_path):
    made = universes[0]
    write_bundle(made.dark, tmp_path / "dark.hdf5")
    write_bundle(sized(made.hydro, 0.0), tmp_path / "hydro.hdf5")
    about = ("--preset", "demo", "--width", 1, "--grid", 128, "--luminosity-floor", "2e8 Msun/h")
    result = mockgal_command(
        *("train", "--dark", "dark.hdf5", "--hydro", "hydro.hdf5", "--out", "w.safetensors"),
        *(*about, "--epochs", 1, "--target", f"{BOTH},vmax,mass"),
        OMP_NUM_THREADS="1",
    )
    assert result.returncode == 0, result.stderr
    assert f"predicted   stellar_mass, {RADIUS}, vmax, mass" in result.stdout
    shown = mockgal_command("weights", "show", "w.safetensors").stdout
    assert f"{RADIUS}: log10 of the subhalo's value [Mpc/h]" in shown
    assert f"## {RADIUS}" in (tmp_path / "w.safetensors.card.md").read_text()
    painted = mockgal_command(
        *("build", "--sim", "dark.hdf5", "--painter", "cnn", "--weights", "w.safetensors"),
        *("--out", "mock.fits", "--cut", f"{RADIUS} > 0 kpc"),
    )
    assert painted.returncode == 0, painted.stderr
    table = Table.read(tmp_path / "mock.fits", hdu=1)
    assert len(table)
    assert (str(table[RADIUS].unit), str(table["hydro_vmax"].unit)) == ("Mpc", "km / s")
    assert set(targets_of(f"{BOTH},vmax,mass")[1]) == set(FURTHER_TARGETS)
    assert {column.name for column in FURTHER_TARGETS.values()} <= set(table.colnames)
    ratio = np.log10(table["hydro_subhalo_mass"] / table["subhalo_mass"])
    assert abs(np.median(ratio)) < 0.5
    galaxies = mockgal.read_galaxies(tmp_path / "mock.fits")
    h = galaxies.snapshot.cosmology.h
    assert np.allclose(galaxies[RADIUS] / h, table[RADIUS], rtol=1e-6)


@pytest.mark.slow
def test_redshifts_that_are_only_held_out(universes, tmp_path):
    made = [*universes, make_universe(7, run=RUN)]
    dark, hydro = (
        [at(getattr(m, kind), min(k, 1), f"{kind} {k}") for k, m in enumerate(made)]
        for kind in ("dark", "hydro")
    )
    with pytest.raises(DomainError, match=r"0 to 1, .* at 0"):
        train(dark, hydro, tmp_path / "w.safetensors", target="stellar_mass")
