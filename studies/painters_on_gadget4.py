"""Abundance matching, the corrected HOD and the network beside the hydrodynamic twin of one run.

The run is that of the demo (16 Mpc/h), or any pair of files that mockgal reads. Abundance matching
is told the mass function of the twin, and nothing else. All are cut where the mock of abundance
matching is complete.

    python studies/painters_on_gadget4.py FOLDER [--dark PATH --hydro PATH]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "catalogs/demo"
PAINTERS = {
    "hod": ["--painter", "hod"],
    "cnn": ["--painter", "cnn"],
    "sham": ["--painter", "sham", "--proxy", "vmax", "--scatter", "0.15 dex"],
}


def run(*words: object) -> dict[str, object]:
    """Run mockgal, and return the facts that it prints."""
    command = [sys.executable, "-m", "mockgal", *map(str, words), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Paint, and compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dark", type=Path, default=DEMO / "dark.hdf5")
    parser.add_argument("--hydro", type=Path, default=DEMO / "hydro.hdf5")
    given = parser.parse_args()
    out, again = given.folder, "--overwrite"
    out.mkdir(parents=True, exist_ok=True)
    truth = ["--statistic", "mass_function", "--bin-width", "0.2 dex", "--no-plots"]
    run("measure", given.hydro, *truth, "--out", out / "truth", again)
    more = {"sham": ["--mass-function", out / "truth/mass_function.ecsv"]}
    mocks = {name: out / f"{name}.fits" for name in PAINTERS}
    for name in PAINTERS:
        options = [*PAINTERS[name], *more.get(name, [])]
        facts = run(
            "build", "--sim", given.dark, *options, "--seed", 1, "--out", mocks[name], again
        )
    least = 1.01 * facts["painter"]["luminosity_floor_msun_h"]  # type: ignore[index]
    words = [f"--mock={name}={path}" for name, path in mocks.items()]
    cut = ["--cut", f"stellar_mass > {least:.4g} Msun/h", "--sim", given.dark]
    run("compare", "--truth", given.hydro, *words, *cut, "--out", out / "report", again)
    print(f"Cut at {least:.4g} Msun/h; open {out / 'report/index.html'}")


if __name__ == "__main__":
    main()
