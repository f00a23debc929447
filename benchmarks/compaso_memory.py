"""Reading a superslab of CompaSO: peak memory, and time, for each halo.

    python benchmarks/compaso_memory.py [--halos 1e7] [--directory DIR]

The superslab is made up, and holds the whole of a box. It is read with its cleaning, in a process
of its own that holds nothing else; then as many particles, of one sample, are streamed.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import common
import numpy as np

TIMES = 60  # the box of `mockgal.testing.compaso`, along each side


def make(folder: Path, halos: int) -> Path:
    """Write the superslab, its cleaning and as many particles in each sample."""
    from mockgal.testing.compaso import cleaning, header, made_up_halos, write_asdf

    facts, arrays = header(times=TIMES), made_up_halos(halos, times=TIMES)
    snapshot = folder / "sim/halos/z0.000"
    write_asdf(snapshot / "halo_info/halo_info_000.asdf", facts, arrays)
    cleaned = folder / "cleaning/sim/z0.000/cleaned_halo_info/cleaned_halo_info_000.asdf"
    write_asdf(cleaned, facts, cleaning(arrays["N"], 0))
    rng = np.random.default_rng(1)
    for stem in ("halo_rv_A", "field_rv_A"):
        rvint = rng.integers(-500_000, 500_000, (halos // 2, 3), dtype="i4") << 12
        write_asdf(snapshot / stem / f"{stem}_000.asdf", facts, {"rvint": rvint})
    return snapshot


def read(snapshot: Path) -> dict[str, float]:
    """Read it, and say what that took."""
    import warnings

    from mockgal.protocols import ReadOptions
    from mockgal.readers.compaso.reader import CompasoReader

    warnings.simplefilter("ignore")
    scenes, started = [], time.perf_counter()
    before, peak = common.peak_memory(
        lambda: scenes.append(CompasoReader().read(snapshot, ReadOptions()))
    )
    seconds = time.perf_counter() - started
    (scene,) = scenes
    columns = {id(values): values.nbytes for values in scene.halos.columns.values()}
    started = time.perf_counter()
    held, streaming = common.peak_memory(lambda: sum(len(c.mass) for c in scene.particles.chunks()))
    return {
        "halos": len(scene.halos),
        "kept": sum(columns.values()),
        "peak": peak - before,
        "seconds": seconds,
        "particles": scene.particles.count,
        "streaming": streaming - held,
        "streaming_seconds": time.perf_counter() - started,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--halos", type=float, default=1e7)
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        common.report(read(arguments.read))
        return
    with tempfile.TemporaryDirectory(dir=arguments.directory) as folder:
        snapshot = make(Path(folder), round(arguments.halos))
        found = common.in_process(__file__, [f"--read={snapshot}"])
    if "missing" in found:
        sys.exit(found["missing"])
    halos, particles = found["halos"], found["particles"]
    print(common.machine(("numpy", "blosc")))
    rows = [
        ["columns of halos", f"{found['kept'] / 2**30:.2f}", f"{found['kept'] / halos:.0f}", ""],
        [
            "reading halos, peak",
            f"{found['peak'] / 2**30:.2f}",
            f"{found['peak'] / halos:.0f}",
            f"{found['seconds']:.1f}",
        ],
        [
            "streaming particles, peak",
            f"{found['streaming'] / 2**30:.2f}",
            f"{found['streaming'] / particles:.0f}",
            f"{found['streaming_seconds']:.1f}",
        ],
    ]
    print(common.table([f"{halos:,} halos", "GiB", "bytes each", "s"], rows))


if __name__ == "__main__":
    main()
