"""Train the dm2gal network, resuming exactly where a training was stopped.

The optimiser is Adam. The learning rate is divided by ten when the validation loss no longer falls,
and training stops early. Among the epochs with about the least validation loss, the weights are
those whose painted stellar mass clusters best (arXiv:2012.00186, sections 2.2 and 2.3). Lightning's
Fabric handles devices, strategy and mixed precision; the loop is here. Batches are keyed, and all
other state is in a checkpoint (`mockgal.training.checkpoints`).
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
    """Train a network, or resume a training that was stopped.

    Parameters
    ----------
    samples : Samples
        Samples with rows for training and for validation.
    architecture : Architecture
        Its outputs determine the loss (`mockgal.training.losses.Loss`).
    options : TrainingOptions
    folder : Path
        Folder for checkpoints and logs, created if it does not exist. A stopped training resumes
        from its checkpoint there, with the same losses as without the stop.
    domain, normalisation, target, provenance, name
        Fields of the weights; see `WeightsHeader`. The provenance gains ``training``: options,
        scores, and the record of the samples.
    sampling : ndarray, shape (n,), optional
        Relative probability of each row of the samples to be drawn in an epoch, with replacement,
        among the training rows. By default each training row is seen once.
    loss_weights : ndarray, shape (n,), optional
        Weight of each row of the samples in the training loss; by default 1.

    Returns
    -------
    Weights
        Weights of the epoch chosen by `mockgal.training.evaluation.selection.kept`, with the
        constants of `mockgal.training.evaluation.recalibrate`. Losses and scores in the log are
        without these constants.

    Raises
    ------
    UsageError
        Lightning is not installed, or lacks the devices; options do not fit the samples; or the
        folder holds another training.
    BadValueError
        The samples do not match the network, or are too few.
    CorruptFileError
        Both checkpoints are damaged.
    InternalError
        The loss is not finite. The last checkpoint, with finite numbers, is kept.
    OutputError, ResourceError
        The folder cannot be written to, or is in use; or there is too little memory or disk space.
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
    chances = {
        name: x
        for name, x in (("weights", sampling), ("loss_weights", loss_weights))
        if x is not None
    }
    check_samples(samples, rows, header, chances)
    fabric = fabric_of(options)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    alone = output_lock(folder / "training") if fabric.is_global_zero else nullcontext()
    with alone, torch_settings(options):
        training = _Training(samples, rows, header, options, folder, fabric, chances)
        training.run()
        return training.weights()


def plateau(
    optimiser: torch.optim.Optimizer, patience: int
) -> torch.optim.lr_scheduler.ReduceLROnPlateau:
    """Return a scheduler: `FACTOR` on the learning rate after ``patience`` epochs without gain."""
    # Without a threshold: a relative one takes rising losses below 0 for falling ones.
    return torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimiser, factor=FACTOR, patience=patience, threshold=0.0
    )


class _Training:
    """A running training."""

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
                f"{done} epochs already done, more than these options allow",
                "options that stop no earlier: an epoch cannot be undone",
                "raise --epochs or --stop-after, or give another folder",
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
        self._steps = len(self._batches) // fabric.world_size  # the same on all devices
        number = options.crops_per_epoch or len(rows[0])
        if self._steps == 0 or number < 2 * len(self._batches):  # batch normalisation needs two
            raise BadValueError(
                "training rows",
                f"{number} in {len(self._batches)} batches for {fabric.world_size} devices",
                "a batch of two or more rows for each device",
                "use another batch size, fewer devices, or more subhalos",
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
        for row in self._state.rows:  # the state of the scheduler follows from the losses
            self._scheduler.step(row["validation_loss"])
        _set_moments(adam, network, self._state)
        self._parameters = adam
        self._saved = time.monotonic()

    def run(self) -> None:
        """Train epochs until there are enough, or the validation loss no longer falls."""
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
        """Return the weights of the best epoch, recalibrated."""
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
        """Train the remaining batches of an epoch."""
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
        """Yield the batches of this device: of every ``world_size`` batches, one."""
        world, mine = self._fabric.world_size, self._fabric.global_rank
        if world == 1:
            batches = self._batches.epoch(epoch, self._state.batch)
            for _ in range(self._state.batch, self._steps):
                yield next(batches)
            return
        for step in range(self._state.batch, self._steps):
            yield next(self._batches.epoch(epoch, step * world + mine))

    def _end_of_epoch(self) -> dict[str, Any]:
        """Evaluate the epoch, and return its row of the log."""
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
    """Restore the moments of Adam from a checkpoint."""
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
        "lower the learning rate, in another folder; this one keeps the last good checkpoint",
    )
