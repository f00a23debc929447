"""The files beside a catalogue: the names of randoms, and the number density by redshift.

DESI: ``LRG_NGC_clustering.dat.fits`` has ``LRG_NGC_0_clustering.ran.fits`` and ``LRG_NGC_nz.txt``.
BOSS: ``galaxy_CMASS_North.fits`` has ``random0_CMASS_North.fits`` and ``nbar_CMASS_North.dat``.
Beside other names, ``X.fits``, are ``X_ran.fits`` and ``X_nz.txt`` or ``nbar_X.dat``. Randoms of
other models are ``X-randoms.fits``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import warn
from ...system.files.atomic import atomic_output
from ...theory.distances import distances
from ...types import Array, GalaxyCatalog

_DESI, _BOSS = "_clustering.dat", "galaxy_"
_LAST = "# mockgal "  # begins the last line
_SKY = 360.0**2 / np.pi  # deg^2
_KEEP = {"close pairs", "weights", "regions"}  # steps that keep the weighted density


def _stem(path: Path) -> tuple[str, str]:
    """Return the name of a file up to its extension, which may be of two parts, and the rest."""
    name = path.name
    end = path.suffix if path.suffix != ".gz" else Path(path.stem).suffix + path.suffix
    return (name[: -len(end)], end) if end else (name, "")


def randoms_path(path: Path, model: str) -> Path:
    """Return the path of the randoms that belong to the galaxies at ``path``."""
    stem, end = _stem(path)
    if model == "desi" and stem.endswith(_DESI):
        return path.with_name(f"{stem.removesuffix(_DESI)}_0_clustering.ran{end}")
    if model == "boss" and stem.startswith(_BOSS):
        return path.with_name(f"random0_{stem.removeprefix(_BOSS)}{end}")
    return path.with_name(f"{stem}{'_ran' if has_density(model) else '-randoms'}{end}")


def has_density(model: str) -> bool:
    """Return whether a data model has a file of the number density by redshift."""
    return model in ("desi", "boss")


def density_path(path: Path, model: str) -> Path:
    """Return the path of the number density by redshift of the galaxies at ``path``."""
    stem, _ = _stem(path)
    if model == "boss":
        return path.with_name(f"nbar_{stem.removeprefix(_BOSS)}.dat")
    return path.with_name(f"{stem.removesuffix(_DESI)}_nz.txt")


def density_text(galaxies: GalaxyCatalog, model: str) -> str:
    """Return the number density by redshift, as a survey's files have it.

    Counts are of ``weight``, in the bins and over the area of the step n(z). Densities are in
    h^3 Mpc^-3, volumes in (Mpc/h)^3.

    Parameters
    ----------
    galaxies : GalaxyCatalog
    model : str
        ``"desi"`` or ``"boss"``.

    Returns
    -------
    str
        Empty if the model has no such file, or the catalogue does not record the step n(z) (for
        BOSS: and weights); or if its area and bins are no longer those of the galaxies, because a
        step or a cut came after it.
    """
    done = list(galaxies.provenance.get("survey", ()))
    steps = {step.get("step"): step for step in done}
    if "n(z)" not in steps or not has_density(model):
        return ""
    step = steps["n(z)"]
    since = done[done.index(step) + 1 :]
    left = [one["after"] for one in (step, *since) if "after" in one][-1]
    if {one.get("step") for one in since} - _KEEP or left != len(galaxies):
        warn(
            "no file of n(z) is written: galaxies were left out, or redshifts changed, after the "
            "step n(z)",
        )
        return ""
    edges, area = np.array(step["edges"], dtype=np.float64), float(step["area_deg2"])
    far = distances(galaxies.snapshot.cosmology, float(edges[-1])).distances(edges)
    volume = area / _SKY * 4.0 / 3.0 * np.pi * np.diff(far**3)
    weight = galaxies.columns.get("weight")
    count, _ = np.histogram(galaxies[step["redshifts"]], edges, weights=weight)
    density = count / volume
    last = f"{_LAST}{galaxies.provenance.get('version')}, content {galaxies.digest()}"
    columns = [(edges[1:] + edges[:-1]) / 2, edges[:-1], edges[1:], density]
    if model == "desi":
        head = [f"#area is {area!r}square degrees", "#zmid zlow zhigh n(z) Nbin Vol_bin"]
        return _text(head, [*columns, count, volume], last)
    if "weights" not in steps:
        return ""
    power = density * float(steps["weights"]["fkp_power_mpc3_h3"])
    effective = float(np.sum((power / (1.0 + power)) ** 2 * volume))
    head = [
        f"# effective area (deg^2), effective volume (Mpc/h)^3: {area!r} {effective!r}",
        "# zcen,zlow,zhigh,nbar,wfkp,shell_vol,total weighted gals",
    ]
    return _text(head, [*columns, 1.0 / (1.0 + power), volume, count], last)


def _text(head: list[str], columns: list[Array], last: str) -> str:
    rows = [" ".join(repr(float(x)) for x in row) for row in zip(*columns, strict=True)]
    return "\n".join([*head, *rows, last]) + "\n"


def content_in(path: Path) -> str:
    """Return the content digest that the last line of a file of `density_text` states, or ""."""
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 300))
        last = file.read().decode("ascii", "replace").rstrip("\n").rpartition("\n")[2]
    return last.rpartition("content ")[2] if last.startswith(_LAST) else ""


def write_density(text: str, path: Path, *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Write the text of `density_text` to ``path``, completely or not at all."""
    how: dict[str, Any] = {"overwrite": overwrite, "inputs": inputs, "expected_bytes": len(text)}
    with atomic_output(path, **how) as temporary:
        temporary.write_text(text, encoding="ascii")
