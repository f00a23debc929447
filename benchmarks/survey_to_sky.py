"""From a box to a survey: redshift space, sky, a HEALPix mask, and n(z) by stellar mass.

python benchmarks/survey_to_sky.py [--galaxies 1e6] [--repeats 3] [--parts mockgal numpy astropy]

Galaxies at random in a box, seen from its middle to half its side; a mask of half the sky; the most
massive galaxies of ten bins of redshift. The peers are the plain way, whole arrays at a time: by
NumPy, with an interpolated table of astropy's distances, and the pixels of healpy or of
astropy-healpix; and by astropy's SkyCoord. Each runs in a process of its own, on one thread.
Nanoseconds are those of the processor for a galaxy of the box; memory is what is added to that of
the galaxies, in bytes for each. All must keep the same galaxies, but for one in a million that
rounding moves over the border of a bin.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import busy, in_process, machine, peak_memory, report, table

SIDE, NSIDE, BINS = 2000.0, 128, 10  # Mpc/h
H, OMEGA_M, REDSHIFT = 0.6774, 0.3089, 0.2
EDGES = np.linspace(0.05, 0.3, BINS + 1)
KEPT = 0.2  # of the galaxies of the box, in the mask and the bins, that n(z) keeps
LIGHT = 299792.458  # km/s
STAGES = ("redshift space", "sky and mask", "n(z)")
_MADE = 1 << 20  # galaxies made at a time


def galaxies(number: int) -> dict[str, np.ndarray]:
    """Galaxies at random, as columns of mockgal."""
    random = np.random.default_rng(1)
    columns: dict[str, np.ndarray] = {"galaxy_id": np.arange(number)}
    columns["halo_id"] = columns["galaxy_id"]
    for name in ("position_x", "position_y", "position_z"):
        columns[name] = random.random(number)
        columns[name] *= SIDE
    for name in ("velocity_x", "velocity_y", "velocity_z"):
        columns[name] = random.standard_normal(number)
        columns[name] *= 300.0
    columns["stellar_mass"] = np.empty(number, dtype="f4")
    for start in range(0, number, _MADE):
        part = columns["stellar_mass"][start : start + _MADE]
        part[:] = 1e9 / (1.0 - random.random(len(part)))
    return columns


def mask() -> np.ndarray:
    """Half the pixels of the sky, in patches of 7 degrees."""
    patches = np.random.default_rng(2).random(12 * 8**2) < 0.5
    return np.repeat(patches, (NSIDE // 8) ** 2).astype(float)  # in NESTED order


def in_bins(number: int) -> np.ndarray:
    """How many galaxies n(z) keeps in each bin; the volume of a bin goes about as its distance."""
    volume = np.diff(EDGES**3)
    inside = 4 / 3 * np.pi * (2900 * EDGES[-1]) ** 3 / SIDE**3 / 2
    return np.rint(KEPT * number * inside * volume / volume.sum()).astype(int)


Stages = list[tuple[str, Callable[[Any], Any]]]


def timed(stages: Stages, start: Any, number: int, repeats: int) -> dict[str, Any]:
    """Least processor seconds of each stage, the most memory, and the ids in the end."""
    best = dict.fromkeys((name for name, _ in stages), float("inf"))
    ids: list[np.ndarray] = []

    def work() -> None:
        state = start
        for name, step in stages:
            started = time.process_time()
            state = step(state)
            best[name] = min(best[name], time.process_time() - started)
        ids[:] = [np.sort(state["galaxy_id"])]

    before, most = peak_memory(work)
    for _ in range(repeats - 1):
        work()
    return {
        "nanoseconds": {name: 1e9 * seconds / number for name, seconds in best.items()},
        "bytes": (most - before) / number,
        "kept": len(ids[0]),
        "sums": [int(x) for x in (ids[0].sum(), (ids[0] % 1009).sum())],
    }


def ours(number: int, repeats: int) -> dict[str, Any]:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from mockgal.cosmology import Cosmology
    from mockgal.errors import MockgalWarning
    from mockgal.survey.footprint import SkyMap, within
    from mockgal.survey.light_cone import light_cone
    from mockgal.survey.number_density import NumberDensity, to_number_density, volumes
    from mockgal.survey.redshift_space import redshift_space
    from mockgal.theory.distances import distances
    from mockgal.types import GalaxyCatalog, Snapshot

    warnings.simplefilter("ignore", MockgalWarning)
    cosmology = Cosmology(H, OMEGA_M, 1.0 - OMEGA_M)
    snapshot = Snapshot("a box", SIDE, REDSHIFT, cosmology, 1e9, "made up")
    footprint = SkyMap(mask(), nested=True)
    end = float(distances(cosmology, 1.0).redshifts(np.array([SIDE / 2]))[0])
    middle = (SIDE / 2, SIDE / 2, SIDE / 2)

    def sky(box: Any) -> Any:
        cone = light_cone(box, redshifts=(0.0, end), observer=middle, footprint=footprint)
        return within(cone, footprint, seed=1)

    def thin(of: int) -> Callable[[Any], Any]:
        def step(cone: Any) -> Any:
            density = in_bins(of) / volumes(cone, EDGES, footprint.area)
            target = NumberDensity(EDGES, density)
            return to_number_density(cone, target, area=footprint.area, by="threshold")

        return step

    def run(of: int, times: int) -> dict[str, Any]:
        box = GalaxyCatalog(galaxies(of), snapshot, "box", {"cuts": []})
        steps = [lambda box: redshift_space(box, "z"), sky, thin(of)]
        found = timed(list(zip(STAGES, steps, strict=True)), box, of, times)
        started = time.process_time()
        box.digest()
        return found | {"digest": 1e9 * (time.process_time() - started) / of}

    run(200_000, 1)  # compiled
    return run(number, repeats) | {"name": "mockgal"}


def plain(number: int, repeats: int, by_astropy: bool) -> dict[str, Any]:
    import astropy_healpix
    from astropy import units
    from astropy.coordinates import SkyCoord
    from astropy.cosmology import FlatLambdaCDM

    try:
        import healpy
    except ImportError:
        healpy = None
    cosmology = FlatLambdaCDM(H0=100 * H, Om0=OMEGA_M)
    grid = np.linspace(0.0, 1.0, 20_001)
    far = cosmology.comoving_distance(grid).value * H
    completeness = mask()

    def redshift_space(box: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        factor = (1 + REDSHIFT) / (100 * cosmology.efunc(REDSHIFT))
        moved = np.mod(box["position_z"] + box["velocity_z"] * factor, SIDE)
        return {**box, "position_z_rsd": moved}

    def sky(box: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        place = np.stack([box[f"position_{x}"] for x in "xyz"], axis=1) - SIDE / 2
        velocity = np.stack([box[f"velocity_{x}"] for x in "xyz"], axis=1)
        distance = np.sqrt((place**2).sum(axis=1))
        seen = distance < SIDE / 2
        place, velocity, distance = place[seen], velocity[seen], distance[seen]
        if by_astropy:
            at = SkyCoord(*place.T, unit="Mpc", representation_type="cartesian").spherical
            ra, dec = at.lon.to_value("deg"), at.lat.to_value("deg")
        else:
            ra = np.degrees(np.arctan2(place[:, 1], place[:, 0])) % 360
            dec = np.degrees(np.arcsin(place[:, 2] / distance))
        expansion = np.interp(distance, far, grid)
        along = (place * velocity).sum(axis=1) / distance
        redshift = (1 + expansion) * (1 + along / LIGHT) - 1
        if healpy is not None and not by_astropy:
            pixel = healpy.ang2pix(NSIDE, ra, dec, lonlat=True, nest=True)
        else:
            pixel = astropy_healpix.lonlat_to_healpix(
                ra * units.deg, dec * units.deg, NSIDE, order="nested"
            )
        kept = completeness[pixel] > 0
        columns = {name: values[seen][kept] for name, values in box.items()}
        own = {"ra": ra, "dec": dec, "distance": distance, "expansion": expansion}
        columns |= {name: values[kept] for name, values in (own | {"redshift": redshift}).items()}
        return columns | {"completeness": completeness[pixel[kept]]}

    def thin(cone: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        bins = np.digitize(cone["redshift"], EDGES) - 1
        rows = []
        for k, wanted in enumerate(in_bins(number)):
            own = np.flatnonzero(bins == k)
            rows.append(own[np.argsort(-cone["stellar_mass"][own], kind="stable")[:wanted]])
        chosen = np.concatenate(rows)
        return {name: values[chosen] for name, values in cone.items()}

    steps = [redshift_space, sky, thin]
    found = timed(list(zip(STAGES, steps, strict=True)), galaxies(number), number, repeats)
    pixels = "astropy-healpix" if healpy is None or by_astropy else "healpy"
    return found | {"name": f"{'SkyCoord' if by_astropy else 'NumPy'}, {pixels}"}


PARTS: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "mockgal": ours,
    "numpy": lambda number, repeats: plain(number, repeats, by_astropy=False),
    "astropy": lambda number, repeats: plain(number, repeats, by_astropy=True),
}


def render(found: dict[str, dict[str, Any]]) -> str:
    """The table of all parts, and what the record of the boxes costs."""
    rows, first = [], found.get("mockgal", {})
    for part, result in found.items():
        if "missing" in result:
            rows.append([part, result["missing"], *[""] * (len(STAGES) + 2)])
            continue
        own = result["nanoseconds"]
        total = sum(own.values())
        same = all(
            abs(a - b) <= 1e-6 * a for a, b in zip(result["sums"], first["sums"], strict=True)
        )
        numbers = [f"{own[name]:.0f}" for name in STAGES]
        rows.append(
            [
                *(result["name"], *numbers, f"{total:.0f}"),
                *(f"{result['bytes']:.0f}", "yes" if same else "NO"),
            ]
        )
    head = ["way", *(f"{name} [ns]" for name in STAGES), "all [ns]", "memory [bytes]", "equal"]
    text = table(head, rows)
    if "digest" in first:
        text += f"\nthe digest of the box, in mockgal's record of the sky: {first['digest']:.0f} ns"
    return text


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--galaxies", type=float, default=1e6)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--part", choices=PARTS)
    options = parser.parse_args(arguments)
    if options.part:
        report(PARTS[options.part](int(options.galaxies), options.repeats))
        return
    print(machine(("numpy", "numba", "astropy")) + "\n" + busy())
    own = [f"--galaxies={options.galaxies}", f"--repeats={options.repeats}"]
    print(render({x: in_process(__file__, [f"--part={x}", *own]) for x in options.parts}))


if __name__ == "__main__":
    main()
