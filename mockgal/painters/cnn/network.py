"""The dm2gal network as a torch module, for training and for plain evaluation crop by crop.

`mockgal.painters.cnn.evaluation.shared` evaluates the same function for many subhalos of a tile at
once.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from .architecture import Architecture


class Block(nn.Module):
    """Convolution without padding, batch normalisation, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.convolution = nn.Conv3d(channels_in, channels_out, kernel, stride)
        self.normalisation = nn.BatchNorm3d(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block to ``x`` of shape (n, channels, x, y, z)."""
        return torch.relu_(self.normalisation(self.convolution(x)))

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the convolution with the batch normalisation folded in."""
        convolution, normalisation = self.convolution, self.normalisation
        assert convolution.bias is not None
        assert normalisation.running_mean is not None
        assert normalisation.running_var is not None
        scale = normalisation.weight / torch.sqrt(normalisation.running_var + normalisation.eps)
        weight = convolution.weight * scale[:, None, None, None, None]
        bias = (convolution.bias - normalisation.running_mean) * scale + normalisation.bias
        return weight.detach(), bias.detach()


class GalaxyNetwork(nn.Module):
    """Network from crops and features of subhalos to standardised predictions.

    Parameters
    ----------
    architecture : Architecture
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.blocks = nn.ModuleList(
            Block(layer.channels_in, layer.channels_out, layer.kernel, layer.stride)
            for layer in architecture.layers
        )
        inputs = architecture.channels_out + len(architecture.features)
        self.hidden = nn.Linear(inputs, architecture.hidden)
        self.output = nn.Linear(architecture.hidden, len(architecture.outputs))

    def forward(self, crops: Tensor, features: Tensor) -> Tensor:
        """Predict for each subhalo independently.

        Parameters
        ----------
        crops : Tensor, shape (n, 2, S, S, S)
            Standardised log10 (1 + mass / (Msun/h)) per voxel of matter and subhalos; S is the
            architecture's ``crop_size``. Not looked at by a network that sees no fields.
        features : Tensor, shape (n, f)
            Standardised, in the order of the architecture's ``features``.

        Returns
        -------
        Tensor, shape (n, o)
            The architecture's ``outputs``: mean and log of the scatter of the standardised log10
            of stellar mass, and the logit of the probability of being luminous. For each further
            target: the mean of its standardised log10 at the mean stellar mass, its rise per
            scatter of stellar mass, and the log of its own scatter about this line.
        """
        inputs = features
        if self.architecture.sees_fields:
            seen = crops
            for block in self.blocks:
                seen = block(seen)
            inputs = torch.cat([seen.flatten(1), features], dim=1)
        result: Tensor = self.output(torch.relu(self.hidden(inputs)))
        return result

    def folded(self) -> list[tuple[Tensor, Tensor]]:
        """Return weight and bias of each convolution, with batch normalisation folded in."""
        return [cast(Block, block).folded() for block in self.blocks]


def seeded_network(architecture: Architecture, seed: int) -> GalaxyNetwork:
    """Return an untrained network, with weights drawn by torch's defaults from the seed.

    The global random state does not change.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed GPUs, too
        return GalaxyNetwork(architecture)
