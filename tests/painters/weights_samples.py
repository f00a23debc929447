"""Small weights for the tests, and ways to write and break their files."""

import json

import torch

from mockgal.cosmology import Cosmology
from mockgal.painters.cnn.architecture import Architecture
from mockgal.painters.cnn.network import seeded_network
from mockgal.painters.cnn.weights.header import KEY, Domain, Normalisation
from mockgal.painters.cnn.weights.named import Weights

TINY = Architecture("tiny", ((3,), (3,), ()), crop_size=21, width=1, hidden=3)
DOMAIN = Domain(
    voxel_size=0.125,
    origin="corner",
    assignment="CIC",
    particle_mass=1.3e9,
    least_subhalo_mass=0.0,
    redshift=(-0.05, 0.05),
    cosmology=Cosmology(h=0.7, omega_m=0.3, omega_lambda=0.7).to_dict(),
    mass_definition="200c",
    stellar_mass_definition="bound",
    luminosity_floor=1e8,
    log_mass=(10.0, 14.5),
    log_host_mass=(10.5, 14.5),
    log_vmax=(1.5, 3.0),
)


def normalisation(architecture):
    features = tuple((float(k), 1.0 + k) for k in range(len(architecture.features)))
    further = tuple((-2.0 - k, 0.25) for k in range(len(architecture.further)))
    return Normalisation((5.0, 3.0), (0.5, 1.5), features, (9.0, 0.5), further)


def weights(architecture=TINY, **changes):
    """Weights of numbers that need no generator, the same on every machine."""
    state = seeded_network(architecture, 1).state_dict()
    for k, (name, value) in enumerate(sorted(state.items())):
        if value.dtype == torch.float32:
            numbers = torch.arange(value.numel(), dtype=torch.float64) * 7 + 3 * k
            values = ((numbers % 11) - (0 if "running_var" in name else 5)) / 16
            state[name] = values.reshape(value.shape).float()
        else:
            state[name] = torch.tensor(k)
    parts = {
        "name": "tiny-1",
        "architecture": architecture,
        "normalisation": normalisation(architecture),
        "domain": DOMAIN,
        "target": "subhalo",
        "provenance": {"summary": "made of numbers", "scores": {"loss": [0.5, 0.25]}},
        "state": state,
    }
    return Weights(**parts | changes)


def split(path):
    """The header of a safetensors file as a dict, and the bytes after it."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def join(path, header, data, padding=0):
    """Write a safetensors file; ``header`` may be the bytes themselves."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    text += b" " * max(0, padding - len(text))
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def edit(path, change):
    """Have ``change(ours, tensors)`` edit our header and the entries of the tensors in place."""
    header, data = split(path)
    metadata = header.pop("__metadata__")
    ours = json.loads(metadata[KEY])
    change(ours, header)
    return join(path, {"__metadata__": {KEY: json.dumps(ours)}, **header}, data)
