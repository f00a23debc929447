"""Memory and time of painting a box with the dm2gal network, from particles that are streamed.

    python benchmarks/network_painting.py [--targets 1e5] [--particles 1.3e8] [--grid 512]
        [--preset centred] [--width 16] [--memory "4 GiB"] [--tiles K] [--device auto]

Particles are those of ``field_memory.py``; subhalos are in clusters, one central and satellites
around it, as many per volume as ``--targets`` in the box. With ``--tiles K`` only those in the
first K tiles are painted, which takes less time and the same memory. Weights are not trained.
Painting runs in a process of its own; peak memory is that of the process, Python and its libraries
among it. Projections to a box of 2048^3 voxels take the time per tile as it is.
"""

import argparse
import time
from dataclasses import replace

import numpy as np
from common import busy, in_process, machine, peak_memory, report
from field_memory import BOX_SIZE, scene

MEMBERS = 8  # of a cluster, on average


def subhalos(number, box_size, voxel_size):
    """Columns of hosts and of satellites some voxels around them."""
    generator = np.random.default_rng(2)
    hosts = number // MEMBERS
    host = np.concatenate([np.arange(hosts), generator.integers(0, hosts, number - hosts)])
    central = np.arange(number) < hosts
    position = (generator.random((hosts, 3)) * box_size)[host]
    position[~central] += generator.normal(0.0, 4.0 * voxel_size, (number - hosts, 3))
    host_mass = (1e12 / (1.0 - 0.99 * generator.random(hosts)))[host]
    mass = host_mass * np.where(central, 0.9, 0.05)
    return {
        "halo_id": np.arange(number),
        "host_id": host,
        "is_central": central,
        "position": np.mod(position, box_size),
        "velocity": np.zeros((number, 3)),
        "mass": mass,
        "host_mass": host_mass,
        "vmax": 0.01 * np.cbrt(mass),
    }


def weights(sim, options):
    """Weights of a seeded network, for this simulation."""
    from mockgal.painters.cnn.architecture import architecture
    from mockgal.painters.cnn.network import seeded_network
    from mockgal.painters.cnn.weights.header import Domain, Normalisation
    from mockgal.painters.cnn.weights.named import Weights

    shape, snapshot = architecture(options.preset, width=options.width), sim.snapshot
    domain = Domain(
        voxel_size=snapshot.box_size / options.grid,
        origin="corner",
        assignment="CIC",
        particle_mass=snapshot.particle_mass,
        least_subhalo_mass=0.0,
        redshift=(0.0, 0.0),
        cosmology=snapshot.cosmology.to_dict(),
        mass_definition="200c",
        stellar_mass_definition="bound",
        luminosity_floor=0.0,
        log_mass=(9.0, 15.0),
        log_host_mass=(9.0, 15.0),
        log_vmax=(0.0, 4.0),
    )
    features = tuple((0.0, 10.0) for _ in shape.features)
    scale = Normalisation((5.0, 5.0), (0.0, 5.0), features, (9.0, 0.5))
    state = seeded_network(shape, 1).state_dict()
    return Weights("not trained", shape, scale, domain, "subhalo", {"summary": "none"}, state)


def child(options):
    """Paint, and report."""
    from mockgal.painters.cnn.painter import CNNPainter
    from mockgal.system import progress
    from mockgal.types import HaloCatalog

    sim = scene(int(options.particles), 1000)
    columns = subhalos(int(options.targets), BOX_SIZE, BOX_SIZE / options.grid)
    sim = replace(sim, halos=HaloCatalog(columns, "200c"))
    painter = CNNPainter(weights(sim, options), memory=options.memory, device=options.device)
    size = painter.describe(sim)["tile_size"]
    if options.tiles:
        along = -(-options.grid // size)
        tile = (columns["position"] // (size * BOX_SIZE / options.grid)).astype(int)
        inside = (tile @ [along**2, along, 1] < options.tiles)[columns["host_id"]]
        sim = replace(sim, halos=sim.halos.take(np.flatnonzero(inside)))
    read = []

    def tell(done, total, label):
        if label == "particles" and done == total:
            read.append(time.perf_counter())

    made = []
    started = time.perf_counter()
    with progress.shown(tell):
        _, peak = peak_memory(lambda: made.append(painter.predict(sim)))
    ended = time.perf_counter()
    report(
        {
            "targets": len(sim.halos),
            "tiles": made[0].record["tiles"],
            "tile_size": size,
            "peak": peak,
            "fields": read[0] - started,
            "painting": ended - read[0],
        }
    )


def main():
    """Measure in a process of its own, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--targets", type=float, default=1e5)
    parser.add_argument("--particles", type=float, default=1.3e8)
    parser.add_argument("--grid", type=int, default=512)
    parser.add_argument("--preset", default="centred")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--memory", default="4 GiB")
    parser.add_argument("--tiles", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options)
        return
    print(machine(("numpy", "torch", "mockgal")))
    print(busy(), end="")
    words = [f"--{key}={value}" for key, value in vars(options).items() if key != "child"]
    found = in_process(__file__, [*words, "--child"])
    if "missing" in found:
        raise SystemExit(found["missing"])
    per_tile = found["painting"] / found["tiles"]
    print(
        f"{options.preset}, width {options.width}: {found['targets']:,} subhalos in "
        f"{found['tiles']} tiles of {found['tile_size']}^3 on a grid of {options.grid}^3\n"
        f"peak memory {found['peak'] / 2**30:.2f} GiB, fields {found['fields']:.0f} s, painting "
        f"{found['painting']:.0f} s: {found['targets'] / found['painting']:.0f} subhalos/s, "
        f"{per_tile:.1f} s a tile"
    )


if __name__ == "__main__":
    main()
