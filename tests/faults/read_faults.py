"""What the fault tests share: a set to break, ways to break it, and what every error must say."""

import pickle
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pytest

from mockgal.columns import HALO_COLUMNS
from mockgal.cosmology import Cosmology
from mockgal.digests import content_digest
from mockgal.errors import MockgalError
from mockgal.layout import (
    BUNDLE_ATTRIBUTE,
    BUNDLE_DIGEST,
    BUNDLE_FACTS,
    GRID_ATTRIBUTES,
    bundle_digest,
)
from mockgal.protocols import ReadOptions
from mockgal.readers.detect import read
from mockgal.testing import write_arepo, write_gadget4

_CACHE: dict[tuple, Path] = {}


class Dialect(NamedTuple):
    """A code that writes Subfind catalogues, and what it calls what the tests break."""

    name: str
    write: Callable[..., Path]
    group_number: str  # dataset
    subhalos: str  # attribute, before _ThisFile and _Total
    parameters: str  # group with the cosmology


DIALECTS = {
    "gadget4": Dialect(
        "gadget4", write_gadget4, "Subhalo/SubhaloGroupNr", "Nsubhalos", "Parameters"
    ),
    "arepo": Dialect("arepo", write_arepo, "Subhalo/SubhaloGrNr", "Nsubgroups", "Header"),
}
both = pytest.mark.parametrize("dialect", DIALECTS, indirect=True)


def case(number, *values):
    """Values of a parametrised test that belong to the fault ``number``, which leads the id."""
    shown = "-".join(_in_an_id(value) for value in values)
    return pytest.param(*values, marks=pytest.mark.fault(number), id=f"{number}-{shown}")


def _in_an_id(value):
    """A short text without addresses in memory, which differ between workers of xdist."""
    if isinstance(value, dict):
        return ",".join(f"{key}={_in_an_id(item)}" for key, item in value.items())
    if isinstance(value, np.ndarray):
        return "array"
    return getattr(value, "__name__", str(value))


def fresh(tmp_path_factory, tmp_path, dialect, **options):
    """A fresh copy of a synthetic run, made once for each set of options."""
    key = (dialect.name, *sorted(options.items()))
    if key not in _CACHE:
        _CACHE[key] = tmp_path_factory.mktemp("set")
        dialect.write(_CACHE[key], **options)
    run = tmp_path / "run"
    shutil.copytree(_CACHE[key], run)
    return run


def catalogue(run):
    """The catalogue's files in the order of their numbers."""
    files = sorted(run.glob("groups_*/fof_*.hdf5"), key=lambda p: int(p.name.split(".")[1]))
    return files or sorted(run.glob("fof_*.hdf5"))


def snapshot(run):
    files = sorted(run.glob("snapdir_*/snap_*.hdf5"), key=lambda p: int(p.name.split(".")[1]))
    return files or sorted(run.glob("snap_*.hdf5"))


def no_snapshot(run):
    shutil.rmtree(run / "snapdir_002")
    return run


def edit(path, name, change, everywhere=False):
    """Replace a dataset by ``change(values)``, or delete it where ``change`` gives None."""
    with h5py.File(path, "r+") as file:
        values = change(file[name][...])
        del file[name]
        if values is not None:
            file[name] = values
    seal(path)


def header(paths, group="Header", **values):
    """Set attributes; None deletes."""
    for path in [paths] if isinstance(paths, Path) else paths:
        with h5py.File(path, "r+") as file:
            for name, value in values.items():
                if value is None:
                    del file[group].attrs[name]
                else:
                    file[group].attrs[name] = value
        seal(path)


def seal(path):
    """Make the digest of an edited bundle right again, so that its other checks are reached."""
    with h5py.File(path, "r+") as file:
        if BUNDLE_ATTRIBUTE not in file.attrs:
            return
        try:
            columns = {
                name: data[...].astype(HALO_COLUMNS[name].dtype)
                for name, data in file["halos"].items()
                if name in HALO_COLUMNS
            }
            found = dict(file["header"].attrs)
            mass = file["particles"].attrs.get("mass") if "particles" in file else None
            facts = {
                **{name: found[name] for name in BUNDLE_FACTS if name in found},
                **{f.name: found[f.name] for f in fields(Cosmology) if f.name in found},
                **({} if mass is None else {"particles/mass": mass}),
            }
            for name in GRID_ATTRIBUTES if "density" in file else ():
                facts[f"density/{name}"] = file["density"].attrs[name]
            facts = {k: v.decode() if isinstance(v, bytes) else v for k, v in facts.items()}
            rows = content_digest(columns, HALO_COLUMNS, ["halo_id"], facts["mass_definition"])
            file.attrs[BUNDLE_DIGEST] = np.bytes_(bundle_digest(facts, rows))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            pass  # broken so that there is no digest; other checks come first


def put(row, value):
    """A change that sets one row."""

    def change(values):
        values[row] = value
        return values

    return change


def write_pickle(path, bomb):
    path.write_bytes(pickle.dumps(bomb))


def write_weights(path, bomb):
    """As PyTorch keeps weights."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(bomb))


def _read_all(path, options, format, stream):
    scene = read(path, options, format)
    for _ in scene.particles.chunks(5000) if stream else ():
        pass


def check_refused(
    path,
    *words,
    code,
    options=ReadOptions(),  # noqa: B008
    stream=False,
    format=None,
):
    """Reading ``path`` fails with the exit code and a message that has the words and a way out."""
    with pytest.raises(MockgalError) as caught:
        _read_all(path, options, format, stream)
    error = caught.value
    assert error.exit_code == code, error
    assert error.fix, error
    assert "Fix: " in str(error)
    assert "\n" not in str(error)
    for word in words:
        assert str(word) in str(error), f"{word!r} not in: {error}"
    return error
