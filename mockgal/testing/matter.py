"""Write particles and grids in the formats of other codes, as their documentation has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cosmology import Cosmology

Array = NDArray[Any]

MASS_UNIT = 1e10  # Msun/h
_TYPES = 6
_DARK_MATTER = 1
_HEADER_BYTES = 256


def write_gadget_binary(
    path: Path,
    position: Array,
    mass: Array | float,
    *,
    box_size: float,
    redshift: float,
    cosmology: Cosmology,
    format: int = 1,
    order: str = "<",
    files: int = 1,
    unit: float = 1.0,
    dtype: str = "f4",
    **header: Any,
) -> Path:
    """Write dark matter as a snapshot of Gadget in binary: Springel 2005, users' guide, section 6.

    Parameters
    ----------
    path : Path
        With several files, ``.0``, ``.1`` and so on come after it.
    position : ndarray, shape (n, 3)
        Comoving [Mpc/h].
    mass : float, or ndarray of shape (n,)
        [Msun/h]; one mass goes into the header.
    box_size : float
        [Mpc/h]
    redshift : float
    cosmology : Cosmology
    format : int
        1, or 2 with names of blocks.
    order : str
        ``"<"`` or ``">"``.
    files : int
    unit : float
        Mpc/h over the unit of length: 1000 for kpc/h.
    dtype : str
        Type of positions and masses.
    **header
        Numbers to put into the header in place of the right ones, by the names below.

    Returns
    -------
    Path
        The first file.
    """
    edges = np.linspace(0, len(position), files + 1).astype(int)
    table = np.zeros(_TYPES)
    table[_DARK_MATTER] = mass / MASS_UNIT if isinstance(mass, float) else 0.0
    for k in range(files):
        rows = slice(edges[k], edges[k + 1])
        count = int(edges[k + 1] - edges[k])
        facts = {
            "npart": count,
            "time": 1.0 / (1.0 + redshift),
            "redshift": redshift,
            "npart_total": len(position),
            "num_files": files,
            "box_size": box_size * unit,
            "omega_m": cosmology.omega_m,
            "omega_lambda": cosmology.omega_lambda,
            "h": cosmology.h,
            **header,
        }
        blocks = {
            "HEAD": _gadget_header(facts, table, order),
            "POS": (position[rows] * unit).astype(order + dtype).tobytes(),
            "VEL": np.zeros((count, 3), order + "f4").tobytes(),
            "ID": np.arange(edges[k], edges[k + 1]).astype(order + "u4").tobytes(),
        }
        if not isinstance(mass, float):
            blocks["MASS"] = (mass[rows] / MASS_UNIT).astype(order + dtype).tobytes()
        name = path if files == 1 else path.with_name(f"{path.name}.{k}")
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_bytes(b"".join(_gadget_blocks(blocks, format, order)))
    return path if files == 1 else path.with_name(f"{path.name}.0")


def _gadget_header(facts: Mapping[str, Any], table: Array, order: str) -> bytes:
    """Return the 256 bytes of a header."""
    by_type = np.zeros(_TYPES, order + "u4")
    counts = []
    for name in ("npart", "npart_total"):
        by_type[_DARK_MATTER] = facts[name]
        counts.append(by_type.tobytes())
    doubles = [facts[n] for n in ("box_size", "omega_m", "omega_lambda", "h")]
    parts = [
        counts[0],
        table.astype(order + "f8").tobytes(),
        np.array([facts["time"], facts["redshift"]], order + "f8").tobytes(),
        bytes(8),
        counts[1],
        np.array([0, facts["num_files"]], order + "i4").tobytes(),
        np.array(doubles, order + "f8").tobytes(),
    ]
    return b"".join(parts).ljust(_HEADER_BYTES, b"\0")


def _gadget_blocks(blocks: Mapping[str, bytes], format: int, order: str) -> list[bytes]:
    def marker(size: int) -> bytes:
        return np.array(size, order + "u4").tobytes()

    parts = []
    for name, data in blocks.items():
        if format == 2:
            label = name.ljust(4).encode() + marker(len(data) + 8)
            parts += [marker(8), label, marker(8)]
        parts += [marker(len(data)), data, marker(len(data))]
    return parts


def write_bigfile_block(
    path: Path, values: Array | None = None, files: int = 1, **attributes: Any
) -> Path:
    """Write a block of a BigFile: rainwoodman/bigfile, src/bigfile.c.

    Parameters
    ----------
    path : Path
        Its folder.
    values : ndarray, shape (n,) or (n, m), optional
    files : int
    **attributes
        Numbers, sequences of numbers, or texts; ``__`` in a name stands for a dot.
    """
    path.mkdir(parents=True, exist_ok=True)
    rows = np.zeros((0, 1), "<i8") if values is None else values.reshape(len(values), -1)
    edges = np.linspace(0, len(rows), files + 1).astype(int)
    lines = [f"DTYPE: {rows.dtype.str}", f"NMEMB: {rows.shape[1]}", f"NFILE: {files}"]
    for k in range(files):
        data = np.ascontiguousarray(rows[edges[k] : edges[k + 1]]).tobytes()
        (path / f"{k:06X}").write_bytes(data)
        total = sum(data)
        lines.append(f"{k:06X}: {edges[k + 1] - edges[k]} : {total % 65535} : {total}")
    (path / "header").write_text("\n".join(lines) + "\n")
    texts = []
    for name, value in attributes.items():
        array = np.frombuffer(value.encode(), "S1") if isinstance(value, str) else np.array(value)
        array = array.ravel()
        kind = array.dtype.str.replace("|", "")
        texts.append(
            f"{name.replace('__', '.')} {kind} {array.size} {array.tobytes().hex().upper()} "
            "#HUMANE [ ... ]\n"
        )
    (path / "attr-v2").write_text("".join(texts))
    return path


def write_fastpm(
    path: Path,
    position: Array,
    mass: float,
    *,
    box_size: float,
    redshift: float,
    cosmology: Cosmology,
    files: int = 1,
    unit: float | None = None,
    own_mass: bool = False,
    **header: Any,
) -> Path:
    """Write dark matter as FastPM does or, with a ``unit`` of length, as MP-Gadget does.

    Parameters
    ----------
    path : Path
        The folder of the snapshot.
    position, mass, box_size, redshift, cosmology, files, unit
        See `write_gadget_binary`; there is one mass.
    own_mass : bool
        Write a mass for each particle.
    **header
        Attributes of the header in place of the right ones.
    """
    a, per_mpc = 1.0 / (1.0 + redshift), 1.0 if unit is None else unit
    by_type = np.zeros(_TYPES)
    by_type[_DARK_MATTER] = 1
    facts: dict[str, Any] = {"BoxSize": box_size * per_mpc, "OmegaLambda": cosmology.omega_lambda}
    facts |= {"HubbleParam": cosmology.h}
    if unit is None:
        side = round(len(position) ** (1 / 3))
        facts |= {"ScalingFactor": a, "OmegaM": cosmology.omega_m, "NC": side}
        facts |= {"M0": mass / MASS_UNIT}
    else:
        facts |= {"Time": a, "Omega0": cosmology.omega_m, "UnitMass_in_g": 1.989e43}
        facts |= {
            "UnitLength_in_cm": 3.085678e24 / unit,
            "TotNumPart": (by_type * len(position)).astype("i8"),
            "MassTable": by_type * (0.0 if own_mass else mass / MASS_UNIT),
        }
    write_bigfile_block(path / "Header", **(facts | header))
    write_bigfile_block(path / "1" / "Position", (position * per_mpc).astype("<f8"), files)
    if own_mass:
        masses = np.full(len(position), mass / MASS_UNIT)
        write_bigfile_block(path / "1" / "Mass", masses.astype("<f4"), files)
    return path
