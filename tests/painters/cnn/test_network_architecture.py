"""Layouts of the network: the sizes that the physics asks for, and what is refused."""

import json
from dataclasses import FrozenInstanceError, replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mockgal.errors import BadValueError, UsageError
from mockgal.painters.cnn.architecture import (
    FEATURES,
    MEAN_ONLY,
    OUTPUTS,
    PRESETS,
    Architecture,
    architecture,
)
from mockgal.painters.cnn.network import GalaxyNetwork

# By hand: sides of the crop and of what each layer makes of it; what is seen along an axis.
SIZES = {
    "paper": (65, 59, 53, 26, 22, 18, 8, 6, 4, 1),
    "centred": (65, 59, 55, 27, 23, 19, 9, 5, 3, 1),
    "literal": (65, 59, 53, 47, 23, 19, 15, 7, 3, 1),
    "demo": (33, 29, 27, 13, 11, 5, 3, 1),
}
WINDOWS = SIZES | {"paper": (59, 53, 47, 23, 19, 15, 7, 5, 3, 1)}
SEEN = {"paper": (-32, 26), "centred": (-32, 32), "literal": (-32, 32), "demo": (-16, 16)}
LAYERS = {  # kernel, stride, channels in, channels out, at width 1
    "paper": [
        *[(7, 1, 2, 1), (7, 1, 1, 1), (3, 2, 1, 2)],
        *[(5, 1, 2, 2), (5, 1, 2, 2), (3, 2, 2, 4)],
        *[(3, 1, 4, 4), (3, 1, 4, 4), (3, 2, 4, 8)],
    ],
    "centred": [
        *[(7, 1, 2, 1), (5, 1, 1, 1), (3, 2, 1, 2)],
        *[(5, 1, 2, 2), (5, 1, 2, 2), (3, 2, 2, 4)],
        *[(5, 1, 4, 4), (3, 1, 4, 4), (3, 2, 4, 8)],
    ],
    "literal": [
        *[(7, 1, 2, 1), (7, 1, 1, 1), (7, 1, 1, 1), (3, 2, 1, 2)],
        *[(5, 1, 2, 2), (5, 1, 2, 2), (3, 2, 2, 4)],
        *[(5, 1, 4, 4), (3, 2, 4, 8)],
    ],
    "demo": [
        *[(5, 1, 2, 1), (3, 1, 1, 1), (3, 2, 1, 2)],
        *[(3, 1, 2, 2), (3, 2, 2, 4)],
        *[(3, 1, 4, 4), (3, 2, 4, 8)],
    ],
}


def test_names_of_presets():
    assert set(PRESETS) == {*SIZES, "features"}  # which has no layers


@pytest.mark.parametrize("preset", SIZES)
def test_sizes(preset):
    made = architecture(preset)
    assert (made.preset, made.width) == (preset, 16)
    assert made.sizes == SIZES[preset]
    assert made.windows == WINDOWS[preset]
    assert made.receptive_field == SEEN[preset]
    assert made.is_centred == (preset != "paper")


@pytest.mark.parametrize("preset", SIZES)
@pytest.mark.parametrize("width", [1, 16])
def test_layers(preset, width):
    expected = [(k, s, i * width, o * width) for k, s, i, o in LAYERS[preset]]
    expected[0] = (expected[0][0], 1, 2, width)  # two channels, whatever the width
    assert list(architecture(preset, width=width).layers) == expected


def test_what_the_paper_gives_and_takes():
    paper = architecture("paper")
    assert (paper.features, paper.outputs) == ((), ("mean",))
    for preset in ("centred", "literal", "demo"):
        made = architecture(preset)
        assert len(made.features) == 7
        assert made.outputs == ("mean", "log_scatter", "luminous_logit")


def test_parameters_of_the_paper():
    assert architecture("paper", width=64).parameters == 13_865_601


@pytest.mark.parametrize("preset", SIZES)
@pytest.mark.parametrize("changes", [{}, {"width": 3, "hidden": 5, "features": ("is_central",)}])
def test_parameters_are_those_of_the_module(preset, changes):
    made = architecture(preset, **changes)
    with torch.device("meta"):
        module = GalaxyNetwork(made)
    assert made.parameters == sum(value.numel() for value in module.parameters())


@st.composite
def architectures(draw):
    """Any that is allowed: each layer's side follows from what comes after it."""
    kernels = st.lists(st.integers(1, 4).map(lambda half: 2 * half + 1), max_size=3).map(tuple)
    stages = draw(st.tuples(kernels, kernels, kernels))
    side = 1
    for stage in reversed(stages):
        side = 2 * side + 1 + sum(kernel - 1 for kernel in stage)
    crop = side + draw(st.sampled_from([0, 2, 4, 6]))  # fewer voxels than three strides see
    return Architecture(
        preset=draw(st.text(max_size=8)),
        kernels=stages,
        crop_size=crop,
        width=draw(st.integers(1, 1024)),
        hidden=draw(st.integers(1, 1 << 14)),
        features=tuple(draw(st.lists(st.sampled_from(FEATURES), unique=True))),
        outputs=draw(st.sampled_from([OUTPUTS, MEAN_ONLY])),
    )


@given(made=architectures())
def test_dictionaries(made):
    values = made.to_dict()
    assert Architecture.from_dict(json.loads(json.dumps(values))) == made
    json.dumps(values, allow_nan=False)


@given(made=architectures())
def test_the_receptive_field_lies_in_the_crop(made):
    first, last = made.receptive_field
    half = made.crop_size // 2
    assert first == -half <= 0 <= last <= half
    assert last - first + 1 == made.windows[0]
    assert made.is_centred == (made.windows[0] == made.crop_size)
    # Exactly the voxels that are seen suffice, and one less does not.
    assert replace(made, crop_size=made.windows[0]).windows == made.windows
    with pytest.raises(BadValueError):
        replace(made, crop_size=made.windows[0] - 2)


def test_frozen():
    with pytest.raises(FrozenInstanceError):
        architecture("demo").width = 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"crop_size": 0}, "network crop_size: found 0, expected a whole number from 1 to 257"),
        ({"crop_size": 259}, "a whole number from 1 to 257"),
        ({"crop_size": 33.0}, "network crop_size: found 33.0"),
        ({"crop_size": True}, "network crop_size: found True"),
        ({"crop_size": 34}, "an odd number"),
        ({"crop_size": 31}, "one that the layers reduce to one voxel"),
        ({"crop_size": 41}, "one that the layers reduce to one voxel"),
        ({"crop_size": 3}, "one that the layers reduce to one voxel"),
        ({"width": 0}, "network width: found 0, expected a whole number from 1 to 1024"),
        ({"width": 1025}, "from 1 to 1024"),
        ({"width": "16"}, "network width: found '16'"),
        ({"hidden": 0}, "network hidden: found 0"),
        ({"hidden": 16385}, "from 1 to 16384"),
        ({"kernels": ((5, 3), (3,))}, "3 stages"),
        ({"kernels": ((5, 3), (3,), (3,), ())}, "3 stages"),
        ({"kernels": ((3,) * 9, (), ())}, "3 stages of a few kernels each"),
        ({"kernels": ((5, 4), (3,), (3,))}, "odd numbers from 3 to 31"),
        ({"kernels": ((5, 1), (3,), (3,))}, "odd numbers from 3 to 31"),
        ({"kernels": ((33,), (3,), (3,))}, "odd numbers from 3 to 31"),
        ({"kernels": ((5.0, 3), (3,), (3,))}, "odd numbers from 3 to 31"),
        ({"features": ("log_mass", "log_mass")}, "network features"),
        ({"features": ("spin",)}, "some of log_mass, log_vmax, is_central, log_host_mass, off"),
        ({"outputs": ("luminous_logit",)}, "network outputs"),
        ({"outputs": ("log_scatter", "mean", "luminous_logit")}, "network outputs"),
    ],
)
def test_what_is_no_network(changes, words):
    with pytest.raises(BadValueError, match=words):
        architecture("demo", **changes)


def test_the_largest_that_are_allowed():
    assert architecture("demo", width=1024, hidden=16384).width == 1024
    assert Architecture("large", ((31, 31), (31,), (3,)), crop_size=143).sizes[-1] == 1
    assert Architecture("deep", ((3,) * 8, (), ()), crop_size=31).sizes[-1] == 1
    assert Architecture("bare", ((), (), ()), crop_size=15).windows[0] == 15


@pytest.mark.parametrize("preset", ["Paper", "", "centered"])
def test_no_such_preset(preset):
    with pytest.raises(UsageError, match="one of paper, centred, literal, features, demo"):
        architecture(preset)


@pytest.mark.parametrize(
    "change",
    [
        {"depth": 3},
        {"preset": 3},
        {"kernels": 3},
        {"kernels": [3, 3, 3]},
        {"kernels": [[5, 3], [3], "3"]},
        {"kernels": [["5", 3], [3], [3]]},
        {"kernels": [[[5], 3], [3], [3]]},
        {"kernels": {"0": [5, 3]}},
        {"features": "log_mass"},
        {"features": [["log_mass"]]},
        {"features": None},
        {"outputs": [1]},
        {"outputs": {"mean": 1}},
        {"outputs": []},
        {"width": None},
        {"width": True},
        {"hidden": 256.0},
        {"crop_size": [33]},
    ],
    ids=str,
)
def test_dictionaries_of_another_kind(change):
    values = architecture("demo").to_dict()
    with pytest.raises(BadValueError, match="network "):
        Architecture.from_dict(values | change)


@pytest.mark.parametrize("name", architecture("demo").to_dict())
def test_dictionaries_with_an_entry_missing(name):
    values = architecture("demo").to_dict()
    del values[name]
    with pytest.raises(BadValueError, match=f"expected .*{name}"):
        Architecture.from_dict(values)
