"""The network's painter on a small box: against plain crops, and its promises."""

import math
from dataclasses import replace

import cnn_samples as samples
import numpy as np
import pytest
import torch
from cnn_samples import BOX_SIZE, GRID, PAPER_LIKE, SMALL, sample_weights, scene
from scipy import stats

from mockgal.errors import (
    BadValueError,
    DomainError,
    InternalError,
    MissingDatasetError,
    MockgalWarning,
    ResourceError,
    UsageError,
)
from mockgal.fields.assign import deposit
from mockgal.laws.distribution import inverse_cdf
from mockgal.painters.cnn.evaluation import tiles as cnn_module
from mockgal.painters.cnn.inputs import channels, grid_of
from mockgal.painters.cnn.painter import CNNPainter
from mockgal.painters.cnn.symmetries import Symmetry
from mockgal.painters.draw import paint_scene
from mockgal.system import progress
from mockgal.testing.contracts import painter_contract, shifted_scene
from mockgal.types import DensityField, HaloCatalog


def naive(sim, weights):
    """Standardised outputs for each subhalo, from whole grids and plain crops."""
    halos, shape = sim.halos, weights.architecture
    normalisation, side = weights.normalisation, shape.crop_size
    place = samples.positions()[0]
    grids = [samples.matter(place)]
    kwargs = {"grid_size": GRID, "box_size": BOX_SIZE}
    grids.append(deposit(halos["position"], halos["mass"], **kwargs))
    fields = [
        (np.log10(1 + grid) - mean) / deviation
        for grid, (mean, deviation) in zip(
            grids, (normalisation.matter, normalisation.subhalos), strict=True
        )
    ]
    voxel = np.floor(halos["position"] * (GRID / BOX_SIZE)).astype(int)
    crops, given = [], []
    for row, centre in enumerate(voxel):
        index = [np.arange(i - side // 2, i + side // 2 + 1) % GRID for i in centre]
        crops.append(np.stack([field[np.ix_(*index)] for field in fields]))
        values = {
            "log_mass": np.log10(halos["mass"][row]),
            "log_vmax": np.log10(halos["vmax"][row]),
            "is_central": float(halos["is_central"][row]),
            "log_host_mass": np.log10(halos["host_mass"][row]),
        }
        offset = halos["position"][row] * (GRID / BOX_SIZE) - (centre + 0.5)
        values |= dict(zip(("offset_x", "offset_y", "offset_z"), offset, strict=True))
        given.append([values[name] for name in shape.features])
    pairs = np.array(normalisation.features).reshape(-1, 2)
    standard = (np.array(given).reshape(len(voxel), -1) - pairs[:, 0]) / pairs[:, 1]
    with torch.inference_mode():
        return weights.network()(
            torch.from_numpy(np.stack(crops).astype("f4")), torch.from_numpy(standard).float()
        ).numpy()


def outputs(prediction, weights):
    """Standardised outputs that a prediction came from."""
    mean, deviation = weights.normalisation.target
    columns = [(prediction.location - mean) / deviation]
    if len(weights.architecture.outputs) > 1:
        p = prediction.p_luminous
        columns += [np.log(prediction.scale / deviation), np.log(p / (1 - p))]
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("shape", [SMALL, PAPER_LIKE], ids=lambda shape: shape.preset)
@pytest.mark.parametrize("grid", [False, True])
def test_as_plain_crops(shape, grid):
    sim, weights = scene(grid=grid), sample_weights(shape, domain={"luminosity_floor": 0.0})
    found = outputs(CNNPainter(weights, tile_size=13).predict(sim), weights)
    expected = naive(sim, weights)
    assert expected.std(axis=0).min() > 0.1  # a network that answers
    assert np.abs(found - expected).max() < 1e-4


def test_contract():
    painter = CNNPainter(sample_weights(), tile_size=16)
    painter_contract(painter, scene())
    painter_contract(painter, scene(grid=True))


def test_tile_sizes_differ_by_rounding_alone():
    sim, weights = scene(), sample_weights()
    first = outputs(CNNPainter(weights, tile_size=32).predict(sim), weights)
    for size in (5, 12, 16):
        other = outputs(CNNPainter(weights, tile_size=size).predict(sim), weights)
        assert np.abs(other - first).max() < 1e-4


def test_same_bits_for_threads_memory_and_order():
    sim, weights = scene(), sample_weights()

    def predict(halos=sim.halos, **options):
        made = CNNPainter(weights, tile_size=16, **options).predict(replace(sim, halos=halos))
        return np.stack([made.p_luminous, made.location, made.scale], axis=1)

    expected = predict()
    threads = torch.get_num_threads()
    try:
        for number in (1, 2, 3):
            torch.set_num_threads(number)
            assert np.array_equal(predict(), expected)
    finally:
        torch.set_num_threads(threads)
    order = np.random.default_rng(5).permutation(len(sim.halos))
    assert np.array_equal(predict(sim.halos.take(order)), expected[order])
    assert np.array_equal(predict(memory="5 GiB"), expected)


def test_same_planes_by_way_of_scratch_files(tmp_path):
    sim, weights = scene(), sample_weights()
    grid = grid_of(sim, weights)

    def planes(memory):
        with channels(sim, weights, grid, memory, tmp_path) as both:
            return [channel(first, first + 8) for channel in both for first in range(0, GRID, 8)]

    # A chunk of 4096 particles and four of the 32 planes, or all of them.
    for few, all_at_once in zip(planes(600_000), planes(1 << 30), strict=True):
        assert np.array_equal(few, all_at_once)


def test_a_shift_by_whole_voxels():
    sim, weights = scene(grid=True), sample_weights()
    painter = CNNPainter(weights, tile_size=16)
    first = outputs(painter.predict(sim), weights)
    moved = shifted_scene(sim, 5 * BOX_SIZE / GRID)
    assert np.abs(outputs(painter.predict(moved), weights) - first).max() < 1e-4


def turned(sim, symmetry):
    """A box turned about its middle."""
    position = sim.halos["position"] - BOX_SIZE / 2
    position = symmetry.turn_vectors(position) + BOX_SIZE / 2
    columns = {**sim.halos.columns, "position": np.mod(position, BOX_SIZE)}
    grid = torch.from_numpy(sim.field.read_slab(0, GRID).copy())
    return replace(
        sim,
        halos=HaloCatalog(columns, sim.halos.mass_definition),
        field=samples.density(symmetry.turn(grid).numpy()),
    )


@pytest.mark.slow_but("symmetry0")
@pytest.mark.parametrize(
    "symmetry", [Symmetry((1, 0, 2), (-1, 1, 1)), Symmetry((2, 0, 1), (1, -1, -1))]
)
@pytest.mark.slow
def test_turns_with_average_symmetries(symmetry):
    sim, weights = scene(grid=True), sample_weights()
    other = turned(sim, symmetry)

    def difference(**options):
        painter = CNNPainter(weights, tile_size=GRID, **options)
        return np.abs(
            outputs(painter.predict(sim), weights) - outputs(painter.predict(other), weights)
        ).max()

    assert difference() > 0.01  # the network itself is not symmetric
    assert difference(average_symmetries=True) < 1e-4


def test_average_symmetries_needs_a_centred_network():
    with pytest.raises(UsageError, match="not centred"):
        CNNPainter(sample_weights(PAPER_LIKE), average_symmetries=True)


def test_the_paper_gives_one_number():
    sim, weights = scene(), sample_weights(PAPER_LIKE)
    heavy = {**sim.halos.columns, "host_mass": 1e4 * sim.halos["host_mass"]}  # than any galaxy
    sim = replace(sim, halos=replace(sim.halos, columns=heavy))
    prediction = CNNPainter(weights).predict(sim)
    expected = 9 + naive(sim, weights)[:, 0]
    assert np.array_equal(prediction.p_luminous, (prediction.location >= 8).astype(float))
    galaxies = [paint_scene(sim, CNNPainter(weights), seed=seed) for seed in (1, 2)]
    assert galaxies[0].digest() == galaxies[1].digest()  # nothing is drawn
    masses = dict(zip(sim.halos["halo_id"], expected, strict=True))
    assert len(galaxies[0]) == np.count_nonzero(expected >= 8) > 20
    for row, galaxy in enumerate(galaxies[0]["galaxy_id"]):
        mass = math.log10(galaxies[0]["stellar_mass"][row])
        assert mass == pytest.approx(masses[galaxy], abs=2e-4)


def test_mates_of_a_voxel_share_its_mass():
    sim = scene()
    weights = sample_weights(PAPER_LIKE, target="voxel")
    prediction = CNNPainter(weights).predict(sim)
    whole = 10 ** (9 + naive(sim, weights)[:, 0].astype(float)) - 1
    halos = sim.halos
    voxel = np.floor(halos["position"] * (GRID / BOX_SIZE)).astype(int)
    shared = 0
    for row in range(len(halos)):
        mates = (voxel == voxel[row]).all(axis=1)
        shared += int(mates.sum() > 1)
        expected = whole[row] * halos["mass"][row] / halos["mass"][mates].sum()
        assert 10 ** prediction.location[row] == pytest.approx(expected, rel=1e-3)
    assert shared >= 2


def test_mates_of_a_voxel_are_as_luminous_as_their_shares():
    """Drawn are the voxel's masses; what a mate gets of them is luminous from the floor on."""
    sim = scene()
    weights = sample_weights(target="voxel")
    prediction = CNNPainter(weights).predict(sim)
    halos, floor = sim.halos, math.log10(weights.domain.luminosity_floor)
    voxel = np.floor(halos["position"] * (GRID / BOX_SIZE)).astype(int)
    score = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    given, shared = naive(sim, weights).astype(float), 0
    mean, deviation = weights.normalisation.target
    for row in range(len(halos)):
        mates = np.flatnonzero((voxel == voxel[row]).all(axis=1))
        first = mates[np.lexsort((halos["halo_id"][mates], -halos["mass"][mates]))[0]]
        output = given[first]  # the voxel goes by its heaviest subhalo
        log_mass = mean + deviation * (output[0] + np.exp(output[1]) * score)
        log_mass = log_mass[log_mass >= floor]
        if len(log_mass) < 1000:  # too few to tell
            continue
        share = halos["mass"][row] / halos["mass"][mates].sum()
        mine = log_mass + np.log10(share)
        above = np.mean(mine >= floor) if len(mates) > 1 else 1.0
        luminous = above / (1 + math.exp(-output[2]))
        assert prediction.p_luminous[row] == pytest.approx(luminous, rel=1e-2, abs=1e-4)
        if len(mates) > 1 and np.count_nonzero(mine >= floor) > 1000:
            shared += 1
            median = inverse_cdf(prediction.take(np.array([row])), np.array([0.5]))[0]
            assert median == pytest.approx(np.median(mine[mine >= floor]), abs=0.01)
    assert shared >= 6


def test_mates_of_a_voxel_have_their_own_features():
    sim, weights = scene(), sample_weights()
    prediction = CNNPainter(weights).predict(sim)
    first = int(np.count_nonzero(sim.halos["is_central"]))
    assert np.array_equal(sim.halos["position"][first], sim.halos["position"][first + 1])
    assert abs(prediction.location[first] - prediction.location[first + 1]) > 1e-3


def test_what_is_not_resolved_is_neither_seen_nor_painted():
    sim = scene()
    least = float(np.median(sim.halos["mass"]))
    weights = sample_weights(domain={"least_subhalo_mass": least})
    prediction = CNNPainter(weights).predict(sim)
    below = sim.halos["mass"] < least
    assert np.all(prediction.p_luminous[below] == 0)
    assert np.all(prediction.p_luminous[~below] > 0)
    assert prediction.record["not_painted_unresolved"] == below.sum()
    kept = replace(sim, halos=sim.halos.take(np.flatnonzero(~below | sim.halos["is_central"])))
    gone = np.flatnonzero(below & ~sim.halos["is_central"])
    assert gone.size
    rest = np.setdiff1d(np.arange(len(sim.halos)), gone)
    other = CNNPainter(weights).predict(kept)
    assert np.array_equal(other.location, prediction.location[rest])


def test_outside_of_feature_ranges_is_flagged():
    sim = scene()
    edge = float(np.log10(np.median(sim.halos["host_mass"])))
    weights = sample_weights(domain={"log_host_mass": (10.0, edge)})
    prediction = CNNPainter(weights).predict(sim)
    above = np.log10(sim.halos["host_mass"]) > edge
    assert np.array_equal(prediction.extrapolated, above)
    assert prediction.record["outside_feature_ranges"] == above.sum()
    galaxies = paint_scene(sim, CNNPainter(weights), seed=1)
    assert 0 < galaxies["extrapolated"].sum() < len(galaxies)


@pytest.mark.fault(78)
@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ({"voxel_size": 0.6}, r"voxels of 0\.606061 Mpc/h \(33 in 20 Mpc/h\), not 0\.6"),
        ({"particle_mass": 2 * samples.PARTICLE_MASS}, "particle mass"),
        ({"least_subhalo_mass": 1e9}, "99% of the subhalos above"),
        ({"redshift": (0.5, 1.0)}, "redshift 0 outside"),
        ({"mass_definition": "200m"}, "host mass is 200c, not 200m"),
        ({"cosmology": {"h": 0.7, "omega_m": 0.25, "omega_lambda": 0.7}}, "omega_m 0.3, not"),
    ],
)
def test_a_simulation_unlike_the_training(domain, words):
    sim, weights = scene(), sample_weights(domain=domain)
    with pytest.raises(DomainError, match=words):
        CNNPainter(weights).predict(sim)
    painter = CNNPainter(weights, allow_extrapolation=True)
    if "least_subhalo_mass" not in domain:
        assert painter.predict(sim).extrapolated.all()
    assert len(painter.describe(sim)["outside_domain"]) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [({"assignment": "NGP"}, "made with NGP, not CIC"), ({"origin": "centre"}, "origin centre")],
)
def test_a_grid_unlike_the_training(change, words):
    sim = scene(grid=True)
    sim = replace(sim, field=replace(sim.field, **change))
    with pytest.raises(DomainError, match=words):
        CNNPainter(sample_weights()).predict(sim)


def test_a_grid_of_other_voxels_gives_way_to_particles():
    sim = scene()
    other = DensityField(8, BOX_SIZE / 8, "mass", "CIC", "corner", lambda a, b: np.zeros((0,)))
    weights = sample_weights()
    expected = CNNPainter(weights).predict(sim).location
    with pytest.warns(MockgalWarning, match="made from the particles"):
        both = CNNPainter(weights).predict(replace(sim, field=other)).location
    assert np.array_equal(both, expected)
    facts = CNNPainter(weights).describe(replace(sim, field=other))
    assert (facts["matter"], facts["grid_size"]) == ("particles", GRID)
    assert CNNPainter(weights).describe(scene(grid=True))["matter"] == "density grid"
    with pytest.raises(DomainError, match="a grid of 8 voxels a side"):
        CNNPainter(weights).predict(replace(sim, field=other, particles=None))


def test_origin_centre_is_a_shift_of_half_a_voxel():
    sim = scene()
    weights = sample_weights()
    centred = sample_weights(domain={"origin": "centre"})
    first = CNNPainter(weights, tile_size=16).predict(shifted_scene(sim, BOX_SIZE / GRID / 2))
    second = CNNPainter(centred, tile_size=16).predict(sim)
    assert np.abs(outputs(first, weights) - outputs(second, weights)).max() < 1e-4


def test_kinds_of_grids_are_one_field():
    sim, weights = scene(grid=True), sample_weights()
    expected = CNNPainter(weights).predict(sim).location
    mass = sim.field.read_slab(0, GRID)
    for kind, grid in (
        ("counts", mass / samples.PARTICLE_MASS),
        ("delta", mass / mass.mean() - 1),
    ):
        field = replace(sim.field, kind=kind, read_slab=lambda a, b, grid=grid: grid[a:b])
        found = CNNPainter(weights).predict(replace(sim, field=field)).location
        assert np.abs(found - expected).max() < 1e-4


def test_a_column_that_a_feature_needs():
    with pytest.raises(MissingDatasetError, match="no vmax"):
        CNNPainter(sample_weights()).predict(scene(with_vmax=False))
    without = SMALL.to_dict() | {"features": ["log_mass", "is_central"]}
    weights = sample_weights(type(SMALL).from_dict(without))
    assert len(CNNPainter(weights).predict(scene(with_vmax=False)))


def test_masses_that_are_no_numbers():
    sim = scene()
    mass = sim.halos["mass"].copy()
    mass[3] = np.nan
    with pytest.raises(BadValueError, match="halo column mass, row 3: found 1 impossible"):
        replace(sim.halos, columns={**sim.halos.columns, "mass": mass})


def test_zero_host_masses_are_flagged_where_no_feature_needs_them():
    sim = scene()
    mass = sim.halos["host_mass"].copy()
    mass[3] = 0.0
    halos = replace(sim.halos, columns={**sim.halos.columns, "host_mass": mass})
    prediction = CNNPainter(sample_weights(PAPER_LIKE)).predict(replace(sim, halos=halos))
    assert prediction.extrapolated[3]
    assert prediction.extrapolated.sum() == 1


def test_zero_host_masses_are_refused():
    sim = scene()
    mass = sim.halos["host_mass"].copy()
    mass[3] = 0.0
    halos = replace(sim.halos, columns={**sim.halos.columns, "host_mass": mass})
    with pytest.raises(BadValueError, match="host_mass: found 1 values"):
        CNNPainter(sample_weights()).predict(replace(sim, halos=halos))


@pytest.mark.fault(77)
def test_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="no GPU"):
        CNNPainter(sample_weights(), device="cuda")
    assert CNNPainter(sample_weights()).describe(scene())["device"] == "cpu"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "tpu"}, "one of auto, cpu, cuda"),
        ({"precision": "float16"}, "one of float32"),
        ({"precision": "tf32", "device": "cpu"}, "tf32 on a CPU"),
        ({"tile_size": 0}, "from 1 to 512"),
        ({"tile_size": 2.5}, "from 1 to 512"),
        ({"deterministic": "yes"}, "true or false"),
        ({"memory": "4"}, "--memory"),
        ({"memory": 4}, "a size with its unit"),
        ({"weights": 5}, "a name or a file"),
        ({"scratch": 5}, "a folder"),
        ({"scratch": "/nowhere"}, "no such folder"),
        ({"tile_size": True}, "from 1 to 512"),
    ],
)
def test_options_that_are_none(options, words):
    with pytest.raises(UsageError, match=words):
        CNNPainter(**({"weights": sample_weights()} | options))


@pytest.mark.fault(76)
def test_too_little_memory():
    with pytest.raises(ResourceError, match=r"16 .*\b32"):
        CNNPainter(sample_weights(), memory="100 MB").predict(scene())


def test_lower_precision_is_measured(monkeypatch, tmp_path):
    sim, weights = scene(), sample_weights()
    expected = CNNPainter(weights).predict(sim)
    monkeypatch.setattr(cnn_module, "GATE", 1.0)
    with pytest.warns(MockgalWarning, match="errors of at most") as told:
        found = CNNPainter(weights, precision="bfloat16", resume=tmp_path).predict(sim)
    with pytest.warns(MockgalWarning) as again:  # also if all tiles were kept
        CNNPainter(weights, precision="bfloat16", resume=tmp_path).predict(sim)
    assert str(told[0].message) == str(again[0].message)
    error = np.abs(found.location - expected.location).max()
    assert 1e-5 < error < 0.3
    monkeypatch.setattr(cnn_module, "GATE", 1e-5)
    with pytest.raises(UsageError, match="bfloat16, with errors of"):
        CNNPainter(weights, precision="bfloat16").predict(sim)


@pytest.mark.fault(79)
def test_predictions_that_are_no_numbers():
    weights = sample_weights()
    state = {name: value.clone() for name, value in weights.state.items()}
    state["blocks.0.convolution.weight"] *= 1e30
    state["blocks.1.convolution.weight"] *= 1e30
    with pytest.raises(InternalError, match=r"tile at voxel \[.*NaN.*halo_id"):
        CNNPainter(replace(weights, state=state)).predict(scene())
    state = {name: value.clone() for name, value in weights.state.items()}
    for output, bias in ((0, 40.0), (0, -2000.0), (1, -40.0), (2, -2000.0)):
        changed = state | {"output.bias": state["output.bias"].clone()}
        changed["output.bias"][output] = bias
        with pytest.raises(InternalError, match="beyond 30 standard deviations"):
            CNNPainter(replace(weights, state=changed)).predict(scene())


@pytest.mark.parametrize("logit", [-200.0, 200.0])
def test_the_logit_of_what_is_nearly_sure_is_large(logit):
    weights = sample_weights()
    state = {name: value.clone() for name, value in weights.state.items()}
    state["output.weight"][2] = 0.0
    state["output.bias"][2] = logit
    law = CNNPainter(replace(weights, state=state)).predict(scene())
    np.testing.assert_allclose(law.p_luminous, float(logit > 0), atol=1e-80)


def test_a_mean_far_below_the_floor_is_painted_above_it():
    sim, weights = scene(), sample_weights()
    state = {name: value.clone() for name, value in weights.state.items()}
    state["output.bias"][1] = 1.0
    near = CNNPainter(replace(weights, state=state)).predict(sim)
    assert near.record["means_far_below_floor"] == 0
    state["output.bias"][0] = -40.0
    weights = replace(weights, state=state)
    found = CNNPainter(weights).predict(sim)
    assert found.record["means_far_below_floor"] == np.sum(found.p_luminous > 0) > 10
    assert np.array_equal(found.p_luminous, near.p_luminous)
    mass = np.log10(paint_scene(sim, CNNPainter(weights), seed=1)["stellar_mass"])
    # the law tends to an exponential one with a mean of scale / distance, e^2 / 39 dex here
    assert np.mean(mass - 8.0) == pytest.approx(np.exp(2.0) / 40, rel=0.5)
    assert np.mean(mass == 8.0) < 0.1


def test_deterministic():
    sim, weights = scene(), sample_weights()
    drawn = CNNPainter(weights).predict(sim)
    with pytest.warns(MockgalWarning, match="mass function is biased"):
        galaxies = [
            paint_scene(sim, CNNPainter(weights, deterministic=True), seed=seed) for seed in (1, 2)
        ]
    assert galaxies[0].digest() == galaxies[1].digest()
    luminous = sim.halos["halo_id"][drawn.p_luminous > 0.5]
    assert set(galaxies[0]["galaxy_id"]) == set(luminous)
    # The median of a normal law that is cut off at the floor.
    from scipy.stats import truncnorm

    rows, compared = {int(i): row for row, i in enumerate(sim.halos["halo_id"])}, 0
    for i, mass in zip(galaxies[0]["galaxy_id"], galaxies[0]["stellar_mass"], strict=True):
        location, scale = drawn.location[rows[int(i)]], drawn.scale[rows[int(i)]]
        if location < 8 - 2 * scale:  # beyond it the table of quantiles is coarse
            continue
        compared += 1
        median = truncnorm.median((8 - location) / scale, np.inf, location, scale)
        assert math.log10(mass) == pytest.approx(median, abs=5e-3 * scale)
    assert compared > 10


def test_an_empty_scene():
    sim = scene()
    nothing = replace(sim, halos=sim.halos.take(np.arange(0)))
    assert len(CNNPainter(sample_weights()).predict(nothing)) == 0


def test_torch_is_left_as_it_was():
    before = torch.backends.cudnn.allow_tf32, torch.get_num_threads(), torch.is_grad_enabled()
    state = torch.random.get_rng_state()
    CNNPainter(sample_weights()).predict(scene())
    assert (
        torch.backends.cudnn.allow_tf32,
        torch.get_num_threads(),
        torch.is_grad_enabled(),
    ) == before
    assert torch.equal(torch.random.get_rng_state(), state)


def test_painting_goes_on_where_it_was(tmp_path, monkeypatch):
    sim, weights = scene(), sample_weights()
    expected = CNNPainter(weights, tile_size=16).predict(sim)
    painter = CNNPainter(weights, tile_size=16, resume=tmp_path / "kept")
    evaluated = []
    mean = cnn_module.TileEvaluation._mean

    def stopping(self, tile, starts, features):
        if len(evaluated) == 3:
            raise KeyboardInterrupt
        evaluated.append(tile.first.tolist())
        return mean(self, tile, starts, features)

    monkeypatch.setattr(cnn_module.TileEvaluation, "_mean", stopping)
    with pytest.raises(KeyboardInterrupt):
        painter.predict(sim)
    first = [*evaluated]
    evaluated.clear()
    monkeypatch.setattr(cnn_module.TileEvaluation, "_mean", mean)

    def counting(self, tile, starts, features):
        evaluated.append(tile.first.tolist())
        return mean(self, tile, starts, features)

    monkeypatch.setattr(cnn_module.TileEvaluation, "_mean", counting)
    found = painter.predict(sim)
    assert evaluated
    assert all(tile not in first for tile in evaluated)
    assert len(evaluated) + len(first) == found.record["tiles"]
    for name in ("p_luminous", "location", "scale"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))
    assert found.record == expected.record
    evaluated.clear()
    shuffled = sim.halos.take(np.random.default_rng(1).permutation(len(sim.halos)))
    painter.predict(replace(sim, halos=shuffled))
    assert not evaluated  # all are kept
    with pytest.warns(MockgalWarning, match="has tiles, but none"):
        painter.predict(replace(sim, halos=sim.halos.take(np.arange(30))))
    assert evaluated  # of other subhalos
    evaluated.clear()
    with pytest.warns(MockgalWarning, match="has tiles, but none"):
        found = painter.predict(replace(scene(grid=True), field=samples.density(other_matter())))
    assert evaluated  # of other matter
    assert np.abs(found.location - expected.location).max() > 0.01


def other_matter():
    return samples.matter(samples.positions(seed=7)[0])


def test_damaged_tiles_are_made_again(tmp_path):
    sim, weights = scene(), sample_weights()
    painter = CNNPainter(weights, tile_size=16, resume=tmp_path)
    expected = painter.predict(sim)
    kept = sorted(tmp_path.glob("*.tile"))
    assert len(kept) == expected.record["tiles"]
    kept[0].write_bytes(kept[0].read_bytes()[:-1])
    content = bytearray(kept[1].read_bytes())
    content[-3] ^= 1
    kept[1].write_bytes(content)
    with pytest.warns(MockgalWarning, match="damaged"):
        found = painter.predict(sim)
    assert np.array_equal(found.location, expected.location)


def test_progress_is_told():
    told = []
    with progress.shown(lambda *state: told.append(state)):
        CNNPainter(sample_weights(), tile_size=16).predict(scene())
    painted = [(done, total) for done, total, label in told if label == "painting"]
    number = len(scene().halos)
    assert painted[0] == (0, number)
    assert painted[-1] == (number, number)
    assert len(painted) > 4
    assert [done for done, _ in painted] == sorted(done for done, _ in painted)
