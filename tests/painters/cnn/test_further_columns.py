"""Columns beside stellar mass: their law, drawn and painted; and networks told the redshift."""

from dataclasses import replace

import numpy as np
import pytest
from cnn_samples import SMALL, sample_weights, scene
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from weights_samples import TINY, edit, weights

from mockgal.columns import FURTHER_TARGETS, GALAXY_COLUMNS, HALO_COLUMNS
from mockgal.errors import BadValueError, DomainError, InternalError
from mockgal.laws.conditional import ConditionalLaw
from mockgal.laws.distribution import Distribution
from mockgal.painters.cnn.architecture import MEAN_ONLY, SUBHALO_FEATURES, outputs_of
from mockgal.painters.cnn.law import law
from mockgal.painters.cnn.painter import CNNPainter
from mockgal.painters.cnn.weights.named import read_weights, save_weights
from mockgal.painters.draw import draw, draw_further, paint_scene
from mockgal.testing.contracts import painter_contract

RADIUS = "stellar_half_mass_radius"
TWO = replace(SMALL, outputs=outputs_of((RADIUS, "vmax")))
# Standardised outputs: of stellar mass, and mean, slope and log of the scatter of a further target.
OUTPUT = np.array([0.4, np.log(0.5), 8.0, -0.3, 0.6, np.log(0.7)])


def known_law(n, output=OUTPUT, floor=0.0):
    """The law of n subhalos that all have one output."""
    header = sample_weights(
        replace(SMALL, outputs=outputs_of((RADIUS,))[: len(output)]),
        domain={"luminosity_floor": floor},
    )
    flag = np.zeros(n, dtype=bool)
    return law(header, n, np.arange(n), np.tile(output, (n, 1)), np.ones(n), flag, {})


def drawn(d, ids, seed=1):
    rows, log_mass = draw(d, ids, seed=seed)
    found = draw_further(d, rows, log_mass, ids, seed=seed)
    return rows, log_mass, np.log10(found[RADIUS].astype(float))


def test_a_painted_column_has_the_unit_of_the_one_trained_on():
    for name, column in FURTHER_TARGETS.items():
        own = HALO_COLUMNS[name]
        assert (column.unit, column.h_power, column.a_power) == (own.unit, own.h_power, own.a_power)
        assert GALAXY_COLUMNS[column.name] is column


def test_the_joint_law_is_drawn():
    n = 20_000
    rows, log_mass, log_radius = drawn(known_law(n), np.arange(n) * 3)
    assert len(rows) > 0.99 * n
    z = (log_mass - (9.0 + 0.4)) / 0.5  # the sample's target is (9, 1), its radius (-2.5, 0.3)
    t = (log_radius + 2.5) / 0.3
    assert stats.kstest(z, "norm").pvalue > 1e-3
    assert stats.kstest((t + 0.3 - 0.6 * z) / 0.7, "norm").pvalue > 1e-3
    expected = 0.6 / np.hypot(0.6, 0.7)
    found = np.corrcoef(z, t)[0, 1]
    assert abs(np.arctanh(found) - np.arctanh(expected)) < 4 / np.sqrt(n)


def test_the_floor_cuts_the_joint_law():
    n = 20_000
    _, log_mass, log_radius = drawn(known_law(n, floor=10.0**9.4), np.arange(n))
    assert log_mass.min() >= 9.4
    z, t = (log_mass - 9.4) / 0.5, (log_radius + 2.5) / 0.3
    assert t.mean() == pytest.approx(-0.3 + 0.6 * np.sqrt(2 / np.pi), abs=0.03)
    assert stats.kstest((t + 0.3 - 0.6 * z) / 0.7, "norm").pvalue > 1e-3


def test_a_mean_far_below_the_floor_leaves_the_line_where_galaxies_are():
    """The line is told at the floor: no large numbers are needed for it far from the mean."""
    far = OUTPUT.copy()
    far[:3] = -200.0, np.log(10.0), 8.0
    _, log_mass, log_radius = drawn(known_law(4000, far, floor=10.0**9.4), np.arange(4000))
    t = (log_radius + 2.5) / 0.3
    residual = (t + 0.3 - 0.6 * (log_mass - 9.4) / 10.0) / 0.7
    assert stats.kstest(residual, "norm").pvalue > 1e-3


def test_numbers_are_keyed_by_subhalo_and_column():
    n = 300
    d, ids = known_law(n, OUTPUT * [1, 1, 0, 1, 1, 1]), np.random.default_rng(1).permutation(n)
    varied = d.further[RADIUS]._replace(intercept=np.linspace(-9, 3, n))
    d = replace(d, further={RADIUS: varied})
    rows, _, radius = drawn(d, ids)
    assert 0 < len(rows) < n
    some = np.flatnonzero(np.arange(n) % 3 == 1)[::-1]
    part, _, again = drawn(d.take(some), ids[some])
    both = dict(zip(ids[rows].tolist(), radius.tolist(), strict=True))
    assert len(part)
    assert [both[i] for i in ids[some][part].tolist()] == again.tolist()
    assert not np.array_equal(drawn(d, ids, seed=2)[2][:20], radius[:20])
    name = FURTHER_TARGETS["vmax"].name
    other = replace(d, further={name: d.further[RADIUS]})
    rows, log_mass = draw(other, ids, seed=1)
    values = draw_further(other, rows, log_mass, ids, seed=1)[name]
    assert not np.isclose(np.log10(values), radius, atol=1e-3).all()


@pytest.mark.parametrize("n", [300, 120_000])
def test_stellar_masses_are_what_they_are_without_them(n):
    ids = np.arange(n)[::-1].copy()
    one = draw(known_law(n, OUTPUT[:3] * [1, 1, 0]), ids, seed=4)
    two = draw(known_law(n, OUTPUT * [1, 1, 0, 1, 1, 1]), ids, seed=4)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


@given(
    st.floats(-3, 3), st.floats(-2, 2), st.floats(0.01, 2), st.floats(7, 12), st.floats(1e-6, 0.99)
)
def test_the_law_inverts(intercept, slope, scatter, log_mass, u):
    one = ConditionalLaw(*np.array([[intercept], [slope], [scatter]]))
    log_mass, u = np.array([log_mass]), np.array([u])
    value = one.inverse_cdf(log_mass, u)
    assert one.cdf(log_mass, value) == pytest.approx(u, rel=1e-6)
    plain = stats.norm(intercept + slope * log_mass, scatter)
    assert value == pytest.approx(plain.ppf(u), abs=1e-9)


@pytest.mark.parametrize("wrong", [400.0, -400.0, np.nan])
def test_values_that_are_none(wrong):
    d = known_law(3)
    bad = d.further[RADIUS]._replace(intercept=np.full(3, wrong))
    with pytest.raises(InternalError, match=RADIUS):
        drawn(replace(d, further={RADIUS: bad}), np.arange(3))


# ---- the painter


def test_painted_columns():
    sim, painter = scene(), CNNPainter(sample_weights(TWO), tile_size=16)
    painter_contract(painter, sim)
    galaxies = paint_scene(sim, painter, seed=1)
    assert galaxies[RADIUS].dtype == galaxies["hydro_vmax"].dtype == np.float32
    assert len(np.unique(galaxies[RADIUS])) == len(galaxies) > 10
    assert np.array_equal(galaxies["vmax"], sim.halos["vmax"][_rows(galaxies, sim)])
    order = np.random.default_rng(2).permutation(len(sim.halos))
    mixed = replace(sim, halos=sim.halos.take(order))
    assert paint_scene(mixed, painter, seed=1).digest() == galaxies.digest()
    d = painter.predict(sim)
    rows, log_mass = draw(d, sim.halos["halo_id"], seed=1)
    expected = draw_further(d, rows, log_mass, sim.halos["halo_id"], seed=1)
    of = dict(zip(sim.halos["halo_id"][rows].tolist(), expected[RADIUS].tolist(), strict=True))
    assert [of[i] for i in galaxies["galaxy_id"].tolist()] == galaxies[RADIUS].tolist()


def _rows(galaxies, sim):
    order = np.argsort(sim.halos["halo_id"])
    return order[np.searchsorted(sim.halos["halo_id"][order], galaxies["galaxy_id"])]


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
def test_without_a_draw_the_median():
    sim, weights = scene(), sample_weights(TWO)
    galaxies = paint_scene(sim, CNNPainter(weights, deterministic=True), seed=1)
    d = CNNPainter(weights).predict(sim)
    rows = _rows(galaxies, sim)
    median = d.further[RADIUS].take(rows).mean(np.log10(galaxies["stellar_mass"]))
    assert np.log10(galaxies[RADIUS]) == pytest.approx(median, abs=1e-4)
    other = paint_scene(sim, CNNPainter(weights, deterministic=True), seed=2)
    assert np.array_equal(other[RADIUS], galaxies[RADIUS])


def test_the_scale_factor_is_a_feature():
    shape = replace(SMALL, features=(*SMALL.features, "scale_factor"))
    weights = sample_weights(shape, domain={"redshift": (0.0, 1.0)})

    def at(redshift):
        sim = scene()
        sim = replace(sim, snapshot=replace(sim.snapshot, redshift=redshift))
        return CNNPainter(weights).predict(sim)

    first, between = at(0.0), at(0.4)
    assert not np.allclose(first.location, between.location, atol=1e-3)
    assert not between.extrapolated.any()
    for redshift in (1.1, -0.1):
        with pytest.raises(DomainError, match="redshift"):
            at(redshift)
    pair = (1 / 1.4, 1.0)  # so that it is 0 once standardised, as if it were not there
    plain = replace(weights.normalisation, features=(*weights.normalisation.features[:-1], pair))
    weights = replace(weights, normalisation=plain)
    state = {name: value.clone() for name, value in weights.state.items()}
    state["hidden.weight"] = state["hidden.weight"][:, :-1]
    same = replace(
        weights,
        architecture=SMALL,
        normalisation=replace(plain, features=plain.features[:-1]),
        state=state,
    )
    sim = scene()
    sim = replace(sim, snapshot=replace(sim.snapshot, redshift=0.4))
    assert np.allclose(at(0.4).location, CNNPainter(same).predict(sim).location, atol=1e-5)
    assert SMALL.features == SUBHALO_FEATURES  # told only where it is asked for


# ---- their weights


def test_weights_say_what_they_predict(tmp_path):
    made = weights(replace(TINY, outputs=outputs_of((RADIUS, "mass"))))
    assert made.units == {RADIUS: "Mpc/h", "mass": "Msun/h"}
    path = tmp_path / "w.safetensors"
    save_weights(made, path)
    back = read_weights(path)
    assert back.digest() == made.digest()
    assert back.architecture.further == (RADIUS, "mass")
    assert back.normalisation.further == ((-2.0, 0.25), (-3.0, 0.25))


def test_nothing_is_said_of_them_where_there_are_none():
    header = weights().header_dict()
    assert "units" not in header
    assert "further" not in header["normalisation"]


def _unit(ours, tensors):
    ours["units"][RADIUS] = "kpc"


def _no_unit(ours, tensors):
    del ours["units"]


def _no_pair(ours, tensors):
    del ours["normalisation"]["further"]


@pytest.mark.parametrize("change", [_unit, _no_unit, _no_pair])
def test_headers_that_do_not_fit(tmp_path, change):
    path = tmp_path / "w.safetensors"
    save_weights(weights(replace(TINY, outputs=outputs_of((RADIUS,)))), path)
    with pytest.raises(BadValueError, match=r"units|further"):
        read_weights(edit(path, change))


@pytest.mark.parametrize(
    "outputs",
    [
        outputs_of(("colour",)),
        outputs_of((RADIUS, RADIUS)),
        outputs_of((RADIUS,))[:-1],
        (*MEAN_ONLY, *outputs_of((RADIUS,))[3:]),
    ],
)
def test_outputs_that_are_none(outputs):
    with pytest.raises(BadValueError, match="outputs"):
        replace(TINY, outputs=outputs)


def test_not_of_voxels():
    with pytest.raises(BadValueError, match="target"):
        weights(replace(TINY, outputs=outputs_of((RADIUS,))), target="voxel")


def test_a_prediction_has_none_unless_it_is_told():
    d = known_law(2, OUTPUT[:3])
    assert isinstance(d, Distribution)
    assert d.further == {}
    assert draw_further(d, np.arange(2), np.full(2, 9.0), np.arange(2), seed=1) == {}
