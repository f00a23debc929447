"""Abundance matching as a painter: ranks, scatter, resolution, domain, and the public code."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sham_samples import CUTS, H, compared, count, made_box

import mockgal
from mockgal.errors import DomainError, MissingDatasetError, MockgalWarning, UsageError
from mockgal.laws.mass_functions import PUBLISHED
from mockgal.laws.scatter_matching import cumulative
from mockgal.painters import blocks
from mockgal.painters.sham.painter import SHAMPainter
from mockgal.painters.sham.proxies import edge_of, proxy_of
from mockgal.testing import painter_contract

OPTIONS = {"proxy": "vpeak", "mass_function": "li_white2009", "scatter": "0.2 dex"}
PUBLIC = json.loads(
    (Path(__file__).parents[2] / "reference/abundance_matching.json").read_text(encoding="utf-8")
)
VOLUME = 200.0**3  # (Mpc/h)^3


def limit_of(mock):
    """Return the stellar mass above which all galaxies are painted [Msun/h]."""
    return mock.provenance["painter"]["luminosity_floor_msun_h"]


@pytest.fixture(scope="module")
def box():
    return made_box(400_000, 200.0)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"proxy": "v_alpha", "scatter": "0 dex"},
        {"proxy": "mpeak", "satellite_fraction": 0.2},
    ],
)
def test_contract(more):
    painter_contract("sham", made_box(3000, 50.0), **{**OPTIONS, **more})


def test_without_scatter_ranks_are_exact():
    sim = made_box(40_000, 150.0)
    mock = mockgal.paint(sim, "sham", seed=1, **{**OPTIONS, "scatter": "0 dex"})
    proxy = dict(zip(sim.halos["halo_id"].tolist(), sim.halos["peak_vmax"].tolist(), strict=True))
    order = np.argsort(-mock["stellar_mass"].astype(float), kind="stable")
    ranked = np.array([proxy[k] for k in mock["galaxy_id"][order].tolist()])
    assert np.all(np.diff(ranked) <= 1e-5 * ranked[1:])  # masses are stored in single precision
    function = PUBLISHED["li_white2009"]
    x = np.arange(8.0, 13.0, 0.001)
    above = cumulative(x, function.in_run(x, 0.0, H)) * 150.0**3
    for k in (10, 1000, 5000):
        assert np.log10(mock["stellar_mass"][order[k]]) == pytest.approx(
            np.interp(-(k + 0.5), -above, x), abs=2e-3
        )


def test_the_mass_function_and_the_scatter_come_out(box):
    mock = mockgal.paint(box, "sham", seed=1, **OPTIONS)
    function = PUBLISHED["li_white2009"]
    complete = np.log10(limit_of(mock))
    edges = np.arange(complete, 11.4, 0.2)
    x = np.arange(8.0, 13.0, 0.002)
    wanted = -np.diff(np.interp(edges, x, cumulative(x, function.in_run(x, 0.0, H)))) * VOLUME
    found = np.histogram(np.log10(mock["stellar_mass"]), edges)[0]
    many = wanted > 5000
    assert many.sum() >= 4
    assert np.abs(found / wanted - 1)[many].max() < 0.02
    painter = SHAMPainter(**OPTIONS)
    law = painter.predict(box)
    rows = {k: i for i, k in enumerate(box.halos["halo_id"].tolist())}
    place = np.array([rows[k] for k in mock["galaxy_id"].tolist()])
    mass = np.full(len(box.halos), np.nan)
    mass[place] = np.log10(mock["stellar_mass"].astype(float))
    low = np.log10(limit_of(mock)) + 1.0  # where the floor cuts nothing off
    chosen = np.flatnonzero((law.location > low) & (law.location < 10.8))
    assert np.std((mass - law.location)[chosen]) == pytest.approx(0.2, abs=0.01)


def test_neither_order_nor_blocks_and_threads_change_the_galaxies(monkeypatch):
    sim = made_box(20_000, 110.0)
    order = np.random.default_rng(5).permutation(len(sim.halos))
    shuffled = replace(sim, halos=sim.halos.take(order))
    first = mockgal.paint(sim, "sham", seed=3, **OPTIONS).digest()
    assert mockgal.paint(shuffled, "sham", seed=3, **OPTIONS).digest() == first
    for name in ("LARGE", "LARGE_BLOCK"):
        monkeypatch.setattr(blocks, name, 1)  # compiled, and in threads
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 777)
    assert mockgal.paint(shuffled, "sham", seed=3, **OPTIONS).digest() == first


def test_what_is_not_resolved_is_not_painted_and_counted(box):
    coarse = replace(box, snapshot=replace(box.snapshot, particle_mass=5e9))
    some, few = (mockgal.paint(sim, "sham", seed=1, **OPTIONS) for sim in (box, coarse))
    assert limit_of(few) > 2 * limit_of(some)
    painter = few.provenance["painter"]
    assert painter["resolved_mass_msun_h"] == 5e11
    assert painter["prediction"]["not_painted_incomplete"] > 300_000
    satellites = painter["prediction"]["not_painted_incomplete_satellites"]
    assert 60_000 < satellites < 80_000
    # Above what is complete, both have the same number of galaxies: ranks do not change.
    limit = limit_of(few)
    numbers = [int(np.sum(mock["stellar_mass"] > 1.05 * limit)) for mock in (some, few)]
    assert numbers[1] > 3000
    assert numbers[1] == pytest.approx(numbers[0], rel=0.04)


def test_the_edge_of_a_proxy_that_scatters_is_above_most_centrals_of_the_least_mass():
    sim = made_box(100_000, 150.0, particle_mass=2e9)
    scatter = 10.0 ** (0.05 * np.random.default_rng(1).standard_normal(len(sim.halos)))
    edge = edge_of(sim, sim.halos["peak_vmax"] * scatter, "vpeak", 100)
    assert edge.mass == 2e11
    middle = 100.0 * np.cbrt(2.0)  # km/s, of centrals of that mass
    assert edge.proxy == pytest.approx(middle * 10.0 ** (0.05 * 1.645), rel=0.01)


def test_a_floor_below_says_what_is_missing():
    sim = made_box(20_000, 110.0, particle_mass=5e9)
    with pytest.warns(MockgalWarning, match="complete above .* vpeak < "):
        mock = mockgal.paint(sim, "sham", seed=1, floor="1e9 Msun/h", **OPTIONS)
    assert mock.completeness.low > 3e9
    with pytest.raises(UsageError, match="where the mass function li_white2009 begins"):
        mockgal.paint(sim, "sham", seed=1, floor="1e7 Msun/h", **OPTIONS)


def test_satellites_ranked_apart_have_the_share_asked_for(box):
    together, apart = (
        mockgal.paint(box, "sham", seed=1, **{**OPTIONS, "proxy": "mass"}, **more)
        for more in ({}, {"satellite_fraction": 0.15})
    )
    limit = max(limit_of(mock) for mock in (together, apart))
    assert limit < 1e10
    mock = apart
    shares = [
        1 - np.mean(mock["is_central"][mock["stellar_mass"] > cut]) for cut in (limit, 3 * limit)
    ]
    assert shares == pytest.approx([0.15, 0.15], abs=0.01)
    assert apart.provenance["painter"]["satellite_fraction"] == 0.15


@pytest.mark.parametrize(
    ("sim", "options", "error", "words"),
    [
        ({"redshift": 1.0}, {}, DomainError, "redshift 1 outside 0 to 0.2.*leja2020"),
        ({"redshift": 5.0}, {}, DomainError, "give a table of your own for this redshift"),
        ({"peaks": False}, {}, MissingDatasetError, "give --proxy vmax or mass"),
        ({"particle_mass": 1e15}, {}, DomainError, "give a smaller --least-particles"),
        ({"particle_mass": 3e11}, {}, DomainError, "where the mass function .* ends.*--floor"),
        ({}, {"proxy": None}, UsageError, "give --proxy"),
        ({}, {"alpha": 0.5}, UsageError, "give --proxy v_alpha, or leave --alpha out"),
        ({}, {"scatter": "2 dex"}, UsageError, "0 to 1 dex"),
        ({}, {"scatter": "0.6 dex"}, DomainError, 'give --scatter "0.4 dex" or less'),
        ({}, {"mass_function": "none"}, UsageError, "one of baldry2012"),
    ],
)
def test_what_is_refused(sim, options, error, words):
    with pytest.raises(error, match=words):
        mockgal.paint(made_box(500, 40.0, **sim), "sham", seed=1, **{**OPTIONS, **options})


@pytest.mark.parametrize(
    "options",
    [
        {"mass_function": "leja2020"},
        {"mass_function": "leja2020", "scatter": "0.4 dex"},
        {"allow_extrapolation": True},
        {"least_particles": 20, "mass_function": "leja2020"},
    ],
)
@pytest.mark.filterwarnings("ignore:the scatter of subhalos is 0.4 dex")
def test_ways_out_of_refusals_work(options):
    sim = made_box(3000, 50.0, redshift=1.0)
    assert len(mockgal.paint(sim, "sham", seed=1, **{**OPTIONS, **options}))


def test_satellites_are_needed_if_they_are_ranked_apart():
    sim = made_box(500, 40.0)
    hosts = replace(sim, halos=sim.halos.take(np.flatnonzero(sim.halos["is_central"])))
    with pytest.raises(DomainError, match="leave --satellite-fraction out"):
        mockgal.paint(hosts, "sham", seed=1, satellite_fraction=0.2, **OPTIONS)
    with pytest.warns(MockgalWarning, match="the input has no satellites"):
        mockgal.paint(hosts, "sham", seed=1, **OPTIONS)


def test_below_the_function_galaxies_are_flagged():
    sim = made_box(20_000, 40.0)  # more subhalos than galaxies of the function
    options = {**OPTIONS, "floor": "3e7 Msun/h", "allow_extrapolation": True}
    mock = mockgal.paint(sim, "sham", seed=1, **options)
    low = PUBLISHED["li_white2009"].log_mass[0] - np.log10(H)
    below = np.log10(mock["stellar_mass"]) < low
    assert below.sum() > 300
    assert np.mean(mock["extrapolated"][below]) > 0.7
    assert not mock["extrapolated"][mock["stellar_mass"] > 1e10].any()


def test_scatter_that_the_function_is_too_steep_for_is_said():
    with pytest.warns(MockgalWarning, match="0.4 dex up to .* too steep"):
        mock = mockgal.paint(
            made_box(3000, 50.0), "sham", seed=1, **{**OPTIONS, "scatter": "0.4 dex"}
        )
    assert 1e10 < mock.provenance["painter"]["scatter_holds_to_msun_h"] < 5e10


def test_extrapolation_is_flagged():
    sim = made_box(3000, 50.0, redshift=1.0)
    mock = mockgal.paint(sim, "sham", seed=1, allow_extrapolation=True, **OPTIONS)
    assert len(mock)
    assert mock["extrapolated"].all()


def test_v_alpha_lies_between_virial_velocity_and_vmax():
    sim = made_box(500, 40.0)
    virial, half, vmax = (proxy_of(sim, "v_alpha", alpha) for alpha in (0.0, 0.5, 1.0))
    assert vmax == pytest.approx(sim.halos["vmax_at_peak_mass"])
    assert half == pytest.approx(np.sqrt(virial * vmax))
    _, expected = sim.snapshot.cosmology.halo_scale(sim.halos["peak_mass"], "vir", 0.0)
    assert virial == pytest.approx(expected)


def test_the_law_is_that_of_the_public_code():
    """AbundanceMatching's medians by rank: the same, but where its fit of the bright end ends."""
    law, plain = (SHAMPainter(**{**OPTIONS, "scatter": s})._law(H, 0.0, None) for s in (0.2, 0.0))
    density = np.array(PUBLIC["density"])
    assert plain.location(density) == pytest.approx(PUBLIC["without_scatter"], abs=0.001)
    assert law.location(density) == pytest.approx(PUBLIC["median"], abs=0.015)


def test_satellites_and_clustering_are_those_of_the_public_code():
    """AbundanceMatching on the same subhalos, with the same function, proxy and scatter."""
    sim = compared()
    rows = {k: i for i, k in enumerate(sim.halos["halo_id"].tolist())}
    ours = []
    for seed in range(1, 7):
        mock = mockgal.paint(sim, "sham", seed=seed, **OPTIONS)
        mass = np.full(len(rows), np.nan)
        place = np.array([rows[k] for k in mock["galaxy_id"].tolist()])
        mass[place] = np.log10(mock["stellar_mass"])
        ours.append(count(mass, sim.halos["is_central"], sim.halos["position"]))
    assert np.log10(limit_of(mock)) < CUTS[0]
    for name in ("number", "satellites", "xi"):
        mean, theirs = np.mean([one[name] for one in ours], axis=0), PUBLIC[name]
        deviation = np.std([one[name] for one in ours], axis=0, ddof=1)
        error = np.hypot(
            deviation / np.sqrt(len(ours)), np.array(theirs["deviation"]) / PUBLIC["repeats"] ** 0.5
        )
        assert np.all(np.abs(mean - theirs["mean"]) < 4 * error + 0.005 * np.abs(theirs["mean"]))
