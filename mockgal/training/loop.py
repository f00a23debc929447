"""Training of the dm2gal network, which goes on exactly where it was stopped.

Adam, a learning rate that falls by ten when the validation loss no longer does, an early end, and
of the epochs with about the least validation loss the weights of that whose painted stellar mass
clusters best (arXiv:2012.00186, sections 2.2 and 2.3). Lightning's Fabric chooses devices, strategy
and mixed precision, and leaves the loop to us: batches are keyed, and everything else is in a
checkpoint (`mockgal.training.checkpoints`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import BadValueError, InternalError, UsageError
from ..painters.cnn.architecture import Architecture
from ..painters.cnn.network import GalaxyNetwork, seeded_network
from ..painters.cnn.weights.header import Domain, Normalisation, WeightsHeader
from ..painters.cnn.weights.named import Weights
from ..system.files.lock import output_error, output_lock
from ..system.progress import advance
from . import log
from .checkpoints import Checkpoints, State
from .data.samples import TRAIN, VALIDATION, Batch, CropBatches, Samples
from .devices import LAYOUT, fabric_of, on_device, torch_settings
from .evaluation.predict import outputs
from .evaluation.recalibrate import recalibrated
from .evaluation.selection import RULE, PowerComparison, Score, kept
from .inputs import check_samples, training_key
from .losses import Loss
from .options import FACTOR, TrainingOptions

if TYPE_CHECKING:
    from lightning.fabric import Fabric

Array = NDArray[Any]


def train(
    samples: Samples,
    architecture: Architecture,
    options: TrainingOptions,
    folder: Path,
    *,
    domain: Domain,
    normalisation: Normalisation,
    target: str,
    provenance: Mapping[str, Any],
    name: str = "trained",
    sampling: Array | None = None,
    loss_weights: Array | None = None,
) -> Weights:
    """Train a network, or go on with a training that was stopped.

    Parameters
    ----------
    samples : Samples
        With rows for training and for validation.
    architecture : Architecture
        Its outputs say what loss is made small (`mockgal.training.losses.Loss`).
    options : TrainingOptions
    folder : Path
        For checkpoints and logs; made if it is not there. What a stopped training left there is
        gone on from, with the same losses to come.
    domain, normalisation, target, provenance, name
        Of the weights; see `WeightsHeader`. The provenance gains ``training``: options, scores, and
        the record of the samples.
    sampling : ndarray, shape (n,), optional
        Relative probability of each row of the samples to be drawn in an epoch, with replacement,
        among those for training; without it each is seen once.
    loss_weights : ndarray, shape (n,), optional
        What each row of the samples counts in the training loss; 1 without them.

    Returns
    -------
    Weights
        Those of the epoch that `mockgal.training.evaluation.selection.kept` says, with the
        constants of `mockgal.training.evaluation.recalibrate`. The losses and scores in the log are
        those without.

    Raises
    ------
    UsageError
        Lightning is not installed, or has not the devices; options that do not fit the samples; the
        folder holds another training.
    BadValueError
        Samples that do not go with the network, or are too few.
    CorruptFileError
        Both checkpoints are damaged.
    InternalError
        The loss is not finite. The last checkpoint, of numbers that are, stays.
    OutputError, ResourceError
        The folder cannot be written to, or is in use; too little memory or disk.
    """
    header = WeightsHeader(
        name=name,
        architecture=architecture,
        normalisation=normalisation,
        domain=domain,
        target=target,
        provenance=provenance,
    )
    rows = [samples.rows(part) for part in (TRAIN, VALIDATION)]
    given = {
        name: x
        for name, x in (("weights", sampling), ("loss_weights", loss_weights))
        if x is not None
    }
    check_samples(samples, rows, header, given)
    fabric = fabric_of(options)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    alone = output_lock(folder / "training") if fabric.is_global_zero else nullcontext()
    with alone, torch_settings(options):
        training = _Training(samples, rows, header, options, folder, fabric, given)
        training.run()
        return training.weights()


def plateau(
    optimiser: torch.optim.Optimizer, patience: int
) -> torch.optim.lr_scheduler.ReduceLROnPlateau:
    """The learning rate falls by `FACTOR` after more than so many epochs without a lower loss."""
    # Without a threshold: relative ones take losses below 0 that rise for falling ones.
    return torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=FACTOR, patience=patience, threshold=0.0
    )


class _Training:
    """A training under way."""

    def __init__(
        self,
        samples: Samples,
        rows: list[Array],
        header: WeightsHeader,
        options: TrainingOptions,
        folder: Path,
        fabric: Fabric,
        given: Mapping[str, Array],
    ) -> None:
        self._samples, self._header, self._options = samples, header, options
        self._folder, self._fabric, self._given = folder, fabric, given
        self._loss = Loss(header)
        self._checkpoints = Checkpoints(folder, training_key(samples, header, options, given))
        network = seeded_network(header.architecture, options.seed)
        network = network.to(memory_format=LAYOUT)  # type: ignore[call-overload]
        self._state = self._checkpoints.newest() or State(_copied(network.state_dict()))
        done = len(self._state.rows)
        if any(_is_done(self._state.rows[:epochs], options) for epochs in range(1, done)):
            raise UsageError(
                "training epochs",
                f"{done} epochs that are done, more than these options ask for",
                "options that end no earlier: an epoch cannot be taken back",
                "give more --epochs or --stop-after, or another folder",
            )
        drawn: dict[str, Any] = {name: values[rows[0]] for name, values in given.items()}
        self._batches = CropBatches(
            samples,
            rows[0],
            architecture=header.architecture,
            normalisation=header.normalisation,
            batch_size=options.batch_size,
            seed=options.seed,
            symmetries=options.symmetries,
            **drawn,
            shuffle=True,
            number=options.crops_per_epoch,
        )
        self._held_out = rows[1]
        self._independent = samples.independent(rows[1])
        self._validation = CropBatches.unturned(samples, rows[1], header, options.batch_size)
        self._steps = len(self._batches) // fabric.world_size  # all devices take as many
        number = options.crops_per_epoch or len(rows[0])
        if self._steps == 0 or number < 2 * len(self._batches):  # for the normalisation
            raise BadValueError(
                "training rows",
                f"{number} in {len(self._batches)} batches for {fabric.world_size} devices",
                "a batch of two or more for each device",
                "take other batches, fewer devices, or more subhalos",
            )
        self._comparison = PowerComparison(
            samples, rows[1], header, power_range=options.power_range
        )
        network.load_state_dict(self._state.model)
        adam = torch.optim.Adam(
            network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        self._network = network
        self._module, self._adam = fabric.setup(network, adam)
        self._scheduler = plateau(adam, options.patience)
        for row in self._state.rows:  # its state follows from the losses
            self._scheduler.step(row["validation_loss"])
        _set_moments(adam, network, self._state)
        self._parameters = adam
        self._saved = time.monotonic()

    def run(self) -> None:
        """Epochs until there are enough of them, or the validation loss no longer falls."""
        writer = log.tensorboard(self._folder) if self._fabric.is_global_zero else None
        state = self._state
        self._write_log()
        while not _is_done(state.rows, self._options):
            self._train_epoch()
            row = self._fabric.broadcast(self._end_of_epoch())
            model = _copied(self._network.state_dict())
            state.rows.append(row)
            if kept(state.rows) == len(state.rows) - 1:
                state.best = model
            state.batch, state.losses = 0, []
            self._scheduler.step(row["validation_loss"])
            self._save(model)
            self._write_log()
            if writer is not None:
                log.add_scalars(writer, row)
        if writer is not None:
            writer.close()

    def weights(self) -> Weights:
        """Those of the best epoch, recalibrated."""
        rows = self._state.rows
        best = rows[kept(rows)]
        header, state = self._header, dict(self._state.best)
        network = seeded_network(header.architecture, self._options.seed)
        network.load_state_dict(state)
        device = self._fabric.device
        shift, record = recalibrated(
            network.to(device), header, self._validation, device, self._independent
        )
        state["output.bias"] = (state["output.bias"].double() + shift).float()
        training = {
            "options": self._options.to_dict(),
            "loss": self._loss.name,
            "optimiser": "Adam",
            "learning_rate_factor": FACTOR,
            "selection": {"rule": RULE, **self._comparison.record},
            "recalibration": record,
            "epochs": len(rows),
            "epoch": best["epoch"],
            "scores": {name: best[name] for name in log.SCALARS},
            "least_validation_loss": min(row["validation_loss"] for row in rows),
            "curves": {name: [row[name] for row in rows] for name in log.SCALARS},
            "rows": {"training": int(np.count_nonzero(self._samples.part == TRAIN))}
            | {"validation": len(self._held_out)},
            "batches_left_out_of_each_epoch": len(self._batches) % self._fabric.world_size,
            "sampling": [name for name in ("weights", "loss_weights") if name in self._given],
            "samples": dict(self._samples.record),
        }
        return Weights(
            name=header.name,
            architecture=header.architecture,
            normalisation=header.normalisation,
            domain=header.domain,
            target=header.target,
            provenance=dict(header.provenance) | {"training": training},
            state=state,
        )

    def _train_epoch(self) -> None:
        """The batches of an epoch that are not done yet."""
        state, fabric = self._state, self._fabric
        epoch = len(state.rows)
        self._module.train()
        for batch in self._my_batches(epoch):
            batch = on_device(batch, fabric.device)
            total, weight = self._loss(self._module(batch.crops, batch.features), batch)
            loss = total / weight.clamp_min(torch.finfo(weight.dtype).tiny)
            if not math.isfinite(loss.item()):
                raise _not_finite("loss", epoch, state.batch, self._folder)
            self._adam.zero_grad()
            fabric.backward(loss)
            self._adam.step()
            state.steps += 1
            state.batch += 1
            both = fabric.all_reduce(torch.stack([total, weight]).detach(), reduce_op="sum")
            state.losses.append([float(value) for value in both])
            label = f"training, epoch {epoch + 1}, loss {loss.item():.4g}"
            done = epoch * self._steps + state.batch
            advance(done, self._options.epochs * self._steps, label)
            if time.monotonic() - self._saved >= self._options.checkpoint_seconds:
                self._save(_copied(self._network.state_dict()))

    def _my_batches(self, epoch: int) -> Iterator[Batch]:
        """Those of this device: of each group of as many as there are devices, one."""
        world, mine = self._fabric.world_size, self._fabric.global_rank
        if world == 1:
            found = self._batches.epoch(epoch, self._state.batch)
            for _ in range(self._state.batch, self._steps):
                yield next(found)
            return
        for step in range(self._state.batch, self._steps):
            yield next(self._batches.epoch(epoch, step * world + mine))

    def _end_of_epoch(self) -> dict[str, Any]:
        """What the epoch came to: a row of the log."""
        state = self._state
        rate = self._parameters.param_groups[0]["lr"]
        output, loss, error = outputs(
            self._module, self._validation, self._held_out, self._fabric.device, self._loss
        )
        epoch = len(state.rows)
        if not (math.isfinite(loss) and np.isfinite(output).all()):
            raise _not_finite("validation loss", epoch, state.batch, self._folder)
        score: Score = self._comparison.score(output, seed=self._options.seed)
        sums = np.array(state.losses)
        return {
            "epoch": epoch + 1,
            "training_loss": math.fsum(sums[:, 0]) / max(math.fsum(sums[:, 1]), 1e-300),
            "validation_loss": loss,
            "validation_loss_error": error / math.sqrt(self._independent),
            "learning_rate": float(rate),
            **score._asdict(),
        }

    def _save(self, model: dict[str, Tensor]) -> None:
        state = self._state
        state.model = model
        for name, parameter in self._network.named_parameters():
            kept = self._parameters.state[parameter]
            state.first[name], state.second[name] = kept["exp_avg"], kept["exp_avg_sq"]
        if self._fabric.is_global_zero:
            self._checkpoints.write(state)
        self._fabric.barrier()
        self._saved = time.monotonic()

    def _write_log(self) -> None:
        if self._fabric.is_global_zero:
            log.write(self._folder, self._state.rows, self._comparison)


def _is_done(rows: list[dict[str, Any]], options: TrainingOptions) -> bool:
    if len(rows) >= options.epochs:
        return True
    losses = [row["validation_loss"] for row in rows]
    return bool(losses) and len(losses) - 1 - int(np.argmin(losses)) >= options.stop_after


def _set_moments(adam: torch.optim.Adam, network: GalaxyNetwork, state: State) -> None:
    """What Adam keeps, as it was at a checkpoint."""
    for name, parameter in network.named_parameters():
        if name in state.first:
            adam.state[parameter] = {
                "step": torch.tensor(float(state.steps)),
                "exp_avg": torch.zeros_like(parameter).copy_(state.first[name]),
                "exp_avg_sq": torch.zeros_like(parameter).copy_(state.second[name]),
            }


def _copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.to("cpu", copy=True).contiguous() for name, value in state.items()}


def _not_finite(what: str, epoch: int, batch: int, folder: Path) -> InternalError:
    return InternalError(
        f"training in {folder}",
        f"a {what} that is NaN or infinite in epoch {epoch + 1}, batch {batch + 1}",
        "a finite one",
        "lower the learning rate, in another folder; the last good checkpoint stays in this one",
    )
