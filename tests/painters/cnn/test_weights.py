"""Files of weights give back what was saved, under a digest that no layout of the file changes."""

import json
import random
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import safetensors
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from weights_samples import DOMAIN, TINY, join, normalisation, split, weights

from mockgal.columns import HALO_COLUMNS
from mockgal.errors import BadValueError, MissingDatasetError, OutputExistsError, UsageError
from mockgal.painters.cnn.architecture import FEATURES, MEAN_ONLY, OUTPUTS, outputs_of
from mockgal.painters.cnn.features import FURTHER_FEATURES
from mockgal.painters.cnn.network import seeded_network
from mockgal.painters.cnn.weights import named as module
from mockgal.painters.cnn.weights.header import Domain, Normalisation
from mockgal.painters.cnn.weights.named import (
    named_weights,
    read_weights,
    save_weights,
    shipped_weights,
)

NUMBERS = st.floats(-1e30, 1e30)
POSITIVE = st.floats(1e-30, 1e30)
TEXTS = st.text(max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | NUMBERS | TEXTS,
    lambda items: st.lists(items, max_size=3) | st.dictionaries(TEXTS, items, max_size=3),
    max_leaves=8,
)


@st.composite
def pairs(draw, numbers=NUMBERS):
    return tuple(sorted((draw(numbers), draw(numbers))))


@st.composite
def any_weights(draw):
    shape = replace(
        TINY,
        width=draw(st.integers(1, 3)),
        hidden=draw(st.integers(1, 4)),
        features=tuple(draw(st.lists(st.sampled_from(FEATURES), unique=True))),
        outputs=draw(
            st.sampled_from([OUTPUTS, MEAN_ONLY, *map(outputs_of, (("vmax",), ("mass", "vmax")))])
        ),
    )
    standard = st.tuples(NUMBERS, POSITIVE)
    domain = replace(
        DOMAIN,
        voxel_size=draw(POSITIVE),
        origin=draw(st.sampled_from(["corner", "centre"])),
        least_subhalo_mass=draw(st.just(0) | POSITIVE),
        redshift=draw(pairs(st.floats(-0.5, 1e3))),
        log_mass=draw(pairs()),
        history={
            name: {
                "column": column,
                "unit": HALO_COLUMNS[column].unit_label,
                "definition": draw(TEXTS),
                "range": draw(pairs()),
            }
            for name, column in FURTHER_FEATURES.items()
            if name in shape.features
        },
        log_vmax=draw(pairs() | st.none()) if "log_vmax" not in shape.features else draw(pairs()),
    )
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    state = {}
    for name, value in seeded_network(shape, 0).state_dict().items():
        if value.dtype == torch.int64:
            state[name] = torch.tensor(draw(st.integers(0, 2**62)))
        else:  # of any finite bits
            bits = generator.integers(0, 0x7F800000, value.shape, dtype=np.uint32)
            sign = generator.choice([1.0, 1.0 if "running_var" in name else -1.0], value.shape)
            numbers = np.atleast_1d(bits).view(np.float32).reshape(value.shape)
            state[name] = torch.from_numpy((numbers * sign).astype(np.float32))
    return weights(
        shape,
        name=draw(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30)),
        normalisation=Normalisation(
            draw(standard),
            draw(standard),
            tuple(draw(standard) for _ in shape.features),
            (0, 1),
            tuple(draw(standard) for _ in shape.further),
        ),
        domain=domain,
        target=draw(st.sampled_from(["subhalo"] + ["voxel"] * (not shape.further))),
        provenance=draw(st.dictionaries(TEXTS, JSON, max_size=4)),
        state=state,
    )


def same(first, second):
    assert first.header_dict() == second.header_dict()
    assert set(first.state) == set(second.state)
    for name, value in first.state.items():
        assert value.dtype == second.state[name].dtype
        assert value.numpy().tobytes() == second.state[name].numpy().tobytes()
    assert first.digest() == second.digest()


@settings(max_examples=40)
@given(made=any_weights())
def test_round_trip(made, tmp_path_factory):
    path = tmp_path_factory.mktemp("w") / "a.safetensors"
    save_weights(made, path)
    same(read_weights(path), made)
    with safetensors.safe_open(path, "pt") as file:  # by the library itself
        for name in made.state:
            assert torch.equal(file.get_tensor(name), made.state[name])


def test_digest_of_old():
    """Files written by earlier versions must stay valid."""
    assert weights().digest() == (
        "4dc44296f196a0bb2be7a1c29cc24c8c4f774baba784f11621cde5a4e01ae9ee"
    )


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32))
def test_the_layout_of_the_file_does_not_matter(seed, tmp_path_factory):
    """Tensors in another order, header entries in another order, padding."""
    path = tmp_path_factory.mktemp("w") / "a.safetensors"
    made = weights()
    save_weights(made, path)
    header, data = split(path)
    metadata = header.pop("__metadata__")
    order = random.Random(seed)
    names = order.sample(sorted(header), len(header))
    moved, places = b"", {}
    for name in names:
        begin, end = header[name]["data_offsets"]
        places[name] = {**header[name], "data_offsets": [len(moved), len(moved) + end - begin]}
        moved += data[begin:end]
    ours = json.loads(metadata["mockgal"])
    ours = dict(order.sample(sorted(ours.items()), len(ours)))
    entries = [
        *order.sample(sorted(places.items()), len(places)),
        ("__metadata__", {"mockgal": json.dumps(ours, indent=order.randrange(3)), "format": "pt"}),
    ]
    join(path, dict(order.sample(entries, len(entries))), moved, padding=order.randrange(20000))
    same(read_weights(path), made)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"target": "voxel"},
        {"domain": replace(DOMAIN, voxel_size=0.25)},
        {"normalisation": replace(normalisation(TINY), matter=(5.0, 3.5))},
        {"provenance": {}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_sees(change):
    assert weights(**change).digest() != weights().digest()


def test_the_digest_sees_each_number():
    made = weights()
    digests = {made.digest()}
    for name in made.state:
        state = {key: value.clone() for key, value in made.state.items()}
        state[name].view(-1)[-1] += 1
        digests.add(replace(made, state=state).digest())
    assert len(digests) == len(made.state) + 1


def test_the_network():
    trained, drawn = seeded_network(TINY, 3), torch.Generator().manual_seed(0)

    def inputs(n):
        crops = torch.randn(n, 2, 21, 21, 21, generator=drawn)
        return crops, torch.randn(n, len(TINY.features), generator=drawn)

    with torch.no_grad():
        for _ in range(3):  # statistics of the batches
            trained(*inputs(4))
    made = weights(state=trained.state_dict())
    before, digest = torch.random.get_rng_state(), made.digest()
    network = made.network()
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not network.training
    crops, features = inputs(2)
    with torch.no_grad():
        assert torch.equal(network(crops, features), trained.eval()(crops, features))
    # Training on changes neither the weights nor the first network's.
    network.train()(crops, features).sum().backward()
    with torch.no_grad():
        for parameter in [*network.parameters(), *trained.parameters()]:
            parameter += 1
    assert made.digest() == digest


def test_weights_are_frozen():
    made = weights()
    with pytest.raises(FrozenInstanceError):
        made.name = "x"
    with pytest.raises(TypeError):
        made.provenance["x"] = 1
    with pytest.raises(TypeError):
        made.state["x"] = torch.zeros(1)


def test_describe_is_json():
    made = weights()
    facts = json.loads(json.dumps(made.describe(), allow_nan=False))
    assert facts["digest"] == made.digest()
    assert facts["domain"]["log_vmax"] == [1.5, 3.0]
    assert facts["architecture"]["kernels"] == [[3], [3], []]
    assert facts["provenance"] == dict(made.provenance)
    assert not any(torch.is_tensor(value) for value in facts.values())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"target": "halo"}, "target"),
        ({"normalisation": Normalisation((0, 1), (0, 1), ((0, 1),), (0, 1))}, "features"),
        ({"domain": replace(DOMAIN, log_vmax=None)}, "log_vmax"),
        ({"provenance": {"loss": float("nan")}}, "provenance.loss"),
        ({"provenance": {"when": {1: 2}}}, "provenance.when"),
        ({"provenance": {"a": [b"bytes"]}}, r"provenance.a\[0\]"),
        ({"provenance": {"a": 10**30}}, "provenance.a"),
    ],
    ids=str,
)
def test_wrong_headers(change, words):
    with pytest.raises(BadValueError, match=words):
        weights(**change)


def test_endless_provenance():
    endless = []
    endless.append(endless)
    with pytest.raises(BadValueError, match="lists within lists"):
        weights(provenance={"a": endless})


@pytest.mark.parametrize(
    "change",
    [
        {"voxel_size": 0.0},
        {"voxel_size": float("inf")},
        {"voxel_size": True},
        {"particle_mass": -1.0},
        {"least_subhalo_mass": -1.0},
        {"luminosity_floor": float("nan")},
        {"origin": "middle"},
        {"assignment": "SPH"},
        {"redshift": (0.5, 0.0)},
        {"redshift": (-1.0, 0.0)},
        {"log_mass": (10.0, float("nan"))},
        {"log_vmax": (3.0,)},
        {"mass_definition": "300c"},
        {"stellar_mass_definition": "all"},
        {"cosmology": {"h": 0.7}},
        {"cosmology": DOMAIN.cosmology | {"w": -1}},
        {"cosmology": DOMAIN.cosmology | {"h": "0.7"}},
    ],
    ids=str,
)
def test_wrong_domains(change):
    (name,) = change
    with pytest.raises(BadValueError, match=f"domain.{name}"):
        replace(DOMAIN, **change)


@pytest.mark.parametrize("wrong", [(0.0, 0.0), (0.0, -1.0), (float("nan"), 1.0), (0.0,), 3, "ab"])
@pytest.mark.parametrize("name", ["matter", "subhalos", "target", "features"])
def test_wrong_normalisations(name, wrong):
    with pytest.raises(BadValueError, match=f"normalisation.{name}"):
        replace(normalisation(TINY), **{name: (wrong,) if name == "features" else wrong})


def test_a_domain_is_its_own_copy():
    cosmology = dict(DOMAIN.cosmology)
    domain = Domain(**{**vars(DOMAIN), "cosmology": cosmology})
    cosmology["h"] = 0.5
    assert domain == DOMAIN


def test_missing_and_surplus_tensors():
    state = dict(weights().state)
    state["output.wieght"] = state.pop("output.weight")
    with pytest.raises(MissingDatasetError, match=r"no output\.weight; besides output\.wieght"):
        weights(state=state)


def test_overwriting(tmp_path):
    path = tmp_path / "a.safetensors"
    save_weights(weights(), path)
    old = path.read_bytes()
    with pytest.raises(OutputExistsError):
        save_weights(weights(name="new"), path)
    assert path.read_bytes() == old
    save_weights(weights(name="new"), path, overwrite=True)
    assert read_weights(path).name == "new"


def test_files_are_equal_bit_for_bit(tmp_path):
    for name in "ab":
        save_weights(weights(), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_provenance_too_long_to_be_read_back(tmp_path):
    with pytest.raises(BadValueError, match="provenance"):
        save_weights(weights(provenance={"a": "x" * (2 << 20)}), tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    longest = weights(provenance={"a": '"' * 500_000})  # each quote escaped twice
    save_weights(longest, tmp_path / "a")
    same(read_weights(tmp_path / "a"), longest)


def test_names(tmp_path, monkeypatch):
    assert [found.header.name for found in shipped_weights()] == sorted(
        path.stem for path in module.SHIPPED.glob("*.safetensors")
    )
    folder = tmp_path / "networks"
    folder.mkdir()
    monkeypatch.setattr(module, "SHIPPED", folder)
    with pytest.raises(UsageError, match="none comes with mockgal"):
        named_weights("tiny-1")
    save_weights(weights(), folder / "tiny-1.safetensors")
    (found,) = shipped_weights()
    assert found.digest == weights().digest()
    assert found.header.header_dict() == weights().header_dict()
    same(named_weights("tiny-1"), weights())
    (tmp_path / "link").symlink_to(found.path)
    same(named_weights(tmp_path / "link"), weights())
    with pytest.raises(UsageError, match="tiny-1"):
        named_weights("tiny-2")
