"""Advice for a simulation that a painter refuses: ways out that the input allows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ...layout import MASS_DEFINITIONS_IN_FILE
from ...types import Scene


def way_out(
    scene: Scene, definitions: Collection[str], otherwise: str, *, by_particles: bool = True
) -> str:
    """Return how to read a simulation so that it can be painted, and another way out.

    Parameters
    ----------
    scene : Scene
    definitions : collection of str
        Acceptable definitions of the host mass.
    otherwise : str
        The other way out.
    by_particles : bool
        Whether the mass of a particle must be known.
    """
    snapshot, ways = scene.snapshot, []
    if by_particles and snapshot.particle_mass is None:
        ways.append('state the mass of a particle with --particle-mass "1e9 Msun/h"')
    if scene.halos.mass_definition not in definitions:
        wanted = " or ".join(sorted(definitions))
        in_file = snapshot.record.get(MASS_DEFINITIONS_IN_FILE, definitions)
        present = [key for key in in_file if key in definitions]
        if present:
            ways.append(f"read it with --mass-definition {' or '.join(present)}")
        elif snapshot.format == "bundle":
            ways.append(f"pack the original again with --mass-definition {wanted}, if it has that")
        else:
            ways.append(
                f"it has no host mass {wanted} but {', '.join(in_file)}: `mockgal inspect` lists "
                "what paints these"
            )
    return "; ".join([*ways, f"or {otherwise}" if ways else otherwise])


def mended(scene: Scene, definition: str, particle_mass: float) -> Scene:
    """Return the scene as reading options could complete it, to see whether that helps."""
    snapshot = scene.snapshot
    if snapshot.particle_mass is None:
        snapshot = replace(snapshot, particle_mass=particle_mass)
    halos = scene.halos.with_mass_definition(definition)
    return replace(scene, snapshot=snapshot, halos=halos)
