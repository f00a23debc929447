"""Small volumes with subhalos, made of numbers that tell their place."""

import numpy as np

from mockgal.painters.cnn.architecture import Architecture
from mockgal.painters.cnn.weights.header import Normalisation
from mockgal.training.data.samples import Samples, Volume

SMALL = Architecture("small", ((3,), (3,), ()), crop_size=21, width=4, hidden=8)
TINY = Architecture("tiny", ((), (), ()), crop_size=15, width=1, hidden=2)


def volume(size=32, *, name="box", redshift=0.0, seed=1):
    """Smooth enough to have structure, different in every voxel."""
    rng = np.random.default_rng(seed)
    channels = rng.normal(9.0, 1.0, (2, size, size, size)).clip(0).astype(np.float32)
    return Volume(channels, 0.5, 0.5 * size, redshift, name)


def samples(volumes=None, number=400, *, architecture=SMALL, split=None, seed=2, luminous=0.6):
    """Subhalos anywhere, with ids that are no rows."""
    rng = np.random.default_rng(seed)
    volumes = (volume(),) if volumes is None else tuple(volumes)
    index = np.sort(rng.integers(0, len(volumes), number))
    sizes = np.array([v.grid_size for v in volumes])[index]
    voxel = rng.integers(0, sizes[:, None], (number, 3))
    ids = rng.choice(10 * number, number, replace=False).astype(np.int64) << 20
    names = architecture.features
    features = rng.normal(11, 1, (number, len(names)))
    for k, name in enumerate(names):
        if name.startswith("offset"):
            features[:, k] = rng.uniform(-0.5, 0.5, number)
    target = np.where(rng.random(number) < luminous, rng.normal(9, 0.8, number), np.nan)
    part = np.zeros(number, dtype=np.int8)
    record = {}
    if split is not None:
        for k in range(len(volumes)):
            part[index == k] = split.parts(k, voxel[index == k])
        record["split"] = split.to_dict()
    mass = 10.0 ** rng.uniform(10, 13, number)
    return Samples(volumes, index, voxel, ids, features, target, mass, part, record)


def normalisation(architecture=SMALL):
    """Not the numbers' own, so that it is seen to be used."""
    pairs = {"offset_x": (0.0, 0.3), "offset_y": (0.0, 0.3), "offset_z": (0.0, 0.3)}
    given = tuple(pairs.get(name, (10.0, 2.0)) for name in architecture.features)
    return Normalisation((8.0, 2.0), (3.0, 4.0), given, (9.0, 0.5))
