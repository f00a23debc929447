"""``mockgal train`` and ``mockgal evaluate``: train and score weights of the dm2gal network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import cloup
from cloup import option, option_group

from ..errors import in_shell
from ..options import options_of
from ..painters.cnn.options import DEVICES
from ..training.options import TrainingOptions
from .command import Command, Outcome, plain
from .options.declared import declared, take_declared
from .options.pairs import matters, pairs_of_runs, stars_of_pairs
from .options.shared import (
    Decorator,
    Renamed,
    about_matter,
    describing,
    formerly_first,
    given,
    least_particles,
    luminous,
    one_of_both,
    overwriting,
    reading,
)
from .options.values import FILE, FLOAT, FOLDER, WEIGHTS, WHOLE
from .screen.pairs import how_paired, is_matched
from .screen.streams import progress_bar

if TYPE_CHECKING:
    from ..painters.cnn.weights.header import WeightsHeader

_SPLIT = {"split": "kind", "validation": "validation", "test": "test", "split_side": "side"}
_ABOUT = ("summary", "caution", "citation")
_OWNER, _OPTIONS = "training", options_of(TrainingOptions)


def _training(name: str) -> Decorator:
    return declared(_OWNER, _OPTIONS[name])


@cloup.command(cls=Command)
@pairs_of_runs(matters)
@option_group(
    "Network",
    option(
        "--preset",
        type=click.Choice(["centred", "paper", "literal", "demo", "features"]),
        help="Layout of the network (default: centred). features sees no matter, but the features "
        "of each subhalo alone.",
    ),
    option("--width", type=WHOLE, help="Channels of the network's first stage (default: 16)."),
    option(
        "--features",
        metavar="NAMES",
        help="What the network is told of each subhalo, separated by commas: columns of halos, "
        "such as mass, peak_mass and half_mass_scale; offset, from the centre of its voxel; and "
        "default, those of the preset (the default).",
    ),
    option(
        "--target",
        help="What the network predicts: stellar_mass, the stellar mass of the galaxy matched with "
        "each subhalo (the default); after it, separated by commas, other columns of the "
        "hydrodynamic run, such as stellar_half_mass_radius; or voxel, the stellar mass in the "
        "voxel of the subhalo.",
    ),
    option("--voxel-size", metavar="LENGTH", help='Side of a voxel, such as "0.1 Mpc/h".'),
    option(
        "--grid",
        "grid_size",
        type=WHOLE,
        help="Number of voxels along each side of the first box, in place of --voxel-size "
        "(default: the first power of two not below the number of particles along a side).",
    ),
)
@option_group(
    "Subhalos to train on, and to hold out",
    luminous,
    least_particles,
    option(
        "--sampling",
        type=click.Choice(["target", "corrected", "input", "natural"]),
        help="How often subhalos are shown: target, all stellar masses equally often; corrected, "
        "the same with a loss that corrects for it; input, all bound masses equally often (the "
        "default); natural, each subhalo equally often. The default of the preset paper is "
        "target.",
    ),
    option(
        "--split",
        type=click.Choice(["box", "slabs", "cubes", "paper"]),
        help="What is held out: box, whole boxes (the default for three or more simulations); "
        "slabs; cubes (the default otherwise); or paper, the cubes of the paper.",
    ),
    option(
        "--validation",
        multiple=True,
        metavar="NAME",
        help="Simulation to hold out to choose the best epoch. May be repeated.",
    ),
    option(
        "--test",
        multiple=True,
        metavar="NAME",
        help="Simulation to hold out for the scores on the card. May be repeated.",
    ),
    option(
        "--split-side",
        type=FLOAT,
        help="Side of each slab or cube that is held out, as a fraction of the side of the box.",
    ),
)
@option_group(
    "Training",
    option(
        "--seed", type=WHOLE, help="Seed of all random draws (default: a fixed number; recorded)."
    ),
    *map(
        _training,
        (
            *("epochs", "crops_per_epoch", "batch_size", "learning_rate", "weight_decay"),
            *("patience", "stop_after", "symmetries"),
        ),
    ),
    option(
        "--search",
        type=WHOLE,
        metavar="N",
        help="Train N networks and keep the best. Numbers that no option above sets are drawn at "
        "random from ranges.",
    ),
)
@option_group(
    "Machine",
    declared(
        _OWNER,
        _OPTIONS["accelerator"]._replace(choices=DEVICES),
        "--device",
        cls=Renamed,
        formerly=("--accelerator",),
        former_values={"gpu": "cuda"},
    ),
    _training("devices"),
    declared(_OWNER, _OPTIONS["strategy"], metavar="NAME"),
    _training("precision"),
    option(
        "--resume",
        "folder",
        type=FOLDER,
        cls=Renamed,
        formerly=("--folder",),
        help="Folder for checkpoints, logs and, until the training is done, fields of 8 bytes a "
        "voxel. To resume a training that was stopped, repeat the same command (default: the name "
        "of the output with .training after it).",
    ),
)
@option_group(
    "Output",
    option(
        "--out",
        type=FILE,
        required=True,
        help="Weights to write, .safetensors. Their card and a picture of the held-out regions "
        "are written beside them.",
    ),
    overwriting,
)
@describing("weights")
@about_matter
@reading
def train(
    darks: tuple[str, ...],
    hydros: tuple[str, ...],
    truths: tuple[str, ...],
    truth_columns: str | None,
    out: str,
    seed: int | None,
    overwrite: bool,
    **options: Any,
) -> Outcome | None:
    """Train the dm2gal network on gravity-only runs and their hydrodynamic twins.

    Or on gravity-only runs and galaxies that belong to their subhalos: --truth.

    To resume a training that was stopped, repeat the same command.
    """
    from ..recipe import DEFAULT_SEED
    from ..tasks.train import CARD, SPLIT
    from ..tasks.train import train as run
    from ..training.devices import is_first_process

    stars = stars_of_pairs(
        "mockgal train", darks, hydros, truths, truth_columns, " --out weights.safetensors"
    )
    wanted = given(options)
    if "references" in wanted:
        wanted["citation"] = "; ".join(wanted.pop("references"))
    training = take_declared(_OWNER, wanted)
    if training.get("accelerator") == "cuda":
        training["accelerator"] = "gpu"
    split = {field: wanted.pop(name) for name, field in _SPLIT.items() if name in wanted}
    about = {name: wanted.pop(name) for name in _ABOUT if name in wanted}
    with progress_bar() as progress:
        weights = run(
            list(darks),
            stars,
            out,
            seed=DEFAULT_SEED if seed is None else seed,
            provenance=about,
            overwrite=overwrite,
            progress=progress,
            split=split,
            training=training,
            **wanted,
        )
    if not is_first_process():
        return None
    wrote = [out, *(f"{out}{ending}" for ending in (CARD, SPLIT))]
    lines = [f"{'' if k else 'wrote':<12}{path}" for k, path in enumerate(wrote)]
    return Outcome([*_describe(weights), *lines], weights.describe() | {"wrote": wrote})


@cloup.command(cls=Command)
@formerly_first("unnamed")
@option_group(
    "Weights",
    option(
        "--weights",
        type=WEIGHTS,
        help="Weights to score: a name that `mockgal weights list` shows, or a .safetensors file.",
    ),
)
@pairs_of_runs(matters)
@option_group(
    "Scores",
    option("--seed", type=WHOLE, help="Seed of the random draws (default: that of the training)."),
    option(
        "--scratch",
        type=FOLDER,
        help="Folder for the fields of the runs, 8 bytes a voxel, during the work (default: they "
        "are kept in memory).",
    ),
)
@option_group(
    "Output",
    option(
        "--out",
        type=FILE,
        help="File for the card, which is otherwise shown; with the extension .json, only the "
        "scores.",
    ),
    overwriting,
)
@about_matter
@reading
def evaluate(
    weights: str | None,
    unnamed: str | None,
    darks: tuple[str, ...],
    hydros: tuple[str, ...],
    truths: tuple[str, ...],
    truth_columns: str | None,
    matter: tuple[str, ...],
    out: str | None,
    overwrite: bool,
    **options: Any,
) -> Outcome:
    """Score weights on pairs of runs, and write their card.

    For a pair used in training, only the part held out for the test is scored.
    """
    from ..painters.cnn.weights.named import named_weights
    from ..system.files.atomic import atomic_output, check_output
    from ..tasks.evaluate import card_of
    from ..tasks.evaluate import evaluate as run

    chosen = one_of_both("mockgal evaluate", "--weights", weights, unnamed)
    stars = stars_of_pairs(
        f"mockgal evaluate --weights {in_shell(chosen)}", darks, hydros, truths, truth_columns
    )
    if out is not None:
        inputs = [Path(path) for path in (*darks, *hydros, *truths, *matter, chosen)]
        check_output(Path(out), overwrite, inputs)
    loaded = named_weights(chosen)
    with progress_bar() as progress:
        scores = run(
            loaded,
            list(darks),
            stars,
            matter=matter,
            progress=progress,
            **given(options),
        )
    facts = scores | {"weights": loaded.name, "weights_digest": loaded.digest()}
    card = card_of(loaded, scores)
    if out is None:
        return Outcome(card.splitlines(), facts | {"wrote": []})
    as_json = Path(out).suffix == ".json"
    text = json.dumps(plain(scores), indent=1) + "\n" if as_json else card
    with atomic_output(Path(out), overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return Outcome([f"wrote       {out}"], facts | {"wrote": [out]})


def _matched(matching: dict[str, Any]) -> str:
    return (
        f"            matched by {matching['method']}: {matching['luminous_hydro_unmatched']:,} of "
        f"{matching['luminous_hydro']:,} luminous galaxies, "
        f"{matching['stellar_mass_share_unmatched']:.1%} of their stellar mass, are in no "
        "gravity-only subhalo"
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
            *how_paired(pair),
            *([_matched(matching)] if is_matched(pair) else []),
            f"            {matching['luminous_hydro_unresolved']:,} luminous galaxies, "
            f"{matching['stellar_mass_share_unresolved']:.1%} of the stellar mass, are in "
            "subhalos that are not resolved",
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
