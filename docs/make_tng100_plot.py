"""Compare the calibration tng100-1 with the published stellar-mass function, and draw it.

    python docs/make_tng100_plot.py DIRECTORY

DIRECTORY holds tng100-1/tables and published/Pillepich2018_TNG100.txt, which are not part of this
project; needs colossus and matplotlib (extra: docs). Writes docs/images/tng100-1.png and prints
the tables of docs/explanation/tng100-1.md, which says what is compared with what.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from colossus.cosmology import cosmology
from colossus.lss import mass_function
from matplotlib.figure import Figure
from scipy.special import ndtr

import mockgal
from mockgal.cosmology import Cosmology
from mockgal.painters.hod.painter import HODPainter
from mockgal.painters.hod.store import named
from mockgal.statistics.plotting.palette import BLUE, SKY, VERMILLION, picture_style
from mockgal.types import HaloCatalog, Scene, Snapshot

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "studies"))
from calibrate_tng100 import UNIT, Tables, own_halos, read  # noqa: E402

H, OMEGA_M, OMEGA_B, SIGMA_8, N_S = 0.6774, 0.3089, 0.0486, 0.8159, 0.9667  # of TNG100-1
TNG_BOX, BOX = 75.0, 300.0  # [Mpc/h]; the drawn population fills 64 boxes
HALF_WIDTH = 0.1  # of the published bins [dex]
DRAWS = 10
AIM = (9.5, 11.2)  # where agreement to 15% is asked for [log10 Msun]
POPULATIONS = {
    "Tinker et al. 2008 (gravity only)": {"model": "tinker08"},
    "Bocquet et al. 2016 (with baryons)": {"model": "bocquet16", "hydro": True},
}


def host_masses(**model: object) -> np.ndarray:
    """M200c of all hosts above 10^10.4 Msun/h [Msun/h] in the drawn box: no noise, just enough."""
    edges = np.arange(10.4, 15.2001, 0.002)
    mass = 10 ** (0.5 * (edges[1:] + edges[:-1]))
    density = mass_function.massFunction(mass, 0.0, mdef="200c", q_out="dndlnM", **model)
    number = np.cumsum(np.log(10) * np.diff(edges) * density) * BOX**3
    ranks = np.arange(0.5, number[-1])
    return 10 ** np.interp(ranks, np.append(0.0, number), edges)


def bound_over_host(tables: Tables) -> tuple[float, float, float]:
    """Slope, value at 10^13 Msun/h, and scatter of log10 of bound mass over M200c of centrals."""
    host = tables.groups["Group_M_Crit200"].astype(float) * UNIT
    bound = tables.subhalos["mass"][tables.groups["central"]]
    complete = np.log10(host) >= 12.85
    x, y = np.log10(host[complete]) - 13.0, np.log10(bound[complete] / host[complete])
    slope, value = np.polyfit(x, y, 1)
    return slope, value, float(np.std(y - slope * x - value))


def population(masses: np.ndarray, ratio: tuple[float, float, float], seed: int = 1) -> Scene:
    """Hosts with their centrals, and satellites in the numbers of the calibration table.

    Satellites are given a mass at which all are luminous, so that the numbers in the table, which
    are those of luminous satellites, are painted.
    """
    rng = np.random.default_rng(seed)
    table = named("tng100-1")
    rows = table.rows(1)
    centre = 0.5 * (table.edges(1)[1:] + table.edges(1)[:-1])
    slope, value = np.polyfit(centre, np.log10(table.columns["number_hydro_mean"][rows]), 1)
    log_host = np.log10(masses)
    has = log_host >= table.edges(1)[0]
    number = np.where(has, rng.poisson(10 ** (value + slope * log_host) * has), 0)
    host = np.concatenate([np.arange(len(masses)), np.repeat(np.arange(len(masses)), number)])
    central = np.arange(len(host)) < len(masses)
    log_bound = log_host + ratio[1] + ratio[0] * (log_host - 13.0)
    log_bound += ratio[2] * rng.standard_normal(len(masses))
    luminous_mass = 10 ** table.columns["luminous_log_mass"][rows].max()
    place = rng.random((len(masses), 3)) * BOX
    columns = {
        "halo_id": np.arange(len(host)),
        "host_id": host,
        "is_central": central,
        "position": place[host],
        "velocity": np.zeros((len(host), 3)),
        "mass": np.where(central, 10 ** log_bound[host], luminous_mass),
        "vmax": np.zeros(len(host)),
        "host_mass": masses[host],
    }
    model = Cosmology(H, OMEGA_M, 1.0 - OMEGA_M)
    snapshot = Snapshot("drawn", BOX, 0.0, model, table.particle_mass, "drawn")
    return Scene(snapshot, HaloCatalog(columns, "200c"))


def per_dex(stellar_mass: np.ndarray, log_centre: np.ndarray, box: float) -> np.ndarray:
    """Number density per dex [Mpc^-3 dex^-1], from masses in Msun/h and a box in Mpc/h."""
    log_mass = np.log10(stellar_mass / H)
    number = [np.sum(np.abs(log_mass - x) < HALF_WIDTH) for x in log_centre]
    return np.array(number) / ((box / H) ** 3 * 2 * HALF_WIDTH)


def closure(tables: Tables, painter: HODPainter, log_centre: np.ndarray) -> np.ndarray:
    """Number density painted on the halos that the table was made from, mean of `DRAWS`."""
    total = np.zeros(len(log_centre))
    centrals, groups = own_halos(tables)
    for seed in range(DRAWS):
        stellar = mockgal.paint(centrals, painter, seed=seed)["stellar_mass"].astype(float)
        total += 2.0 * per_dex(stellar, log_centre, TNG_BOX)
        mock = mockgal.paint(groups, painter, seed=seed)
        stellar = mock["stellar_mass"][~mock["is_central"]].astype(float)
        total += per_dex(stellar, log_centre, TNG_BOX)
    return total / DRAWS


def outside(tables: Tables) -> dict[str, np.ndarray]:
    """Galaxies of the random half that the table is not made of, or not meant for, by the reason.

    Groups are numbered by their mass, and subhalos by group: a satellite numbered beyond the
    groups of the table is in a lighter host. The heavy groups that are not in the tables are within
    the calibration's range all the same.
    """
    half, groups = tables.half, tables.groups
    stop = groups["GroupFirstSub"] + groups["GroupNsubs"]
    place = np.searchsorted(groups["GroupFirstSub"], half["id"], side="right") - 1
    inside = (place >= 0) & (half["id"] < stop[np.maximum(place, 0)])
    log_host = np.log10(groups["Group_M_Crit200"].astype(float) * UNIT)[np.maximum(place, 0)]
    light = (inside & (log_host < 12.85)) | (half["id"] >= stop[-1])
    return {
        "satellites of heavy groups not in the tables": ~half["central"] & ~inside & ~light,
        "satellites of hosts below 7e12": ~half["central"] & light,
        "centrals of bound mass below 1e11": half["central"] & (half["mass"] < 1e11),
    }


def bound_mass_function(ratio: tuple[float, float, float], **model: object) -> np.ndarray:
    """Centrals by bound mass in a box like TNG100, 0.2 dex bins from 10^11 Msun/h."""
    log_host = np.arange(10.4, 15.2, 0.005)
    density = mass_function.massFunction(10**log_host, 0.0, mdef="200c", q_out="dndlnM", **model)
    weight = density * np.log(10) * 0.005 * TNG_BOX**3
    log_bound = log_host + ratio[1] + ratio[0] * (log_host - 13.0)
    edges = np.arange(11.0, 13.41, 0.2)
    below = ndtr((edges[:, None] - log_bound) / ratio[2]) @ weight
    return np.diff(below)


def main(directory: Path) -> None:
    """Draw the picture and print the numbers."""
    tables = read(directory / "tng100-1/tables")
    published = np.loadtxt(directory / "published/Pillepich2018_TNG100.txt")[:, :2]
    log_mass = np.log10(published[:, 0])
    shown = (log_mass > 8.9) & (log_mass < 12.2)
    log_mass, published = log_mass[shown], published[shown, 1]
    counts = published * (TNG_BOX / H) ** 3 * 2 * HALF_WIDTH
    cosmology.setCosmology(
        "TNG100",
        params={"flat": True, "H0": 100 * H, "Om0": OMEGA_M, "Ob0": OMEGA_B, "sigma8": SIGMA_8,
                "ns": N_S},
        persistence="",
    )  # fmt: skip

    half = tables.half["stellar_mass"]
    bound_stars = 2.0 * per_dex(half, log_mass, TNG_BOX)
    left_out = {
        why: 2.0 * per_dex(half[chosen], log_mass, TNG_BOX)
        for why, chosen in outside(tables).items()
    }
    heavy = left_out.pop("satellites of heavy groups not in the tables")
    missing = sum(left_out.values())
    ratio = bound_over_host(tables)
    print(
        f"bound mass over M200c of centrals above 7e12 Msun/h: 10^{ratio[1]:.3f} "
        f"(M200c / 1e13)^{ratio[0]:.3f}, scatter {ratio[2]:.3f} dex"
    )
    painted = {}
    painter = HODPainter("tng100-1", missing_twin="uncorrected", allow_extrapolation=True)
    for label, model in POPULATIONS.items():
        scene = population(host_masses(**model), ratio)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", mockgal.errors.MockgalWarning)
            mock = mockgal.paint(scene, painter, seed=1)
        painted[label] = per_dex(mock["stellar_mass"].astype(float), log_mass, BOX)
        share = np.mean(np.log10(mock["halo_mass"]) >= named("tng100-1").edges(1)[-1])
        print(f"{label}: {len(mock)} galaxies, {share:.1%} in hosts above the range")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mockgal.errors.MockgalWarning)
        own = heavy + missing + closure(tables, painter, log_mass)

    print("\nstellar mass [log10 Msun]; over the published function:")
    print(
        "log M*  all bound stars  on its own halos  "
        + "  ".join(f"{x}: painted, + left out" for x in painted)
    )
    for i in range(len(log_mass)):
        values = [f"{bound_stars[i] / published[i]:15.2f}  {own[i] / published[i]:17.2f}"]
        for phi in painted.values():
            values.append(
                f"{phi[i] / published[i]:.2f}, {(phi[i] + missing[i]) / published[i]:.2f}"
            )
        parts = ", ".join(f"{x[i] / bound_stars[i]:.2f} {why}" for why, x in left_out.items())
        print(f"{log_mass[i]:.2f}  " + "  ".join(values) + f"  left out: {parts}")
    print("\ncentrals by bound mass [log10 Msun/h], expected over found:")
    log_bound = np.log10(tables.half["mass"][tables.half["central"]])
    found = 2 * np.histogram(log_bound, np.arange(11.0, 13.41, 0.2))[0]
    expected = [bound_mass_function(ratio, **model) for model in POPULATIONS.values()]
    for i in range(len(found)):
        values = "  ".join(f"{x[i] / found[i]:.2f}" for x in expected)
        print(f"{11.1 + 0.2 * i:.1f}  {values}  +- {np.sqrt(2 / found[i]):.2f}")

    figure = Figure(figsize=(7.5, 8), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    error = published / np.sqrt(np.maximum(counts, 1.0))
    top.errorbar(
        log_mass, published, error, fmt="ko", ms=4, zorder=5,
        label="TNG100, Pillepich et al. 2018 (stars within 30 kpc)",
    )  # fmt: skip
    top.plot(log_mass, bound_stars, "k--", lw=1, label="TNG100, all bound stars (twice the half)")
    styles = {"satellites": ":", "centrals": "-."}
    for why, phi in left_out.items():
        label = f"of these, outside the table: {why} Msun/h"
        known = np.where(phi > 0, phi, np.nan)
        top.plot(log_mass, known, color="0.5", ls=styles[why.split()[0]], lw=1.5, label=label)
    bottom.axhspan(0.85, 1.15, color="0.9")
    bottom.axhline(1.0, color="k", lw=0.8)
    bottom.errorbar(log_mass, np.ones(len(log_mass)), error / published, fmt="ko", ms=3)
    bottom.plot(log_mass, bound_stars / published, "k--", lw=1)
    label = "painted on TNG100's own halos (what is outside the table added)"
    top.plot(log_mass, own, color=SKY, marker="^", ms=4, lw=1, label=label)
    bottom.plot(
        log_mass, own / published, color=SKY, marker="^", ms=4, lw=1,
        label="painted on TNG100's own halos",
    )  # fmt: skip
    looks = ((VERMILLION, "s"), (BLUE, "D"))
    for (label, phi), (colour, marker) in zip(painted.items(), looks, strict=True):
        look = {"color": colour, "marker": marker, "ms": 4}
        top.plot(log_mass, phi, **look, label=f"painted on hosts of {label}")
        bottom.plot(log_mass, phi / published, **look, label="painted")
        bottom.plot(
            log_mass, (phi + missing) / published, **look, ls="--",
            label="with what is outside the table",
        )  # fmt: skip
    for axis in (top, bottom):
        axis.axvspan(*AIM, color="0.5", alpha=0.1)
        axis.grid(alpha=0.3)
    top.set(yscale="log", ylim=(2e-8, 4e-2), ylabel=r"$\Phi$ [Mpc$^{-3}$ dex$^{-1}$]")
    top.set_title("The calibration tng100-1, painted uncorrected, and TNG100 at z = 0")
    top.legend(fontsize=8, loc="lower left")
    bottom.set(ylim=(0.4, 1.8), xlabel=r"$\log_{10}\ M_*\ [M_\odot]$", ylabel="over the published")
    bottom.legend(fontsize=8, ncols=2, loc="upper left")
    figure.savefig(HERE / "images/tng100-1.png", dpi=110)


if __name__ == "__main__":
    with picture_style():
        main(Path(sys.argv[1]))
