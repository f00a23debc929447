"""``mockgal train`` and ``mockgal evaluate``: weights of the dm2gal network, made and judged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from .options import given, luminous, overwriting, reading
from .screen import progress_bar, say

if TYPE_CHECKING:
    from ..paint.weights_header import WeightsHeader

_TRAINING = (
    *("epochs", "crops_per_epoch", "batch_size", "learning_rate", "patience", "weight_decay"),
    *("stop_after", "symmetries", "precision", "accelerator", "devices", "strategy"),
)
_SPLIT = {"split": "kind", "validation": "validation", "test": "test", "split_side": "side"}
_ABOUT = ("summary", "caution", "citation")


def _pairing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name pairs of runs, and how they are matched."""
    options = (
        click.option(
            "--dark",
            "darks",
            multiple=True,
            help="Gravity-only run; may be repeated, with its twin.",
        ),
        click.option(
            "--hydro", "hydros", multiple=True, help="Its hydrodynamic twin, in the same order."
        ),
        click.option(
            "--density",
            multiple=True,
            metavar="FILE",
            help="Density grid of the matter of each gravity-only run, in the same order, as "
            "`mockgal build` takes it (default: from the particles).",
        ),
        click.option(
            "--match",
            type=click.Choice(["ids", "position"]),
            help="How subhalos are matched (default: by particle ids where they are there).",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_pairing
@click.option(
    "--out",
    required=True,
    help="Weights to write, .safetensors; beside them their card, and a picture of the split.",
)
@click.option("--preset", help="Layout: centred (the default), paper, literal, demo.")
@click.option("--width", type=int, help="Channels of the first stage (default: 16).")
@click.option(
    "--target",
    help="What is predicted: stellar_mass of the galaxy matched with each subhalo (the default); "
    "after it, with commas between, other columns of the hydrodynamic run, such as "
    "stellar_half_mass_radius; or voxel, the stellar mass in the subhalo's voxel.",
)
@click.option("--voxel-size", metavar="LENGTH", help='Side of a voxel, such as "0.1 Mpc/h".')
@click.option(
    "--grid",
    "grid_size",
    type=int,
    help="Voxels along a side of the first box, instead (default: the first power of two not below "
    "the number of particles along a side).",
)
@click.option(
    "--split",
    type=click.Choice(["box", "slabs", "cubes", "paper"]),
    help="What is held out: whole boxes (the default from three simulations on), slabs, cubes (the "
    "default else), or the paper's cubes.",
)
@click.option(
    "--validation", multiple=True, help="Simulation held out to choose by; may be repeated."
)
@click.option("--test", multiple=True, help="Simulation held out for the card; may be repeated.")
@click.option("--split-side", type=float, help="Of each slab or cube, as a part of the box.")
@click.option(
    "--sampling",
    type=click.Choice(["target", "corrected", "input", "natural"]),
    help="Subhalos as often at all stellar masses, the same with a loss that is corrected for it, "
    "at all bound masses, or as they are (default: input; for the preset paper, target).",
)
@luminous
@click.option(
    "--least-particles",
    type=int,
    help="Least gravity-only particles of a subhalo that is trained on (default: 32).",
)
@click.option("--epochs", type=int, help="At most so many (default: 100).")
@click.option(
    "--crops-per-epoch",
    type=int,
    help="Subhalos between two looks at the validation loss (default: as many as there are to "
    "train on).",
)
@click.option("--batch-size", type=int, help="Subhalos of a batch, on each device (default: 32).")
@click.option("--learning-rate", type=float, help="Of Adam at the start (default: 0.001).")
@click.option(
    "--patience",
    type=int,
    help="Epochs without a lower validation loss, after the next of which the learning rate falls "
    "by ten (default: 5).",
)
@click.option("--weight-decay", type=float, help="Of Adam (default: 0).")
@click.option(
    "--stop-after",
    type=int,
    help="Epochs without a lower validation loss that end the training (default: 16).",
)
@click.option(
    "--symmetries",
    type=click.Choice(["none", "rotations", "all"]),
    help="That crops are turned by: none, the 24 rotations (the default of the preset paper), or "
    "these and mirrorings (the default).",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "tf32", "bfloat16"]),
    help="Of the layers (default: float32).",
)
@click.option("--accelerator", type=click.Choice(["auto", "cpu", "gpu"]), help="(default: auto)")
@click.option("--devices", type=int, help="How many (default: 1).")
@click.option("--strategy", help="Of Lightning, for several devices (default: auto).")
@click.option(
    "--search",
    type=int,
    metavar="N",
    help="Train N networks with numbers that are not given searched for; keep one.",
)
@click.option("--seed", type=int, help="Of all that is drawn (default: a fixed number, recorded).")
@click.option("--name", help="What the weights are called (default: the name of the file).")
@click.option(
    "--folder",
    help="For checkpoints, logs, and until the end the fields of the runs, 8 bytes a voxel, from "
    "which the same command goes on (default: the output's name and .training).",
)
@click.option("--summary", help="One line on the runs, kept in the weights and shown on the card.")
@click.option("--caution", help="What users should beware of: kept, and shown at every use.")
@click.option("--citation", help="What to cite; kept in the weights.")
@overwriting
@reading
def train(
    darks: tuple[str, ...],
    hydros: tuple[str, ...],
    out: str,
    seed: int | None,
    overwrite: bool,
    **options: Any,
) -> None:
    """Train the dm2gal network on gravity-only runs and their hydrodynamic twins.

    A training that was stopped goes on when the same command is given again.
    """
    from ..recipe import DEFAULT_SEED
    from ..train.devices import is_first_process
    from ..training import CARD, SPLIT
    from ..training import train as run

    _check_pairs("train", darks, hydros)
    wanted = given(options)
    training = {name: wanted.pop(name) for name in _TRAINING if name in wanted}
    split = {field: wanted.pop(name) for name, field in _SPLIT.items() if name in wanted}
    about = {name: wanted.pop(name) for name in _ABOUT if name in wanted}
    with progress_bar() as progress:
        weights = run(
            list(darks),
            list(hydros),
            out,
            seed=DEFAULT_SEED if seed is None else seed,
            provenance=about,
            overwrite=overwrite,
            progress=progress,
            split=split,
            training=training,
            **wanted,
        )
    if is_first_process():
        written = [f"            {out}{ending}" for ending in (CARD, SPLIT)]
        say([*_describe(weights), f"wrote       {out}", *written])


@click.command()
@click.argument("weights")
@_pairing
@click.option("--seed", type=int, help="Of the draws (default: that of the training).")
@click.option("--out", help="File to write the card to, instead of showing it.")
@click.option(
    "--scratch",
    help="Folder for the fields of the runs, 8 bytes a voxel, while this works (default: they are "
    "in memory).",
)
@click.option("--json", "as_json", is_flag=True, help="For programs: the numbers, as JSON.")
@overwriting
@reading
def evaluate(
    weights: str,
    darks: tuple[str, ...],
    hydros: tuple[str, ...],
    density: tuple[str, ...],
    out: str | None,
    as_json: bool,
    overwrite: bool,
    **options: Any,
) -> None:
    """Score WEIGHTS (a name or .safetensors) on pairs of runs, and write their card.

    Of a pair that they were trained on, what was held out for the test is taken; of another, all.
    """
    from ..evaluating import card_of
    from ..evaluating import evaluate as run
    from ..files.atomic import atomic_output, check_output
    from ..paint.weights import named_weights

    _check_pairs(f"evaluate {weights}", darks, hydros)
    if out is not None:
        inputs = [Path(path) for path in (*darks, *hydros, *density, weights)]
        check_output(Path(out), overwrite, inputs)
    loaded = named_weights(weights)
    with progress_bar() as progress:
        scores = run(
            loaded,
            list(darks),
            list(hydros),
            density=density,
            progress=progress,
            **given(options),
        )
    text = json.dumps(scores, indent=1) + "\n" if as_json else card_of(loaded, scores)
    if out is None:
        say(text.splitlines())
        return
    with atomic_output(Path(out), overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    say([f"wrote       {out}"])


def _check_pairs(command: str, darks: tuple[str, ...], hydros: tuple[str, ...]) -> None:
    if not darks or len(darks) != len(hydros):
        raise UsageError(
            f"mockgal {command}",
            f"{len(darks)} --dark and {len(hydros)} --hydro",
            "one or more of each, in pairs",
            f"mockgal {command} --dark dark/groups_099 --hydro hydro/groups_099",
        )


def _describe(weights: WeightsHeader) -> list[str]:
    data, training = (weights.provenance[key] for key in ("training_data", "training"))
    samples, domain = training["samples"], weights.domain
    lines = []
    for pair, box in zip(data["pairs"], samples["boxes"], strict=True):
        hydro, dark, matching = pair["hydro"], pair["dark"], pair["matching"]
        lines += [
            f"pair        {dark['simulation']} and {hydro['simulation']}, redshift "
            f"{round(dark['redshift'], 9):.4g}, box {dark['box_size_mpc_h']:g} Mpc/h",
            f"            phases: {pair['twins']['phases']['conclusion']}",
            f"            matched by {matching['method']}: {matching['luminous_hydro_unmatched']:,}"
            f" of {matching['luminous_hydro']:,} luminous galaxies, "
            f"{matching['stellar_mass_share_unmatched']:.1%} of their stellar mass, are in no "
            f"gravity-only subhalo, and {matching['luminous_hydro_unresolved']:,}, "
            f"{matching['stellar_mass_share_unresolved']:.1%}, in one that is not resolved",
            "            subhalos: "
            + ", ".join(f"{name} {number:,}" for name, number in box["targets"].items()),
        ]
    split = samples["split"]
    best = training["scores"]
    score = "none" if best["score"] is None else f"{best['score']:.3g}"
    return [
        *lines,
        f"luminous    from {domain.luminosity_floor:.4g} Msun/h: {data['luminosity_floor']}",
        f"resolved    from {data['least_particles']} particles, "
        f"{domain.least_subhalo_mass:.4g} Msun/h",
        f"voxels      {domain.voxel_size:.4g} Mpc/h, {data['voxel_size']}",
        f"split       {split['kind']}, buffer {split['buffer_voxels']} voxels",
        f"sampling    {data['sampling']}",
        f"seed        {training['options']['seed']}",
        f"predicted   {', '.join(['stellar_mass', *weights.architecture.further])}",
        f"features    {', '.join(weights.architecture.features) or 'none'}",
        f"network     {weights.architecture.preset} of width {weights.architecture.width}, "
        f"{weights.architecture.parameters:,} parameters",
        f"trained     {training['epochs']} epochs; the weights are of epoch {training['epoch']}: "
        f"validation loss {best['validation_loss']:.4g}, power-spectrum score {score}",
    ]
