"""The dm2gal network as a module of torch: what is trained, and the plain evaluation of one crop.

`mockgal.paint.shared` evaluates the same function for many subhalos of a tile at once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .architecture import Architecture


class Block(nn.Sequential):
    """Convolution without padding, batch normalisation, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int) -> None:
        super().__init__(
            nn.Conv3d(channels_in, channels_out, kernel, stride),
            nn.BatchNorm3d(channels_out),
            nn.ReLU(inplace=True),
        )


class GalaxyNetwork(nn.Module):
    """Crops and features of subhalos to standardised predictions.

    Parameters
    ----------
    architecture : Architecture
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.blocks = nn.Sequential(
            *(
                Block(layer.channels_in, layer.channels_out, layer.kernel, layer.stride)
                for layer in architecture.layers
            )
        )
        inputs = architecture.layers[-1].channels_out + len(architecture.features)
        self.hidden = nn.Linear(inputs, architecture.hidden)
        self.output = nn.Linear(architecture.hidden, len(architecture.outputs))

    def forward(self, crops: Tensor, features: Tensor) -> Tensor:
        """Predictions, each of subhalos by itself.

        Parameters
        ----------
        crops : Tensor, shape (n, 2, S, S, S)
            Standardised log10 (1 + mass / (Msun/h)) per voxel of matter and subhalos; S is the
            architecture's ``crop_size``.
        features : Tensor, shape (n, f)
            Standardised, in the order of the architecture's ``features``.

        Returns
        -------
        Tensor, shape (n, o)
            The architecture's ``outputs``: mean and log of the scatter of the standardised log10
            of stellar mass, and the logit of the probability of being luminous.
        """
        return self.head(self.blocks(crops).flatten(1), features)

    def head(self, seen: Tensor, features: Tensor) -> Tensor:
        """The fully connected layers.

        Parameters
        ----------
        seen : Tensor, shape (n, 8c)
            What the convolutions make of each crop.
        features : Tensor, shape (n, f)
        """
        inputs = torch.cat([seen, features], dim=1)
        result: Tensor = self.output(torch.relu(self.hidden(inputs)))
        return result


def seeded_network(architecture: Architecture, seed: int) -> GalaxyNetwork:
    """An untrained network, its weights drawn with torch's defaults and keyed by the seed.

    The global random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return GalaxyNetwork(architecture)
