"""Write catalogues of CompaSO in ASDF, in the layout of AbacusSummit."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from ..cosmology import Cosmology
from ..theory.distances import up_to

Array = NDArray[Any]

BOX_SIZE = 100.0  # Mpc/h
SIDE = 64  # particles along each side
COSMOLOGY = Cosmology(0.6736, 0.313772, 0.684808, omega_nu=0.00142)
PARTICLE = COSMOLOGY.mean_matter_density * BOX_SIZE**3 / SIDE**3  # Msun/h
SHARES = {"A": 0.03, "B": 0.07}  # of the particles in the samples
CELLS = 9  # along the box, of pack9
_STEP = 580  # number of the time step
_MOST = 1 << 14  # bytes of a piece that is compressed


def header(redshift: float = 0.0, *, times: int = 1, **changes: Any) -> dict[str, Any]:
    """Return the header of a run with `SIDE`^3 particles in `BOX_SIZE`, both ``times`` as large."""
    neutrinos = COSMOLOGY.omega_nu or 0.0
    mean = COSMOLOGY.halo_density("compaso", redshift) / COSMOLOGY.mean_matter_density
    facts = {
        "SimName": "Made_Up",
        "BoxSize": BOX_SIZE * times,
        "BoxSizeHMpc": BOX_SIZE * times,
        "hMpc": 1,
        "NP": (SIDE * times) ** 3,
        "Redshift": redshift,
        "ScaleFactor": 1 / (1 + redshift),
        "H0": 100 * COSMOLOGY.h,
        "Omega_M": round(COSMOLOGY.omega_m + neutrinos, 9),
        "Omega_DE": COSMOLOGY.omega_lambda,
        "Omega_K": 0.0,
        "Omega_Smooth": neutrinos,
        "w0": -1.0,
        "wa": 0.0,
        "ParticleMassHMsun": PARTICLE,
        "VelZSpace_to_kms": BOX_SIZE * times / COSMOLOGY.redshift_space_factor(redshift),
        "SODensity": [200, 800],
        "SODensityL1": mean,
        "ParticleSubsampleA": SHARES["A"],
        "ParticleSubsampleB": SHARES["B"],
    }
    return {name: value for name, value in {**facts, **changes}.items() if value is not None}


def write_asdf(
    path: Path, facts: Mapping[str, Any], arrays: Mapping[str, Array], *, packed: bool = True
) -> Path:
    """Write arrays and a header as Abacus does, in a block each.

    Parameters
    ----------
    path : Path
        Its folder is made if need be.
    facts : mapping
        The header: plain numbers, texts and lists.
    arrays : mapping of str to ndarray
    packed : bool
        Compress with Blosc.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tree = ["#ASDF 1.0.0\n#ASDF_STANDARD 1.5.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n"]
    tree.append("--- !core/asdf-1.1.0\ndata:\n")
    for source, (name, values) in enumerate(arrays.items()):
        tree.append(
            f"  {name}: !core/ndarray-1.0.0\n    source: {source}\n    datatype: "
            f"{values.dtype.name}\n    byteorder: little\n    shape: {list(values.shape)}\n"
        )
    tree += ["header:\n", *(f"  {line}\n" for line in yaml.safe_dump(dict(facts)).splitlines())]
    with open(path, "wb") as file:
        file.write("".join([*tree, "...\n"]).encode())
        for values in arrays.values():
            plain = values.astype(values.dtype.newbyteorder("<")).tobytes()
            data = _packed(plain, values.itemsize) if packed else plain
            digest = hashlib.md5(plain, usedforsecurity=False).digest()
            kind = b"blsc" if packed else b"\0\0\0\0"
            sizes = len(data), len(data), len(plain)
            file.write(b"\xd3BLK" + struct.pack(">HI4sQQQ16s", 48, 0, kind, *sizes, digest))
            file.write(data)
        file.write(b"#ASDF BLOCK INDEX\n%YAML 1.1\n--- []\n...\n")
    return path


def _packed(plain: bytes, width: int) -> bytes:
    """Return data compressed with Blosc, by pieces."""
    import blosc

    pieces = [plain[start : start + _MOST] for start in range(0, len(plain), _MOST)] or [b""]
    chunks = [blosc.compress(piece, width, 1, cname="zstd") for piece in pieces]
    return b"".join(struct.pack(">I", len(chunk)) + chunk for chunk in chunks)


def made_up_halos(
    count: int = 600, seed: int = 1, redshift: float = 0.0, *, times: int = 1
) -> dict[str, Array]:
    """Return arrays of halo_info: halos of 35 or more particles that fill the box, sorted by x.

    ``times`` is as in `header`.
    """
    rng = np.random.default_rng(seed)
    steps = np.array([0.8191725133961645, 0.6710436067037893, 0.5497004779019703])
    place = (0.5 + np.outer(np.arange(1, count + 1), steps)) % 1.0 - 0.5
    place = place[np.argsort(place[:, 0])].astype("f4")
    number = (35 * rng.uniform(size=count) ** -0.7).astype("u4").clip(35, 5000)
    radius, speed = COSMOLOGY.halo_scale(number * PARTICLE, "compaso", redshift)
    kms = BOX_SIZE * times / COSMOLOGY.redshift_space_factor(redshift)
    peak = 2.16258 / rng.uniform(4, 12, count)
    return {
        "id": np.arange(count, dtype="u8") * 1_000_003,
        "N": number,
        "x_com": place,
        "x_L2com": place,
        "v_L2com": (300 / kms * rng.normal(size=(count, 3))).astype("f4"),
        "vcirc_max_L2com": (1.2 * speed / kms).astype("f4"),
        "r100_L2com": (radius / (BOX_SIZE * times)).astype("f4"),
        "rvcirc_max_L2com_i16": np.rint(32000 * peak).astype("i2"),
    }


def cleaning(number: Array, superslab: int) -> dict[str, Array]:
    """Return arrays of cleaned_halo_info for halos of ``number`` particles.

    The second halo of each superslab is merged into the first.
    """
    total = number.copy()
    if len(total) > 1:
        total[0], total[1] = total[0] + total[1], 0
    rows = np.arange(len(total), dtype="u8")
    index = np.uint64(_STEP * 10**12 + superslab * 10**9) + rows
    return {"haloindex": index, "N_total": total}


def rvint(position: Array) -> Array:
    """Return positions in units of the box, from its centre, as pairs with a velocity of 0."""
    return (np.rint(position * 1e6).astype("i4") << 12) + 2048


def pack9(position: Array) -> Array:
    """Return positions in units of the box, from its centre, as records of pack9."""
    place = (position + 0.5) * CELLS
    cell = np.floor(place).astype(int) % CELLS
    order = np.lexsort(cell.T[::-1])
    place, cell = place[order], cell[order]
    first = np.flatnonzero(np.append(True, (np.diff(cell, axis=0) != 0).any(axis=1))[: len(cell)])
    offset = np.rint(2000 * (place - cell - 0.5)).astype(int)
    particles = np.concatenate([offset, np.zeros_like(offset)], axis=1) + 2048
    opens = np.tile([0xFF0, CELLS + 48, 1 + 48], (len(first), 1))
    headers = np.concatenate([opens, cell[first] + 48], axis=1)
    return _records(np.insert(particles, first, headers, axis=0)).view("i1")


def _records(twelve: Array) -> Array:
    """Return records of six integers of 12 bits, shape (n, 9)."""
    one, two = twelve[:, 0::2], twelve[:, 1::2]
    records = np.stack([one >> 4, (two >> 8) << 4 | one & 15, two & 255], axis=2)
    return records.reshape(-1, 9).astype("u1")


def write_compaso(
    directory: Path,
    *,
    count: int = 600,
    seed: int = 1,
    redshift: float = 0.0,
    superslabs: int = 3,
    name: str = "Made_Up",
    cleaned: str = "cleaning/{name}/{z}/cleaned_halo_info",
    samples: str = "AB",
    all_particles: bool = False,
    packed: bool = True,
    **changes: Any,
) -> Path:
    """Write a synthetic catalogue below ``directory``.

    Parameters
    ----------
    directory : Path
    count, seed : int
        Number of halos, and seed of their properties.
    redshift : float
    superslabs : int
    name : str
        Of the simulation, and its folder.
    cleaned : str
        Folder of the cleaning, with ``{name}``, and ``{z}`` for the redshift; "" for none.
    samples : str
        Samples of particles: "AB", "A", "B" or "".
    all_particles : bool
        Also write all particles.
    packed : bool
        Compress with Blosc.
    **changes
        Entries of the header that differ from `header`; None leaves one out.

    Returns
    -------
    Path
        The folder zX.XXX.
    """
    z = f"z{redshift:.3f}"
    folder = directory / name / "halos" / z
    facts = header(redshift, **{"SimName": name, **changes})
    halos = made_up_halos(count, seed, redshift)
    rng = np.random.default_rng(seed + 1)
    cuts = np.searchsorted(halos["x_L2com"][:, 0], np.arange(superslabs + 1) / superslabs - 0.5)
    for k in range(superslabs):
        rows = slice(cuts[k], cuts[k + 1])
        arrays = {key: values[rows] for key, values in halos.items()}
        file = folder / "halo_info" / f"halo_info_{k:03d}.asdf"
        write_asdf(file, facts, arrays, packed=packed)
        if cleaned:
            file = directory / cleaned.format(name=name, z=z) / f"cleaned_halo_info_{k:03d}.asdf"
            write_asdf(file, facts, cleaning(arrays["N"], k), packed=packed)
        part = f"_{k:03d}.asdf"
        for place, share in (("halo", 0.4), ("field", 0.6)):
            for sample in samples:
                number = round(share * SHARES[sample] * SIDE**3 / superslabs)
                stem = f"{place}_rv_{sample}"
                arrays = {"rvint": rvint(_in_superslab(number, k, superslabs, rng))}
                write_asdf(folder / stem / (stem + part), facts, arrays, packed=packed)
        for place in ("L0", "field") if all_particles else ():
            number = (SIDE**3 // 2) * (k + 1) // superslabs - (SIDE**3 // 2) * k // superslabs
            arrays = {"pack9": pack9(_in_superslab(number, k, superslabs, rng))}
            file = directory / f"{name}/slices/{z}/{place}_pack9/slab{k:03d}.{place}.pack9.asdf"
            write_asdf(file, facts, arrays, packed=packed)
    return folder


def _in_superslab(number: int, k: int, superslabs: int, rng: np.random.Generator) -> Array:
    """Return random positions in a superslab, in units of the box, from its centre."""
    position = rng.uniform(size=(number, 3)) - 0.5
    position[:, 0] = (position[:, 0] + 0.5 + k) / superslabs - 0.5
    return position


def write_light_cone(
    folder: Path, count: int = 200, redshift: float = 0.5, *, seed: int = 1, **changes: Any
) -> Path:
    """Write a halo light cone through copies of the box, and return its file.

    Halos lie in an octant of a shell about the observer, whose radius is that of ``redshift``;
    the last of them has no particles.

    Parameters
    ----------
    folder : Path
        Its folder z0.500 is made.
    count : int
    redshift : float
    seed : int
    **changes
        Entries of the header, or arrays of the file, in place of the usual ones.
    """
    rng = np.random.default_rng(seed)
    distances = up_to(COSMOLOGY, 5000.0)
    observer = -0.4 * BOX_SIZE * np.ones(3)
    far = distances.distances(redshift) * (1.0 + 0.02 * rng.uniform(-1, 1, count))
    direction = np.abs(rng.normal(size=(count, 3)))
    direction /= np.sqrt((direction**2).sum(axis=1))[:, None]
    number = (35 * rng.uniform(size=count) ** -0.7).astype("u4").clip(35, 5000)
    if count:
        number[-1] = 0
    arrays = {
        "N": number,
        "N_interp": number,
        "haloindex": (580 * 10**12 + np.arange(count)).astype("u8"),
        "origin": (np.arange(count) % 3).astype("i1"),
        "pos_interp": (observer + far[:, None] * direction).astype("f4"),
        "vel_interp": (300 * rng.normal(size=(count, 3))).astype("f4"),
        "redshift_interp": distances.redshifts(far).astype("f4"),
    }
    facts = header(redshift, LightConeOrigins=[float(x) for x in observer])
    for name, value in changes.items():
        if name in arrays and value is None:
            del arrays[name]
        else:
            (arrays if name in arrays else facts)[name] = value
    return write_asdf(folder / f"z{redshift:.3f}" / "lc_halo_info.asdf", facts, arrays)
