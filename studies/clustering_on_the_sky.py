"""Clustering on the sky of made-up boxes whose correlation function is known, over many seeds.

    python studies/clustering_on_the_sky.py CASE --seeds 100 --out FOLDER

CASE is randoms (other randoms in place of galaxies), poisson (points at random), lognormal, linear
(a linear field; these three in real space) or kaiser (the same linear field, with its linear
velocities in redshift space). Each box is put on the sky: a light cone, a HEALPix map with holes
and a completeness, a number density that falls with redshift, FKP weights, and randoms. Galaxies
are thinned by a chance that is the same for all seeds. With --matched they are thinned to exactly
n(z), as surveys are made: then each bin of redshift has the mean density, and xi lacks its mean
over pairs in one bin.

Each seed is stored in FOLDER as it is done, so that the study can go on later. At the end tables
say how far the mean over seeds is from what is known, in share of the signal and in errors of the
mean, and how large the errors are over the scatter of the seeds. 100 seeds of a case take about ten
minutes of one core.

What is known: xi(r) of the field is A exp(-r^2 / 2 V) (of its logarithm, in lognormal), smoothed by
the cells that galaxies are put into; w_p and w(theta) are integrals of it, and P_l(k) its transform
with the measured window. In redshift space the multipoles are Kaiser's.
"""

from __future__ import annotations

import argparse
import math
import warnings
from pathlib import Path

import numpy as np
from scipy.special import spherical_jn
from scipy.stats import chi2

import mockgal
from mockgal.cosmology import Cosmology
from mockgal.survey.footprint import SkyBox, SkyMap, within
from mockgal.survey.light_cone import light_cone
from mockgal.survey.number_density import NumberDensity, to_number_density
from mockgal.survey.randoms import randoms
from mockgal.survey.regions import Regions, with_regions
from mockgal.survey.steps import uniform
from mockgal.survey.weights import with_weights
from mockgal.theory.distances import distances
from mockgal.types import GalaxyCatalog, Snapshot

SIDE, CELLS, NUMBER = 400.0, 128, 120_000  # Mpc/h, cells along a side, galaxies in a box
COSMOLOGY = Cosmology(0.7, 0.3, 0.7)
VARIANCE = 128.0  # V [(Mpc/h)^2]
AMPLITUDE = {"randoms": 0.0, "poisson": 0.0, "lognormal": 0.5, "linear": 0.06, "kaiser": 0.06}
RICHER = {"linear": 3, "kaiser": 3}  # more galaxies
ONLY = {"linear": ("sky_power",)}  # statistics; by default all
GROWTH = 0.5  # f, which is beta: galaxies are not biased
MATCHED = False
REGIONS, TIMES, POWER = 40, 8, 5e3
Z = np.array([0.042, 0.07, 0.095, 0.118])
DENSITY = np.array([6e-4, 5e-4, 3.5e-4])  # h^3 Mpc^-3
PI_MAX = 40.0
PARTS = {"jackknife": REGIONS, "random_parts": 4}
COMMON = {"redshifts": "redshift", **PARTS}
OPTIONS = {
    "w_theta": {"theta_min": 0.5, "theta_max": 6.0, "bins": 6, **PARTS},
    "sky_wp": {"r_min": 2.0, "r_max": 30.0, "bins": 8, "pi_max": PI_MAX, **COMMON},
    "sky_xi_multipoles": {"r_min": 4.0, "r_max": 44.0, "bins": 8, "spacing": "linear", **COMMON},
    "sky_power": {
        "grid_size": 96,
        "k_min": 0.03,
        "k_max": 0.27,
        "k_width": 0.048,  # three fundamentals of the survey's extent, as by default
        "subtract_shot_noise": True,
    },
}


def waves() -> tuple[np.ndarray, ...]:
    """Components of the wavenumber on the grid, and its square [h/Mpc]."""
    k = 2 * np.pi * np.fft.fftfreq(CELLS, SIDE / CELLS)
    last = 2 * np.pi * np.fft.rfftfreq(CELLS, SIDE / CELLS)
    x, y, z = np.meshgrid(k, k, last, indexing="ij", sparse=True)
    return x, y, z, x**2 + y**2 + z**2


def box(case: str, seed: int) -> GalaxyCatalog:
    """Galaxies in the box, whose velocities move them by f times the displacement."""
    random = np.random.default_rng(seed)
    *k, square = waves()
    power = AMPLITUDE[case] * (2 * np.pi * VARIANCE) ** 1.5 * np.exp(-square * VARIANCE / 2)
    white = np.fft.rfftn(random.standard_normal((CELLS,) * 3))
    linear = white * np.sqrt(power * CELLS**3 / SIDE**3)
    linear[0, 0, 0] = 0.0
    field = np.fft.irfftn(linear, (CELLS,) * 3)
    mean = np.exp(field - AMPLITUDE[case] / 2) if case == "lognormal" else np.maximum(1 + field, 0)
    count = random.poisson(mean * RICHER.get(case, 1) * NUMBER / CELLS**3)
    cell = np.repeat(np.arange(CELLS**3), count.ravel())
    corner = np.stack(np.unravel_index(cell, (CELLS,) * 3), axis=1)
    place = (corner + random.uniform(0, 1, corner.shape)) * (SIDE / CELLS) * (1 - 1e-12)
    velocity = np.zeros_like(place)
    if case == "kaiser":
        safe = np.where(square > 0, square, 1.0)
        far = np.linalg.norm(place, axis=1)
        z = distances(COSMOLOGY, 0.3).redshifts(far)
        rate = np.interp(z, x := np.linspace(0, 0.3, 301), [*map(COSMOLOGY.expansion_rate, x)])
        for axis in range(3):
            moved = np.fft.irfftn(1j * k[axis] / safe * linear, (CELLS,) * 3)
            velocity[:, axis] = GROWTH * moved.ravel()[cell] * 100 * rate / (1 + z)
    ids = np.arange(len(place))
    columns = {"galaxy_id": ids, "halo_id": ids, "is_central": ids >= 0}
    columns["stellar_mass"] = np.full(len(ids), 1e10, dtype="f4")
    for axis, name in enumerate("xyz"):
        columns[f"position_{name}"] = place[:, axis]
        columns[f"velocity_{name}"] = velocity[:, axis]
    return GalaxyCatalog(columns, Snapshot(case, SIDE, 0.0, COSMOLOGY, 1e9, "made up"), "box", {})


def footprint() -> SkyMap:
    """The octant around which the box lies, with holes and a completeness of 0.6 to 1."""
    from astropy_healpix import healpix_to_lonlat

    nside = 16
    lon, lat = (x.to_value("deg") for x in healpix_to_lonlat(np.arange(12 * nside**2), nside))
    random = np.random.default_rng(0)
    values = random.uniform(0.6, 1.0, len(lon)) * (random.uniform(size=len(lon)) > 0.05)
    return SkyMap(values * ((lon < 90) & (lat > 3)), nested=False, name="a map with holes")


def on_the_sky(case: str, seed: int) -> tuple[GalaxyCatalog, GalaxyCatalog, np.ndarray]:
    """Galaxies and randoms of the survey, and the numbers in cells of the light cone."""
    mask, density = footprint(), NumberDensity(Z, RICHER.get(case, 1) * DENSITY)
    around = SkyBox((355, 95), (0, 90))  # pixels of the map reach beyond 0 and 90 deg
    cone = light_cone(box(case, seed), redshifts=(0.03, 0.13), footprint=around)
    if case == "randoms":
        galaxies = randoms(cone, mask, density, number=6500, seed=seed + 100_000)
    else:
        galaxies = within(cone, mask, seed=seed)
    if MATCHED:
        galaxies = to_number_density(galaxies, density, area=mask.area, by="random", seed=seed)
    elif case != "randoms":
        share = density.at(galaxies["redshift"]) / (RICHER.get(case, 1) * NUMBER / SIDE**3)
        galaxies = galaxies.take(np.flatnonzero(uniform(galaxies, seed, "thinned") < share))
    number = TIMES * len(galaxies) // RICHER.get(case, 1)
    points = randoms(galaxies, mask, density, number=number, seed=seed)
    regions = Regions.of(points["ra"], points["dec"], REGIONS)
    weighed = [with_weights(one, density, power=POWER) for one in (galaxies, points)]
    made = [with_regions(one, regions) for one in weighed]
    return made[0], made[1], counts(cone)


def counts(cone: GalaxyCatalog) -> np.ndarray:
    """Numbers in 36 cells of equal volume of the light cone: 9 of the octant, 4 shells."""
    low, high = distances(COSMOLOGY, 0.3).distances(np.array([0.03, 0.13])) ** 3
    parts = [cone["ra"] / 90, np.sin(np.radians(cone["dec"]))]
    parts.append((cone["distance"] ** 3 - low) / (high - low))
    return np.histogramdd(np.stack(parts, axis=1), bins=(3, 3, 4), range=[(0, 1)] * 3)[0].ravel()


def xi_of(case: str, r: np.ndarray) -> np.ndarray:
    """The correlation function that is known, smoothed by the cells."""
    smooth = (SIDE / CELLS) ** 2 / 6  # variance of the difference of two places in cells, an axis
    result = np.zeros_like(r)
    for order in range(1, 25 if case == "lognormal" else 2):
        amplitude = AMPLITUDE[case] ** order / math.factorial(order)
        variance = VARIANCE / order
        wide = variance + smooth
        result = result + amplitude * (variance / wide) ** 1.5 * np.exp(-(r**2) / (2 * wide))
    return result


def multipoles(case: str, s: np.ndarray) -> np.ndarray:
    """xi_0, xi_2 and xi_4 by linear theory (Hamilton 1992), shape (3, n)."""
    xi = xi_of(case, s)
    if case != "kaiser":  # in real space
        return np.stack([xi, 0 * xi, 0 * xi])
    r = np.linspace(0, s.max(), 4001)
    own, step = xi_of(case, r), r[1]
    once, twice = (np.cumsum(own * r**n) * step for n in (2, 4))
    bar = 3 * np.interp(s, r, once) / s**3
    barbar = 5 * np.interp(s, r, twice) / s**5
    f = GROWTH
    return np.stack(
        [
            (1 + 2 * f / 3 + f**2 / 5) * xi,
            (4 * f / 3 + 4 * f**2 / 7) * (xi - bar),
            8 * f**2 / 35 * (xi + 2.5 * bar - 3.5 * barbar),
        ]
    )


def at(case: str, across: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Return xi of separations across and along the line of sight."""
    s = np.sqrt(across**2 + along**2)
    mu = along / s
    legendre = [np.ones_like(mu), 1.5 * mu**2 - 0.5, (35 * mu**4 - 30 * mu**2 + 3) / 8]
    flat = multipoles(case, s.ravel()).reshape(3, *s.shape)
    return sum(xi * poly for xi, poly in zip(flat, legendre, strict=True))


def within_bins(edges: np.ndarray, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Places in each bin and their weights by volume, shape (n, 40)."""
    x = edges[:-1, None] + np.diff(edges)[:, None] * (np.arange(40) + 0.5) / 40
    weight = x ** (dimensions - 1)
    return x, weight / weight.sum(axis=1, keepdims=True)


def known(case: str, name: str, found: mockgal.Measurement, window: dict) -> dict:
    """What each estimate should be in the bins of a result."""
    axis = found.axis
    edges = np.append(found[f"{axis}_low"], found[f"{axis}_high"][-1])
    if name == "sky_wp":
        x, weight = within_bins(edges, 2)
        pi = (np.arange(400) + 0.5) * PI_MAX / 400
        inner = at(case, x[:, :, None], pi) * (2 * PI_MAX / 400)
        return {"w_p": (inner.sum(axis=2) * weight).sum(axis=1)}
    if name == "sky_xi_multipoles":
        x, weight = within_bins(edges, 3)
        values = multipoles(case, x.ravel()).reshape(3, *x.shape)
        return {f"xi_{2 * k}": (values[k] * weight).sum(axis=1) for k in range(3)}
    if name == "w_theta":
        x, weight = within_bins(edges, 2)
        far = distances(COSMOLOGY, 0.3)
        r = np.linspace(*far.distances(Z[[0, -1]]), 300)
        n = NumberDensity(Z, RICHER.get(case, 1) * DENSITY).at(far.redshifts(r))
        n = r**2 * n / (1 + n * POWER)
        one, two = r[:, None], r[None, :]
        result = []
        for theta, share in zip(np.radians(x), weight, strict=True):
            each = []
            for angle in theta[::4]:
                squares, product = one**2 + two**2, 2 * one * two * np.cos(angle)
                line = np.abs(two**2 - one**2) / np.sqrt(squares + product)
                across = np.sqrt(np.maximum(squares - product - line**2, 1e-12))
                each.append((n[:, None] * n * at(case, across, line)).sum() / n.sum() ** 2)
            result.append(np.average(each, weights=share[::4]))
        return {"w": np.array(result)}
    s, q = window["s"], window["q"]
    r = np.linspace(0.05, 150, 3000)
    poles = multipoles(case, r)
    q = np.stack([np.interp(r, s, row) for row in q])
    q0, q2, q4 = q
    xi0, xi2, xi4 = poles  # Beutler et al. 2017, eqs. 27 to 29, up to the hexadecapole
    convolved = [
        xi0 * q0 + xi2 * q2 / 5 + xi4 * q4 / 9,
        xi0 * q2 + xi2 * (q0 + 2 / 7 * q2 + 2 / 7 * q4) + xi4 * (2 / 7 * q2 + 100 / 693 * q4),
        xi0 * q4
        + xi2 * (18 / 35 * q2 + 20 / 77 * q4)
        + xi4 * (q0 + 20 / 77 * q2 + 162 / 1001 * q4),
    ]
    k, weight = within_bins(edges, 3)
    result = {}
    for order, (label, xi) in enumerate(
        zip(("power", "quadrupole", "hexadecapole"), convolved, strict=True)
    ):
        kernel = spherical_jn(2 * order, k[:, :, None] * r) * r**2 * xi
        value = 4 * np.pi * (-1) ** order * kernel.sum(axis=2) * (r[1] - r[0])
        result[label] = (value * weight).sum(axis=1)
    return result


def one(case: str, seed: int, folder: Path) -> None:
    """Measure one seed, and store it."""
    path = folder / f"{case}-{seed:04d}.npz"
    if path.exists():
        return
    galaxies, points, numbers = on_the_sky(case, seed)
    stored = {"counts": numbers}
    for name in ONLY.get(case, OPTIONS):
        found = mockgal.measure(galaxies, name, randoms=points, **OPTIONS[name])
        for estimate in found.estimates:
            stored[f"{name}/{estimate}"] = found[estimate]
            stored[f"{name}/{estimate}_error"] = found[f"{estimate}_error"]
            if found.left_out:
                stored[f"{name}/{estimate}_covariance"] = found.jackknife_covariance(estimate)
    np.savez(path.with_suffix(".part.npz"), **stored)
    path.with_suffix(".part.npz").rename(path)
    print(path, len(galaxies), flush=True)


def table(case: str, folder: Path) -> None:
    """Print how the mean over the stored seeds compares with what is known."""
    stored = [np.load(path) for path in sorted(folder.glob(f"{case}-????.npz"))]
    galaxies, points, _ = on_the_sky(case, 1)
    window = mockgal.measure(galaxies, "sky_window", randoms=points, r_min=2.0, r_max=200.0)
    held = {"s": window["s"], "q": np.stack([window[f"window_{k}"] for k in (0, 2, 4)])}
    print(f"\n{case}, {len(stored)} seeds; jackknife of {REGIONS} regions\n")
    head = "estimate", "bin", "known", "mean less known", "off by", "error / scatter"
    print("|", " | ".join(head), "|\n|---|---|---|---|---|---|")
    every = []
    for name in ONLY.get(case, OPTIONS):
        found = mockgal.measure(galaxies, name, randoms=points, **OPTIONS[name])
        for estimate, truth in known(case, name, found, held).items():
            values = np.array([one[f"{name}/{estimate}"] for one in stored])
            errors = np.array([one[f"{name}/{estimate}_error"] for one in stored])
            every.append((estimate, *rows(found, estimate, truth, values, errors)))
    chance = (
        "| estimate | chi^2 of the mean | bins | chance | error / scatter |\n|---|---|---|---|---|"
    )
    print("\n" + chance)
    for estimate, square, number, ratio in every:
        share = chi2.sf(square, number)
        print(f"| {estimate} | {square:.1f} | {number} | {share:.2f} | {ratio:.2f} |")
    numbers = np.array([one["counts"] for one in stored])
    low, high = distances(COSMOLOGY, 0.3).distances(np.array([0.03, 0.13]))
    expected = RICHER.get(case, 1) * NUMBER / SIDE**3 * np.pi / 6 * (high**3 - low**3) / 36
    pull = (numbers - expected) / np.sqrt(expected)
    print(
        f"\nnumbers in {numbers.size} cells of {expected:.1f} galaxies expected: mean / expected "
        f"{numbers.mean() / expected:.4f}, chi^2 / cells {np.mean(pull**2):.3f}"
    )


def rows(
    found: mockgal.Measurement,
    estimate: str,
    truth: np.ndarray,
    values: np.ndarray,
    errors: np.ndarray,
) -> tuple[float, int, float]:
    """Print each bin; return chi^2 of the mean, the number of bins, and error over scatter."""
    number = len(values)
    mean, scatter = values.mean(axis=0), values.std(axis=0, ddof=1)
    of_mean = scatter / np.sqrt(number)
    ratio = np.sqrt(np.mean(errors**2, axis=0)) / scatter
    for k, known_value in enumerate(truth):
        low, high = (found[f"{found.axis}_{end}"][k] for end in ("low", "high"))
        off, unit = (mean[k] - known_value, of_mean[k]), ""
        if abs(known_value) > 5 * of_mean[k]:
            off, unit = tuple(100 * x / abs(known_value) for x in off), "%"
        print(
            f"| {estimate} | {low:.3g} to {high:.3g} | {known_value:.4g} | {off[0]:+.2g}{unit} "
            f"+- {off[1]:.2g}{unit} | {off[0] / off[1]:+.1f} | {ratio[k]:.2f} |"
        )
    chi = (mean - truth) @ np.linalg.solve(np.cov(values, rowvar=False) / number, mean - truth)
    chi *= (number - len(truth) - 2) / (number - 1)  # Hartlap et al. 2007
    return float(chi), len(truth), float(np.sqrt(np.mean(ratio**2)))


def ratios(folder: Path) -> None:
    """Print the power in redshift space over that of the same fields in real space."""
    pairs = []
    for path in sorted(folder.glob("kaiser-????.npz")):
        other = path.with_name(path.name.replace("kaiser", "linear"))
        if other.exists():
            pairs.append((np.load(path), np.load(other)))
    if len(pairs) < 3:
        return
    at = slice(0, 3)  # k up to 0.17 h/Mpc, where the power is above the shot noise
    real = np.array([b["sky_power/power"][at].sum() for _, b in pairs])
    print(f"\npower in redshift space over P_0 in real space, {len(pairs)} seeds")
    f = GROWTH
    for name, expected in (
        ("power", 1 + 2 * f / 3 + f**2 / 5),
        ("quadrupole", 4 * f / 3 + 4 * f**2 / 7),
        ("hexadecapole", 8 * f**2 / 35),
    ):
        seen = np.array([a[f"sky_power/{name}"][at].sum() for a, _ in pairs])
        whole = seen.sum() / real.sum()
        others = (seen.sum() - seen) / (real.sum() - real)
        error = math.sqrt((len(others) - 1) * np.var(others))
        print(f"{name}: {whole:.3f} +- {error:.3f}; Kaiser {expected:.3f}, without the window")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", choices=AMPLITUDE)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("clustering-on-the-sky"))
    parser.add_argument("--matched", action="store_true")
    arguments = parser.parse_args()
    global MATCHED
    MATCHED = arguments.matched
    arguments.out.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore")
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        one(arguments.case, seed, arguments.out)
    table(arguments.case, arguments.out)
    if arguments.case in ("linear", "kaiser"):
        ratios(arguments.out)


if __name__ == "__main__":
    main()
