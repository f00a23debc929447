"""Weighted pairs on the sky: mockgal with 30 regions, Corrfunc and TreeCorr without.

python benchmarks/sky_pairs.py [--points 4e5] [--corrfunc-python PATH] [--treecorr-python PATH]

Points at random on the whole sky between redshifts 0.1 and 0.2. All count on one thread, in a
process of their own; seconds are those of the processor. Corrfunc and TreeCorr may live in other
environments, whose interpreters the options name. Numbers of pairs must be equal bin by bin, and
their weights to 1e-7 (TreeCorr's have 9 digits).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import busy, in_process, machine, report, table

S_EDGES, RP_EDGES = np.linspace(1, 60, 31), np.geomspace(0.1, 30, 16)
ANGLES, PI_MAX, MU_BINS, REGIONS = np.geomspace(0.01, 5, 16), 40, 20, 30


def points(number: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(1)
    return {
        "ra": random.uniform(0, 360, number),
        "dec": np.degrees(np.arcsin(random.uniform(-1, 1, number))),
        "far": 300 * np.cbrt(random.uniform(1, 8, number)),
        "weight": random.uniform(0.5, 2, number),
        "region": random.integers(0, REGIONS, number),
    }


def timed(ways: dict[str, Callable[[], tuple[Any, Any]]], name: str) -> dict[str, Any]:
    """Processor seconds of each way, its pairs and their weights."""
    seconds, pairs, weights = {}, {}, {}
    for way, work in ways.items():
        started = time.process_time()
        number, weight = work()
        seconds[way] = time.process_time() - started
        pairs[way] = np.asarray(number).ravel().astype(int).tolist()
        weights[way] = np.asarray(weight).ravel().tolist()
    return {"name": name, "seconds": seconds, "pairs": pairs, "weights": weights}


def ours(number: int) -> dict[str, Any]:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from mockgal.statistics.sky import counts
    from mockgal.statistics.sky.sample import SkySample
    from mockgal.survey.sky import directions

    made = points(number)
    sample = SkySample(
        directions(made["ra"], made["dec"]),
        made["far"],
        made["far"],
        made["weight"],
        made["region"],
        REGIONS,
    )
    bins: dict[str, counts.Bins] = {
        "(s, mu)": counts.Wedges(S_EDGES, MU_BINS),
        "(r_p, pi)": counts.Cylinders(RP_EDGES, PI_MAX, float(PI_MAX)),
        "theta": counts.Angles(ANGLES),
    }

    def way(own: counts.Bins) -> Callable[[], tuple[Any, Any]]:
        def work() -> tuple[Any, Any]:
            found = counts.count([(sample, None)], own, "pairs")[0]
            return found.pairs, found.within.sum(axis=0) + found.across.sum(axis=0) / 2

        counts.count([(sample.take(slice(100)), None)], own, "compiled")
        return work

    return timed({name: way(own) for name, own in bins.items()}, f"mockgal, {REGIONS} regions")


def corrfunc(number: int) -> dict[str, Any]:
    import Corrfunc
    from Corrfunc.mocks import DDrppi_mocks, DDsmu_mocks, DDtheta_mocks

    made = points(number)
    place = made["ra"], made["dec"]
    weighted = {"weights1": made["weight"], "weight_type": "pair_product"}
    distant = {"is_comoving_dist": True, **weighted}

    def once(found: Any) -> tuple[Any, Any]:
        return found["npairs"] / 2, found["npairs"] * found["weightavg"] / 2

    far = made["far"]
    ways: dict[str, Callable[[], tuple[Any, Any]]] = {
        "(s, mu)": lambda: once(
            DDsmu_mocks(1, 1, 1, 1.0, MU_BINS, S_EDGES, *place, far, **distant)
        ),
        "(r_p, pi)": lambda: once(
            DDrppi_mocks(1, 1, 1, float(PI_MAX), RP_EDGES, *place, far, **distant)
        ),
        "theta": lambda: once(DDtheta_mocks(1, 1, ANGLES, *place, **weighted)),
    }
    return timed(ways, f"Corrfunc {Corrfunc.__version__}")


def treecorr(number: int) -> dict[str, Any]:
    import treecorr as library

    made = points(number)

    def work() -> tuple[Any, Any]:
        units = {"ra_units": "deg", "dec_units": "deg"}
        places = library.Catalog(ra=made["ra"], dec=made["dec"], w=made["weight"], **units)
        exact = {"bin_slop": 0, "angle_slop": 0, "metric": "Arc", "num_threads": 1}
        ends = {"min_sep": ANGLES[0], "max_sep": ANGLES[-1], "nbins": 15, "sep_units": "deg"}
        found = library.NNCorrelation(**ends, **exact)
        found.process(places)
        return np.rint(found.npairs), found.weight

    return timed({"theta": work}, f"TreeCorr {library.__version__}")


PARTS = {"mockgal": ours, "corrfunc": corrfunc, "treecorr": treecorr}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=float, default=4e5)
    parser.add_argument("--corrfunc-python", default=sys.executable)
    parser.add_argument("--treecorr-python", default=sys.executable)
    parser.add_argument("--part", choices=PARTS)
    options = parser.parse_args()
    if options.part:
        report(PARTS[options.part](int(options.points)))
        return
    print(machine() + "\n" + busy())
    pythons = {
        "mockgal": sys.executable,
        "corrfunc": options.corrfunc_python,
        "treecorr": options.treecorr_python,
    }
    found = {
        name: in_process(__file__, ["--part", name, "--points", str(options.points)], python)
        for name, python in pythons.items()
    }
    rows, first = [], found["mockgal"]
    for name, result in found.items():
        if "missing" in result:
            rows.append([name, result["missing"], "", "", ""])
            continue
        agrees = all(
            pairs == first["pairs"][way]
            and np.allclose(result["weights"][way], first["weights"][way], rtol=1e-7)
            for way, pairs in result["pairs"].items()
        )
        seconds = [
            f"{result['seconds'][way]:.2f}" if way in result["seconds"] else ""
            for way in first["seconds"]
        ]
        rows.append([result["name"], *seconds, "yes" if agrees else "NO"])
    print(table(["counter", *(f"{way} [s]" for way in first["seconds"]), "equal"], rows))


if __name__ == "__main__":
    main()
