"""The demo's particles in the formats of other codes, and on grids of theirs."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mockgal.testing.matter import write_bigfile_block, write_fastpm, write_gadget_binary
from mockgal.types import Scene


def particles_of(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """All positions and masses of a scene."""
    chunks = list(scene.particles.chunks(1 << 22))
    position, mass = (np.concatenate([chunk[i] for chunk in chunks]) for i in (0, 1))
    return position, mass


def facts_of(scene: Scene) -> dict[str, Any]:
    snapshot = scene.snapshot
    names = ("box_size", "redshift", "cosmology")
    return {name: getattr(snapshot, name) for name in names}


def write_snapshot_hdf5(path: Path, scene: Scene, **options: Any) -> Path:
    """A snapshot of AREPO in one file; ``options`` go to h5py, such as filters."""
    position, mass = particles_of(scene)
    snapshot = scene.snapshot
    a = 1 / (1 + snapshot.redshift)
    by_type = np.array([0, 1, 0, 0, 0, 0])
    with h5py.File(path, "w") as file:
        file.create_group("Header").attrs.update(
            NumFilesPerSnapshot=1,
            Time=a,
            Redshift=1 / a - 1,
            BoxSize=snapshot.box_size * 1e3,
            MassTable=by_type * mass[0] / 1e10,
            NumPart_ThisFile=by_type * len(position),
            NumPart_Total=by_type * len(position),
            HubbleParam=snapshot.cosmology.h,
            Omega0=snapshot.cosmology.omega_m,
            OmegaLambda=snapshot.cosmology.omega_lambda,
        )
        file.create_dataset("PartType1/Coordinates", data=position * 1e3, **options)
    return path


def write_particles(kind: str, path: Path, scene: Scene, **changes: Any) -> Path:
    """Write the particles of a scene in one of `KINDS`; ``changes`` go to the writer."""
    position, mass = particles_of(scene)
    facts = facts_of(scene) | {
        name: changes.pop(name) for name in facts_of(scene) if name in changes
    }
    writer, options = KINDS[kind]
    own = mass if options.get("own_mass") and writer is write_gadget_binary else float(mass[0])
    options = {k: v for k, v in options.items() if k != "own_mass" or writer is write_fastpm}
    return writer(path, position, changes.pop("mass", own), **facts, **(options | changes))


KINDS = {
    "gadget-1": (write_gadget_binary, {}),
    "gadget-1-big-endian-set": (
        write_gadget_binary,
        {"order": ">", "files": 3, "unit": 1e3, "dtype": "f8"},
    ),
    "gadget-2": (write_gadget_binary, {"format": 2, "files": 12}),
    "gadget-2-own-masses": (
        write_gadget_binary,
        {"format": 2, "order": ">", "own_mass": True, "dtype": "f8"},
    ),
    "fastpm": (write_fastpm, {"files": 2}),
    "mp-gadget": (write_fastpm, {"files": 3, "unit": 1e3, "own_mass": True}),
}


def write_grid(kind: str, path: Path, values: np.ndarray, box_size: float) -> Path:
    """Write a grid as other codes do, without saying what it is."""
    if kind == "npy":
        np.save(path, values)
        return path.with_name(path.name if path.suffix == ".npy" else f"{path.name}.npy")
    if kind == "bigfile":
        shape = np.array(values.shape)
        attributes = {"ndarray__shape": shape, "BoxSize": np.full(3, box_size), "Nmesh": shape}
        write_bigfile_block(path / "Field", values.ravel(), files=2, **attributes)
        return path
    with h5py.File(path, "w") as file:
        file["df"] = values
    return path
