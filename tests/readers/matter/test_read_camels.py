"""CAMELS: AREPO's files of one piece, which a filter of hdf5plugin has compressed."""

import shutil

import h5py
import hdf5plugin
import numpy as np
import pytest
from matter_samples import particles_of

import mockgal
from mockgal.testing import write_arepo


def compress(path, **options):
    """Write a file again with all its datasets compressed."""
    old = path.rename(path.with_suffix(".old"))
    with h5py.File(old) as source, h5py.File(path, "w") as file:

        def copy(name, item):
            if isinstance(item, h5py.Group):
                file.require_group(name).attrs.update(item.attrs)
            elif name != "Subhalo/SubhaloIDMostbound":  # of 48 bits, which h5py cannot copy
                file.create_dataset(name, data=item[()], chunks=True, **options)

        source.visititems(copy)
    old.unlink()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_arepo(tmp_path_factory.mktemp("run"), files=1, side=20, groups=60).parent


@pytest.mark.parametrize("make", [hdf5plugin.Blosc, hdf5plugin.Zstd, hdf5plugin.LZ4])
def test_a_compressed_run(make, run, tmp_path):
    copied = shutil.copytree(run, tmp_path / "CV_0")
    for path in list(copied.glob("*.hdf5")):
        compress(path, **make())
    found, expected = (mockgal.read(path) for path in (copied, run))
    assert found.halos.digest() == expected.halos.digest()
    for one, other in zip(particles_of(found), particles_of(expected), strict=True):
        np.testing.assert_array_equal(one, other)
    (snapshot,) = copied.glob("snap*.hdf5")
    assert mockgal.inspect(snapshot)["particles"] == expected.particles.count
