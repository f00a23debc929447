"""Halo tables of halotools, made from a scene that another reader gave."""

import h5py
import numpy as np

ROOT = {"simname": b"made up", "halo_finder": b"rockstar", "version_name": b"v1"}


def facts(scene, **changes):
    """Metadata as a user gives them to halotools."""
    snapshot = scene.snapshot
    stated = {
        "Lbox": snapshot.box_size,
        "redshift": snapshot.redshift,
        "particle_mass": snapshot.particle_mass,
        "simname": "made up",
        **snapshot.cosmology.to_dict(),
        **changes,
    }
    return {name: value for name, value in stated.items() if value is not None}


def columns(scene, **changes):
    """The columns of ``scene.halos`` in halotools' names; None takes one away.

    A host's halo_m200c is its host mass, a satellite's its bound mass; halo_mvir is bound mass.
    """
    halos, density = scene.halos, scene.snapshot.cosmology.critical_density(scene.snapshot.redshift)
    central = halos["is_central"]
    m200c = np.where(central, halos["host_mass"], halos["mass"])
    table = {
        "halo_id": halos["halo_id"],
        "halo_upid": np.where(central, -1, halos["host_id"]),
        "halo_hostid": halos["host_id"],
        **{f"halo_{x}": halos["position"][:, i] for i, x in enumerate("xyz")},
        **{f"halo_v{x}": halos["velocity"][:, i] for i, x in enumerate("xyz")},
        "halo_m200c": m200c,
        "halo_r200c": (m200c / (200 * density * 4 / 3 * np.pi)) ** (1 / 3),
        "halo_mvir": halos["mass"],
        "halo_vmax": halos["vmax"],
        "halo_spin": np.linspace(0, 1, len(halos)),
        **changes,
    }
    return {name: np.array(values) for name, values in table.items() if values is not None}


def write_table(path, table, stated, **how):
    """The file that halotools' cache holds, made with h5py alone."""
    rows = np.empty(
        len(table["halo_x"]), [(name, v.dtype, v.shape[1:]) for name, v in table.items()]
    )
    for name, values in table.items():
        rows[name] = values
    with h5py.File(path, "w") as file:
        file.create_dataset("data", data=rows, **how)
        for name, value in {**ROOT, **stated}.items():
            if name == "redshift":
                value = np.bytes_(f"{value:.4f}")
            elif name not in ("Lbox", "particle_mass"):
                value = value if isinstance(value, bytes) else np.bytes_(str(value))
            file.attrs[name] = value
    return path
