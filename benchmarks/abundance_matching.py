"""Abundance matching with scatter against the public code AbundanceMatching, on the same subhalos.

python benchmarks/abundance_matching.py [--subhalos 1e7] [--repeats 3] [--public-python PATH]

Each code runs in a process of its own. AbundanceMatching may live in another environment, whose
interpreter --public-python names.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from typing import Any

import numpy as np
from common import best_of, halos, peak_memory, run_parts, table

FUNCTION, SCATTER, H = "li_white2009", 0.2, 0.6774
SPACING = 600.0 / 1e7 ** (1 / 3)  # Mpc/h: as many subhalos as the function has galaxies
PARTICLE = 3e7  # Msun/h, so that most subhalos are resolved


def subhalos(number: int) -> tuple[dict[str, np.ndarray], float]:
    """Columns of subhalos, with vpeak, and the side of their box [Mpc/h]."""
    side = SPACING * number ** (1 / 3)
    columns = halos(number, box_size=side)
    scatter = np.random.default_rng(3).lognormal(0.0, 0.1, len(columns["vmax"]))
    columns["peak_vmax"] = 1.2 * columns["vmax"] * scatter
    return columns, side


def mockgal(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of a user's call, of the prediction, and of prediction and draw; memory."""
    import mockgal as package
    from mockgal.cosmology import Cosmology
    from mockgal.painters import draw
    from mockgal.painters.sham.painter import SHAMPainter
    from mockgal.types import HaloCatalog, Scene, Snapshot, settle

    warnings.simplefilter("ignore", package.errors.MockgalWarning)
    columns, side = subhalos(arguments.subhalos)
    columns = settle(columns)
    cosmology = Cosmology(h=H, omega_m=0.3089, omega_lambda=0.6911)
    snapshot = Snapshot("made up", side, 0.0, cosmology, PARTICLE, "made up")
    options = {"proxy": "vpeak", "mass_function": FUNCTION, "scatter": SCATTER}

    def scene() -> Scene:
        return Scene(snapshot, HaloCatalog(columns, "vir"))

    def predict(sim: Scene) -> Any:
        return SHAMPainter(**options).predict(sim)

    def predict_and_draw(sim: Scene) -> Any:
        return draw.draw(predict(sim), sim.halos["halo_id"], seed=1)

    def paint(sim: Scene) -> Any:
        return package.paint(sim, SHAMPainter(**options), seed=1)

    same = scene()
    before, peak = peak_memory(lambda: paint(same))
    return {
        "rows": len(same.halos),
        "galaxies": len(paint(same)),
        "peak_bytes": peak - before,
        "prediction": best_of(arguments.repeats, predict, scene),
        "masses": best_of(arguments.repeats, predict_and_draw, scene),
        "mock": best_of(arguments.repeats, paint, scene),
    }


def public(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of ranks and of the match, with the deconvolution; memory."""
    from AbundanceMatching import AbundanceFunction

    from mockgal.laws.mass_functions import PUBLISHED

    columns, side = subhalos(arguments.subhalos)
    proxy = columns.pop("peak_vmax")
    x = np.arange(7.0, 12.5, 0.05)
    density = PUBLISHED[FUNCTION].in_run(x, 0.0, H)

    def match() -> Any:
        function = AbundanceFunction(x, density, (6.0, 13.0), faint_end_first=True)
        function.deconvolute(SCATTER, repeat=20)
        ranks = np.empty(len(proxy))
        ranks[np.argsort(-proxy)] = np.arange(1, len(proxy) + 1)
        return function.match(ranks / side**3, SCATTER)

    before, peak = peak_memory(match)
    return {
        "rows": len(proxy),
        "galaxies": int(np.isfinite(match()).sum()),
        "peak_bytes": peak - before,
        "masses": best_of(arguments.repeats, match),
    }


PARTS = {"mockgal": mockgal, "AbundanceMatching": public}


def main() -> None:
    """Run every part in a process of its own and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--subhalos", type=lambda text: int(float(text)), default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--public-python", default=sys.executable)
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    given = [f"--subhalos={arguments.subhalos}", f"--repeats={arguments.repeats}"]
    pythons = {"AbundanceMatching": arguments.public_python}
    found = run_parts(__file__, PARTS, arguments, given, pythons)
    print(render(found))


WORDS = {
    "prediction": "ranks, deconvolution and the law of each",
    "masses": "the same, and stellar masses",
    "mock": "paint(): the same, and a catalogue with its digest",
}


def render(found: dict[str, dict[str, Any]]) -> str:
    """The table of what the parts found."""
    theirs = found["AbundanceMatching"].get("masses")
    body, notes = [], []
    for part, one in found.items():
        if "missing" in one:
            notes.append(f"{part}: {one['missing']}")
            continue
        for key, words in WORDS.items():
            if key in one:
                body.append(
                    [
                        f"{part}, {words}",
                        f"{one[key]:.2f}",
                        f"{one['rows'] / one[key] / 1e6:.2f}",
                        f"{one['galaxies'] / 1e6:.2f}",
                        f"{one['peak_bytes'] / one['rows']:.0f}",
                        f"{theirs / one[key]:.2f}" if theirs else "",
                    ]
                )
    header = ["what", "s", "1e6 subhalos/s", "1e6 galaxies", "bytes/subhalo at the peak"]
    return "\n\n".join([table([*header, "over AbundanceMatching"], body), *notes])


if __name__ == "__main__":
    main()
