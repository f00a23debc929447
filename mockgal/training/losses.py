"""The loss of a training: a squared error, or a negative log-likelihood."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from ..painters.cnn.architecture import FURTHER_OUTPUTS, MEAN_ONLY, OUTPUTS
from ..painters.cnn.weights.header import WeightsHeader

if TYPE_CHECKING:
    from .data.samples import Batch

_HALF_LOG_TWO_PI = 0.5 * math.log(2.0 * math.pi)


class Loss:
    """The loss that belongs to the outputs of a network.

    - For a network that gives only the mean: the squared error of the standardised target, over
      luminous subhalos (arXiv:2012.00186, section 2.2).
    - For a network that gives the mean mu, the log of the scatter s and the luminous logit: minus
      the log-likelihood of the law that painting draws from. A subhalo is luminous with
      probability p; its standardised target t is then normal, cut off below the floor f:
      -log p + (t - mu)^2 / 2 s^2 + log s + log(2 pi) / 2 + log Phi((mu - f) / s). A dark subhalo
      adds -log(1 - p). Known further targets of a luminous subhalo are normal at given mass, about
      m + b (t - max(mu, f)) / s, with a scatter of their own.

    Parameters
    ----------
    header : WeightsHeader
        Header of the weights that are to be trained.
    """

    def __init__(self, header: WeightsHeader) -> None:
        self.name = "squared error" if header.architecture.outputs == MEAN_ONLY else "likelihood"
        self.further = len(header.architecture.further)
        self.floor = -math.inf  # standardised
        floor, (mean, deviation) = header.domain.luminosity_floor, header.normalisation.target
        if floor > 0:
            self.floor = (math.log10(floor) - mean) / deviation

    def __call__(self, output: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the weighted sum over the batch, and the sum of weights: their ratio is the loss.

        Parameters
        ----------
        output : Tensor, shape (B, o)
            Output of `GalaxyNetwork`.
        batch : Batch
            The batch, on the same device.
        """
        loss, weight = self.each(output, batch)
        return (weight * loss).sum(), weight.sum()

    def each(self, output: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the loss of each row, and its weight, both of shape (B,).

        Parameters
        ----------
        output, batch
            See `__call__`.
        """
        output = output.float()
        if self.name == "squared error":
            return (output[:, 0] - batch.target) ** 2, batch.weight * batch.luminous
        mean, log_scatter, logit = output[:, : len(OUTPUTS)].unbind(1)
        dim = binary_cross_entropy_with_logits(logit, batch.luminous.float(), reduction="none")
        mass = truncated_normal(batch.target, mean, log_scatter, self.floor)
        # `where`, since a product with zero would keep values that are not finite
        each = dim + torch.where(batch.luminous, mass, torch.zeros_like(mass))
        if self.further:
            each = each + self._further(output, batch).sum(1)
        return each, batch.weight

    def _further(self, output: Tensor, batch: Batch) -> Tensor:
        """Return minus the log-likelihood of each further target, shape (B, t); 0 if unknown."""
        score = (batch.target - output[:, 0].clamp_min(self.floor)) * torch.exp(-output[:, 1])
        shape = len(output), self.further, len(FURTHER_OUTPUTS)
        mean, slope, log_scatter = output[:, len(OUTPUTS) :].reshape(shape).unbind(2)
        known = batch.luminous[:, None] & torch.isfinite(batch.further)
        zero = torch.zeros_like(batch.further)
        score = torch.where(known, score[:, None], zero)  # keeps gradients finite, too
        value = torch.where(known, batch.further, zero)
        each = truncated_normal(value, mean + slope * score, log_scatter, -math.inf)
        return torch.where(known, each, zero)


def truncated_normal(target: Tensor, mean: Tensor, log_scatter: Tensor, floor: float) -> Tensor:
    """Return minus the log of the density of a normal law cut off below ``floor``, shape (n,).

    Parameters
    ----------
    target, mean, log_scatter : Tensor, shape (n,)
    floor : float
        The cut; -inf for none.
    """
    precision = torch.exp(-log_scatter)
    plain = 0.5 * ((target - mean) * precision) ** 2 + log_scatter + _HALF_LOG_TWO_PI
    if floor == -math.inf:
        return plain
    above: Tensor = torch.special.log_ndtr((mean - floor) * precision)
    return plain + above
