"""The shape of the dm2gal network: its layers, presets, and the voxels that it sees.

There are six blocks of convolution, batch normalisation and ReLU without padding: three times some
of stride 1 and then one of kernel 3 and stride 2. Two fully connected layers follow
(arXiv:2012.00186, section 2.2). Without padding the output for a subhalo depends only on its own
crop.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ...columns import FURTHER_TARGETS
from ...errors import BadValueError, UsageError
from .features import FEATURES, OFFSETS, SUBHALO_FEATURES

CHANNELS = ("matter", "subhalos")  # channels of a crop: mass per voxel of each
STRIDED_KERNEL = 3
MEAN_ONLY = ("mean",)
OUTPUTS = ("mean", "log_scatter", "luminous_logit")
FURTHER_OUTPUTS = ("mean", "slope", "log_scatter")  # for each further target
_MOST = {"crop_size": 257, "width": 1024, "hidden": 1 << 14}
_MOST_KERNELS, _LARGEST_KERNEL, _STAGES = 8, 31, 3


class Layer(NamedTuple):
    """One convolution: side of the kernel, stride, channels in and out."""

    kernel: int
    stride: int
    channels_in: int
    channels_out: int


@dataclass(frozen=True)
class Architecture:
    """Layout of a network; stored with its weights.

    Parameters
    ----------
    preset : str
        Name of the layout: a key of `PRESETS`, or any other name.
    kernels : tuple of tuple of int
        Sides of the kernels of stride 1 of each of the three stages; odd, from 3 on. None for a
        network that sees no field, but features alone; its crop is one voxel.
    crop_size : int
        Voxels along each side of a crop; odd. The target voxel is in the middle.
    width : int
        Channels c of the first stage; there are c, 2c, 2c, 4c, 4c, 8c.
    hidden : int
        Neurons of the first fully connected layer.
    features : tuple of str
        Features of the subhalo, inputs of the first fully connected layer; some of `FEATURES`.
    outputs : tuple of str
        `MEAN_ONLY`, or a result of `outputs_of`.

    Raises
    ------
    BadValueError
        A value that is not allowed, or a crop that the layers do not reduce to one voxel.
    """

    preset: str
    kernels: tuple[tuple[int, ...], ...]
    crop_size: int
    width: int = 16
    hidden: int = 256
    features: tuple[str, ...] = SUBHALO_FEATURES
    outputs: tuple[str, ...] = OUTPUTS

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            value = getattr(self, name)
            if not (_whole(value) and 1 <= value <= most):
                raise _bad(name, repr(value), f"a whole number from 1 to {most}")
        if self.crop_size % 2 == 0:
            raise _bad("crop_size", f"{self.crop_size}", "an odd number: one voxel in the middle")
        flat = [kernel for stage in self.kernels for kernel in stage]
        if self.kernels and (
            len(self.kernels) != _STAGES or max(map(len, self.kernels)) > _MOST_KERNELS
        ):
            raise _bad("kernels", repr(self.kernels), f"{_STAGES} stages of a few kernels each")
        if not all(_whole(k) and k % 2 and 3 <= k <= _LARGEST_KERNEL for k in flat):
            raise _bad("kernels", repr(self.kernels), f"odd numbers from 3 to {_LARGEST_KERNEL}")
        if len(set(self.features)) < len(self.features) or set(self.features) - set(FEATURES):
            raise _bad("features", repr(self.features), "some of " + ", ".join(FEATURES))
        if self.outputs != MEAN_ONLY and (
            self.outputs != outputs_of(self.further)
            or len(set(self.further)) < len(self.further)
            or set(self.further) - set(FURTHER_TARGETS)
        ):
            expected = (
                f"{MEAN_ONLY}, or {OUTPUTS} and those of targets among {', '.join(FURTHER_TARGETS)}"
            )
            raise _bad("outputs", repr(self.outputs), expected)
        if not self.sees_fields and (not self.features or set(self.features) & set(OFFSETS)):
            raise _bad(
                "features", repr(self.features), "some, and no offset, where there are no voxels"
            )
        if self.sizes[-1] != 1:
            raise _bad("crop_size", f"{self.crop_size}", "one that the layers reduce to one voxel")

    @property
    def sees_fields(self) -> bool:
        """Whether the network sees matter and subhalos around its own, or features alone."""
        return bool(self.kernels)

    @property
    def channels_out(self) -> int:
        """Number of values that the convolutions give to the fully connected layers."""
        return self.layers[-1].channels_out if self.sees_fields else 0

    @property
    def further(self) -> tuple[str, ...]:
        """Targets beside stellar mass: keys of `mockgal.columns.FURTHER_TARGETS`."""
        firsts = self.outputs[len(OUTPUTS) :: len(FURTHER_OUTPUTS)]
        return tuple(name.partition(":")[0] for name in firsts)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The convolutions, in order."""
        layers: list[Layer] = []
        channels = len(CHANNELS)
        for stage, kernels in enumerate(self.kernels):
            for kernel in kernels:
                layers.append(Layer(kernel, 1, channels, self.width << stage))
                channels = self.width << stage
            layers.append(Layer(STRIDED_KERNEL, 2, channels, 2 * (self.width << stage)))
            channels = 2 * (self.width << stage)
        return tuple(layers)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Side of a crop, and of the output of each convolution; the last is 1."""
        sizes = [self.crop_size]
        for layer in self.layers:
            sizes.append((sizes[-1] - layer.kernel) // layer.stride + 1)
        return tuple(sizes)

    @property
    def windows(self) -> tuple[int, ...]:
        """Side of each convolution's input that the final single voxel depends on, and then 1.

        The first is the side of the receptive field.
        """
        sides = [1]
        for layer in reversed(self.layers):
            sides.append((sides[-1] - 1) * layer.stride + layer.kernel)
        return tuple(reversed(sides))

    @property
    def receptive_field(self) -> tuple[int, int]:
        """First and last voxel seen along an axis, relative to the target voxel."""
        first = -(self.crop_size // 2)
        return first, first + self.windows[0] - 1

    @property
    def is_centred(self) -> bool:
        """Whether the receptive field is symmetric about the target voxel."""
        first, last = self.receptive_field
        return first == -last

    @property
    def parameters(self) -> int:
        """Number of weights and biases that are trained."""
        convolutions = sum(
            layer.kernel**3 * layer.channels_in * layer.channels_out + 3 * layer.channels_out
            for layer in self.layers
        )
        first = (self.channels_out + len(self.features) + 1) * self.hidden
        return convolutions + first + (self.hidden + 1) * len(self.outputs)

    def to_dict(self) -> dict[str, Any]:
        """Return the architecture as plain JSON values."""
        values = dataclasses.asdict(self)
        return (
            values
            | {"kernels": [list(stage) for stage in self.kernels]}
            | {name: list(values[name]) for name in ("features", "outputs")}
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Architecture:
        """Return the architecture from the result of `to_dict`.

        Raises
        ------
        BadValueError
            Entries are missing or unknown, or of the wrong kind.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        if set(values) != names:
            raise _bad("architecture", ", ".join(sorted(values)), ", ".join(sorted(names)))
        lists = ("kernels", "features", "outputs")
        if not isinstance(values["preset"], str) or not all(
            isinstance(item, list)
            for item in [*(values[name] for name in lists), *_listed(values["kernels"])]
        ):
            raise _bad("architecture", "a preset or list of another type", "a text and lists")
        for name in ("features", "outputs"):
            if not all(isinstance(item, str) for item in values[name]):
                raise _bad(name, repr(values[name])[:200], "a list of names")
        return cls(
            preset=values["preset"],
            kernels=tuple(tuple(stage) for stage in values["kernels"]),
            crop_size=values["crop_size"],
            width=values["width"],
            hidden=values["hidden"],
            features=tuple(values["features"]),
            outputs=tuple(values["outputs"]),
        )


def outputs_of(further: Sequence[str]) -> tuple[str, ...]:
    """Return the outputs of a network that predicts laws of stellar mass and further targets."""
    return (*OUTPUTS, *(f"{name}:{output}" for name in further for output in FURTHER_OUTPUTS))


HOST_FEATURES = SUBHALO_FEATURES[: -len(OFFSETS)]
# Layouts; docs/explanation/network.md says where the paper's text and its public code differ.
PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "kernels": ((7, 7), (5, 5), (3, 3)),
        "crop_size": 65,
        "features": (),
        "outputs": MEAN_ONLY,
    },
    "centred": {"kernels": ((7, 5), (5, 5), (5, 3)), "crop_size": 65},
    "literal": {"kernels": ((7, 7, 7), (5, 5), (5,)), "crop_size": 65},
    "features": {
        "kernels": (),
        "crop_size": 1,
        "width": 1,
        "hidden": 64,
        "features": HOST_FEATURES,
    },
    "demo": {"kernels": ((5, 3), (3,), (3,)), "crop_size": 33},
}


def architecture(preset: str, **changes: Any) -> Architecture:
    """Return the architecture of a preset, with changes to some of its entries.

    Raises
    ------
    UsageError
        There is no such preset.
    BadValueError
        See `Architecture`.
    """
    if preset not in PRESETS:
        raise UsageError("network preset", repr(preset), "one of " + ", ".join(PRESETS))
    return Architecture(preset, **(PRESETS[preset] | changes))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _bad(name: str, found: str, expected: str) -> BadValueError:
    return BadValueError(f"network {name}", found, expected, "correct the architecture")
