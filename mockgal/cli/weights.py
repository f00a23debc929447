"""``mockgal weights``: weights of the dm2gal network, listed, shown, and converted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from .screen import say

if TYPE_CHECKING:
    from ..paint.weights_header import WeightsHeader


@click.group()
def weights() -> None:
    """Weights of the dm2gal network: which there are, and what they were trained on."""


@weights.command("list")
def list_() -> None:
    """List the weights that come with mockgal."""
    from ..paint.weights import shipped_weights

    shipped = shipped_weights()
    for found in shipped:
        say(_summary(found.header))
    if not shipped:
        say(
            [
                "no weights come with this version of mockgal; `mockgal train` makes some from a "
                "pair of runs, `mockgal weights convert` from the published dm2gal checkpoint"
            ]
        )


@weights.command()
@click.argument("name_or_path")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(name_or_path: str, as_json: bool) -> None:
    """Check the weights NAME_OR_PATH (.safetensors), and say what they are."""
    from ..paint.weights import find_weights, read_weights
    from ..training import CARD

    path = find_weights(name_or_path)
    found, card = read_weights(path), path.with_name(path.name + CARD)
    facts = found.describe()
    if as_json:
        say(json.dumps(facts, indent=1).splitlines())
        return
    say([*_summary(found), *_details(found, facts)])
    if card.is_file():
        say([f"card          {card}"])


@weights.command()
@click.argument("checkpoint")
@click.option("--out", required=True, help="Weights to write, .safetensors.")
@click.option("--overwrite", is_flag=True, help="Replace them if they exist.")
def convert(checkpoint: str, out: str, overwrite: bool) -> None:
    """Convert the published dm2gal CHECKPOINT (a Lightning .ckpt); nothing in it is executed."""
    from ..paint.checkpoint import convert_checkpoint

    made = convert_checkpoint(checkpoint, out, overwrite=overwrite)
    say([*_summary(made), *_details(made, made.describe()), f"wrote         {out}"])


def _summary(header: WeightsHeader) -> Iterator[str]:
    network, domain = header.architecture, header.domain
    redshifts = "{:.4g} to {:.4g}".format(*domain.redshift)
    yield (
        f"{header.name}: network {network.preset} of width {network.width}, "
        f"{network.parameters:,} parameters, {network.crop_size}^3 voxels of "
        f"{domain.voxel_size:.4g} Mpc/h, redshift {redshifts}, particle mass "
        f"{domain.particle_mass:.3g} Msun/h"
    )
    yield f"    from: {header.provenance.get('summary', 'not stated')}"
    if "caution" in header.provenance:
        yield f"    caution: {header.provenance['caution']}"


def _details(header: WeightsHeader, facts: dict[str, Any]) -> Iterator[str]:
    from ..paint.weights_header import TARGETS

    network, domain, scales = header.architecture, header.domain, header.normalisation
    yield f"target        {header.target}: {TARGETS[header.target]}"
    for name, unit in header.units.items():
        yield f"target        {name}: log10 of that of the subhalo [{unit}], given stellar mass"
    yield f"outputs       {', '.join(network.outputs)}"
    yield f"features      {', '.join(network.features) or 'none'}"
    first, last = network.receptive_field
    yield f"sees          voxels {first} to {last} around the target's, along each axis"
    yield f"voxels        {domain.assignment}, origin {domain.origin}"
    least = domain.least_subhalo_mass
    yield f"subhalos      {f'from {least:.4g} Msun/h' if least else 'all'}"
    yield f"log_mass      {_range(domain.log_mass)} (bound mass, log10 of Msun/h)"
    yield (
        f"log_host_mass {_range(domain.log_host_mass)} ({domain.mass_definition}, log10 of Msun/h)"
    )
    if domain.log_vmax is not None:
        yield f"log_vmax      {_range(domain.log_vmax)} (log10 of km/s)"
    yield (
        f"stellar mass  {domain.stellar_mass_definition}, luminous from "
        f"{domain.luminosity_floor:.4g} Msun/h"
    )
    cosmology = ", ".join(f"{name} {value:g}" for name, value in domain.cosmology.items())
    yield f"cosmology     {cosmology}"
    for name in ("matter", "subhalos", "target"):
        mean, deviation = getattr(scales, name)
        yield f"scale         {name}: mean {mean:.9g}, standard deviation {deviation:.9g}"
    pairs = (*scales.features, *scales.further)
    for name, (mean, deviation) in zip((*network.features, *network.further), pairs, strict=True):
        yield f"scale         {name}: mean {mean:.9g}, standard deviation {deviation:.9g}"
    sources = header.provenance.get("sources")
    for fact, source in sources.items() if isinstance(sources, dict) else ():
        yield f"source        {fact}: {source}"
    for name in ("training_data", "scores", "citation"):
        if name in header.provenance:
            yield f"{name:<13} {json.dumps(header.provenance[name])}"
    yield f"digest        {facts['digest']}"


def _range(values: tuple[float, float]) -> str:
    return "{:.2f} to {:.2f}".format(*values)
