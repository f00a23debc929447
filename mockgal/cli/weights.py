"""``mockgal weights``: weights of the dm2gal network, listed, shown, and converted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import cloup
from cloup import option, option_group

from .command import Command, Group, Outcome
from .options.shared import overwriting
from .options.values import FILE, WEIGHTS

if TYPE_CHECKING:
    from ..painters.cnn.weights.header import WeightsHeader


@cloup.group(cls=Group)
def weights() -> None:
    """List, show and convert weights of the dm2gal network."""


@weights.command("list", cls=Command)
def list_() -> Outcome:
    """List the weights that come with mockgal."""
    from ..painters.cnn.weights.named import shipped_weights

    shipped = shipped_weights()
    lines = [line for one in shipped for line in _summary(one.header)]
    if not shipped:
        lines = [
            "no weights come with this version of mockgal; make some with `mockgal train` from a "
            "pair of runs, or with `mockgal weights convert` from the published dm2gal checkpoint"
        ]
    facts = [one.header.header_dict() | {"digest": one.digest} for one in shipped]
    return Outcome(lines, {"weights": facts})


@weights.command(cls=Command)
@cloup.argument("name_or_path", metavar="WEIGHTS", type=WEIGHTS)
def show(name_or_path: str) -> Outcome:
    """Check WEIGHTS (a name, or a .safetensors file), and describe them."""
    from ..painters.cnn.weights.named import find_weights, read_weights
    from ..tasks.train import CARD

    path = find_weights(name_or_path)
    header, card = read_weights(path), path.with_name(path.name + CARD)
    facts = header.describe()
    lines = [*_summary(header), *_details(header, facts)]
    has_card = card.is_file()
    if has_card:
        lines.append(f"card          {card}")
    return Outcome(lines, facts | {"path": path, "card": card if has_card else None})


@weights.command(cls=Command)
@cloup.argument("checkpoint", type=FILE)
@option_group(
    "Output",
    option("--out", type=FILE, required=True, help="Weights to write, .safetensors."),
    overwriting,
)
def convert(checkpoint: str, out: str, overwrite: bool) -> Outcome:
    """Convert the published dm2gal CHECKPOINT (a Lightning .ckpt); nothing in it is executed."""
    from ..painters.cnn.weights.checkpoint import convert_checkpoint

    header = convert_checkpoint(checkpoint, out, overwrite=overwrite)
    facts = header.describe()
    lines = [*_summary(header), *_details(header, facts), f"wrote         {out}"]
    return Outcome(lines, facts | {"wrote": [out]})


def _summary(header: WeightsHeader) -> Iterator[str]:
    network, domain = header.architecture, header.domain
    redshifts = "{:.4g} to {:.4g}".format(*domain.redshift)
    yield (
        f"{header.name}: network {network.preset} of width {network.width}, "
        f"{network.parameters:,} parameters, {_crop(header)}, redshift {redshifts}, particle mass "
        f"{domain.particle_mass:.3g} Msun/h"
    )
    yield f"    from: {header.provenance.get('summary', 'not stated')}"
    if "caution" in header.provenance:
        yield f"    caution: {header.provenance['caution']}"


def _crop(header: WeightsHeader) -> str:
    network = header.architecture
    if not network.sees_fields:
        return "no voxels"
    return f"{network.crop_size}^3 voxels of {header.domain.voxel_size:.4g} Mpc/h"


def _details(header: WeightsHeader, facts: dict[str, Any]) -> Iterator[str]:
    from ..painters.cnn.weights.header import TARGETS

    network, domain, scales = header.architecture, header.domain, header.normalisation
    yield f"target        {header.target}: {TARGETS[header.target]}"
    for name, unit in header.units.items():
        yield f"target        {name}: log10 of the subhalo's value [{unit}], given stellar mass"
    yield f"outputs       {', '.join(network.outputs)}"
    yield f"features      {', '.join(network.features) or 'none'}"
    if network.sees_fields:
        first, last = network.receptive_field
        yield f"sees          voxels {first} to {last} around the target's, along each axis"
        yield f"voxels        {domain.assignment}, origin {domain.origin}"
    else:
        yield "sees          no field: features alone"
    least = domain.least_subhalo_mass
    yield f"subhalos      {f'from {least:.4g} Msun/h' if least else 'all'}"
    yield f"log_mass      {_range(domain.log_mass)} (bound mass, log10 of Msun/h)"
    yield (
        f"log_host_mass {_range(domain.log_host_mass)} ({domain.mass_definition}, log10 of Msun/h)"
    )
    if domain.log_vmax is not None:
        yield f"log_vmax      {_range(domain.log_vmax)} (log10 of km/s)"
    for name, own in domain.history.items():
        unit = f"log10 of {own['unit']}" if own["unit"] else "scale factor"
        unit = "log10" if name == "log_concentration" else unit
        yield f"{name:<13} {_range(own['range'])} ({unit}; definition: {own['definition']})"
    yield (
        f"stellar mass  {domain.stellar_mass_definition}, luminous from "
        f"{domain.luminosity_floor:.4g} Msun/h"
    )
    cosmology = ", ".join(f"{name} {value:g}" for name, value in domain.cosmology.items())
    yield f"cosmology     {cosmology}"
    for name in ("matter", "subhalos", "target")[0 if network.sees_fields else 2 :]:
        mean, deviation = getattr(scales, name)
        yield f"scale         {name}: mean {mean:.9g}, standard deviation {deviation:.9g}"
    pairs = (*scales.features, *scales.further)
    for name, (mean, deviation) in zip((*network.features, *network.further), pairs, strict=True):
        yield f"scale         {name}: mean {mean:.9g}, standard deviation {deviation:.9g}"
    sources = header.provenance.get("sources")
    for fact, source in sources.items() if isinstance(sources, dict) else ():
        yield f"source        {fact}: {source}"
    if "citation" in header.provenance:
        yield f"citation      {json.dumps(header.provenance['citation'])}"
    long = [name for name in ("training_data", "scores") if name in header.provenance]
    if long:
        yield f"more          {', '.join(long)}: with --json"
    yield f"digest        {facts['digest']}"


def _range(values: tuple[float, float]) -> str:
    return "{:.2f} to {:.2f}".format(*values)
