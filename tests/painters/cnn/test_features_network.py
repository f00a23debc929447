"""A network that sees no field: a painter of halos without matter."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from cnn_samples import PARTICLE_MASS, sample_weights, scene

from mockgal.errors import BadValueError, DomainError, UsageError
from mockgal.painters.cnn.architecture import HOST_FEATURES, architecture
from mockgal.painters.cnn.painter import CNNPainter
from mockgal.painters.cnn.weights.named import read_weights, save_weights
from mockgal.protocols import check_contents
from mockgal.testing.contracts import painter_contract
from mockgal.training.request import Request

NET = architecture("features")


def alone():
    return replace(scene(), particles=None)


def made():
    weights = sample_weights(NET)  # with masses that galaxies can have
    return replace(weights, normalisation=replace(weights.normalisation, target=(5.5, 0.7)))


def test_its_layout():
    assert NET.features == HOST_FEATURES
    assert (NET.layers, NET.sizes, NET.windows, NET.channels_out) == ((), (1,), (1,), 0)
    assert not NET.sees_fields
    assert NET.parameters == sum(x.numel() for x in made().state.values())
    for wrong in ({"features": ()}, {"features": ("log_mass", "offset_x")}, {"crop_size": 3}):
        with pytest.raises(BadValueError):
            architecture("features", **wrong)


def test_it_needs_halos_alone_and_meets_the_contract(tmp_path):
    save_weights(made(), tmp_path / "w.safetensors")
    painter = CNNPainter(read_weights(tmp_path / "w.safetensors"))
    assert painter.needs == {"halos"}
    assert not painter.whole_box
    check_contents(painter, alone())
    painter_contract(painter, alone())
    assert CNNPainter(sample_weights()).needs == {"halos", "field"}
    assert CNNPainter().needs == {"halos", "field"}


def test_it_is_the_network_and_matter_changes_nothing():
    weights, sim = made(), alone()
    found = CNNPainter(weights).predict(sim)
    halos = sim.halos
    names = {"log_mass": "mass", "log_vmax": "vmax", "log_host_mass": "host_mass"}
    columns = [
        np.log10(halos[names[name]]) if name in names else halos[name] for name in NET.features
    ]
    pairs = np.array(weights.normalisation.features)
    inputs = (np.stack(columns, axis=1) - pairs[:, 0]) / pairs[:, 1]
    with torch.inference_mode():
        output = weights.network()(None, torch.from_numpy(inputs).float()).double().numpy()
    mean, deviation = weights.normalisation.target
    assert np.allclose(found.location, mean + deviation * output[:, 0], atol=1e-5)
    with_matter = CNNPainter(weights).predict(scene())
    assert np.array_equal(found.location, with_matter.location)


def test_the_resolution_is_held_against_the_training():
    sim = alone()
    coarse = replace(sim, snapshot=replace(sim.snapshot, particle_mass=3 * PARTICLE_MASS))
    with pytest.raises(DomainError, match="particle mass"):
        CNNPainter(made()).predict(coarse)


@pytest.mark.parametrize(
    "wrong", [{"width": 4}, {"search": 3}, {"target": "voxel"}, {"features": "default,offset"}]
)
def test_options_of_networks_that_see_fields(wrong):
    given = {
        "seed": 1,
        "preset": "features",
        "width": None,
        "features": None,
        "target": "stellar_mass",
        "sampling": None,
        "search": None,
        "training": {},
    }
    assert not Request.of(**given).architecture.sees_fields
    with pytest.raises((UsageError, BadValueError)):
        Request.of(**given | wrong)
