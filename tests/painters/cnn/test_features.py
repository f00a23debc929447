"""Features from a history: chosen, in the weights, refused where they are missing."""

from dataclasses import replace

import numpy as np
import pytest
from cnn_samples import SMALL, sample_weights, scene

from mockgal.columns import HALO_COLUMNS, HISTORY_COLUMNS
from mockgal.errors import BadValueError, DomainError, MissingDatasetError, UsageError
from mockgal.painters.cnn.features import FEATURES, SUBHALO_FEATURES, features_of
from mockgal.painters.cnn.painter import CNNPainter
from mockgal.painters.cnn.weights.named import read_weights, save_weights
from mockgal.types import HaloCatalog

TOLD = replace(SMALL, features=(*SUBHALO_FEATURES, "log_peak_mass", "half_mass_scale"))
HISTORY = {
    "log_peak_mass": {
        "column": "peak_mass",
        "unit": "Msun/h",
        "definition": "in the catalogue itself",
        "range": (10.0, 15.0),
    },
    "half_mass_scale": {
        "column": "half_mass_scale",
        "unit": "",
        "definition": "in the catalogue itself",
        "range": (0.2, 0.9),
    },
}


def told(**domain):
    return sample_weights(TOLD, domain={"history": HISTORY, **domain})


def with_history(sim, **changes):
    rng = np.random.default_rng(3)
    own = {
        "peak_mass": 1.3 * sim.halos["mass"],
        "half_mass_scale": rng.uniform(0.3, 0.8, len(sim.halos)),
    } | changes
    halos = HaloCatalog({**sim.halos.columns, **own}, sim.halos.mass_definition)
    return replace(sim, halos=halos)


def test_names_are_those_of_columns():
    assert features_of("default", SUBHALO_FEATURES) == SUBHALO_FEATURES
    chosen = features_of("half_mass_scale, mass,peak_mass", SUBHALO_FEATURES)
    assert chosen == ("log_mass", "log_peak_mass", "half_mass_scale")
    assert features_of(["offset"], ()) == ("offset_x", "offset_y", "offset_z")
    every = ["mass", "vmax", "is_central", "host_mass", "offset", "concentration"]
    assert features_of([*every, *HISTORY_COLUMNS], ()) == FEATURES[:-1]  # not the simulation's own


@pytest.mark.parametrize("wrong", ["", "mass,mass", "default,mass", "mpeak", "scale_factor"])
def test_names_that_are_not_features(wrong):
    with pytest.raises(UsageError, match="features"):
        features_of(wrong, SUBHALO_FEATURES)


def test_the_file_keeps_them(tmp_path):
    weights = told()
    save_weights(weights, tmp_path / "w.safetensors")
    again = read_weights(tmp_path / "w.safetensors")
    assert again.digest() == weights.digest()
    assert again.domain.history["half_mass_scale"]["range"] == [0.2, 0.9]
    assert again.architecture.features == TOLD.features


def test_weights_without_them_are_as_they_were():
    assert "history" not in sample_weights().header_dict()["domain"]


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ({}, "domain.history"),
        ({"log_peak_mass": HISTORY["log_peak_mass"]}, "domain.history"),
        (HISTORY | {"log_mass": HISTORY["log_peak_mass"]}, "domain.history"),
        *(
            (HISTORY | {"log_peak_mass": HISTORY["log_peak_mass"] | change}, message)
            for change, message in (
                ({"unit": "1e10 Msun/h"}, "unit"),
                ({"column": "mass"}, "column"),
                ({"range": (2.0, 1.0)}, "range"),
                ({"definition": 1}, "definition"),
                ({"more": 1}, "log_peak_mass"),
            )
        ),
    ],
)
def test_a_header_that_contradicts_itself(history, message):
    with pytest.raises(BadValueError, match=message):
        sample_weights(TOLD, domain={"history": history})


def test_a_simulation_that_lacks_them_is_refused_before_any_work():
    painter = CNNPainter(told())
    fix = 'pack --history TABLE --history-columns "halo_id=NAME, peak_mass=NAME .Msun/h., half'
    for method in (painter.check, painter.predict):
        with pytest.raises(MissingDatasetError, match="no peak_mass, half_mass_scale") as caught:
            method(scene())
        assert "features log_peak_mass, half_mass_scale of weights sample" in str(caught.value)
        with pytest.raises(MissingDatasetError, match=fix):
            method(scene())


def test_they_change_the_prediction_and_outside_their_range_are_flagged():
    sim, painter = with_history(scene()), CNNPainter(told())
    first = painter.predict(sim)
    assert not first.extrapolated.any()
    later = sim.halos["half_mass_scale"].copy()
    later[4], later[5] = 0.95, 0.85
    second = painter.predict(with_history(scene(), half_mass_scale=later))
    moved = np.abs(second.location - first.location) > 1e-6
    assert np.flatnonzero(moved).tolist() == [4, 5]
    assert np.flatnonzero(second.extrapolated).tolist() == [4]


def test_another_definition_is_refused():
    sim = with_history(scene())
    columns_read = {"peak_mass": {"from": ["m_peak"]}}
    record = {"history": {"columns_read": columns_read}}
    sim = replace(sim, snapshot=replace(sim.snapshot, record=record))
    with pytest.raises(
        DomainError,
        match="m_peak of a table, not as in the cat",
    ):
        CNNPainter(told()).predict(sim)
    assert CNNPainter(told(), allow_extrapolation=True).predict(sim).extrapolated.all()


def test_a_value_without_a_logarithm_names_its_column():
    sim = with_history(scene(), peak_mass=np.zeros(len(scene().halos)))
    with pytest.raises(BadValueError, match="leave peak_mass out of the features"):
        CNNPainter(told()).predict(sim)


def test_units_are_those_of_columns():
    for name in HISTORY_COLUMNS:
        assert HALO_COLUMNS[name].optional
