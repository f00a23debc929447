"""The weights that come with the package, and their choice for a simulation."""

import re
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from cnn_samples import sample_weights, scene

import mockgal
from mockgal.errors import DomainError, MockgalWarning
from mockgal.painters.cnn import painter as cnn_module
from mockgal.painters.cnn.painter import CNNPainter
from mockgal.painters.cnn.weights import named as module
from mockgal.painters.cnn.weights.named import read_weights, save_weights, shipped_weights
from mockgal.tasks.train import CARD

DATA = Path(__file__).parents[4] / "shared/data/gadget4"
SHIPPED = shipped_weights()


@pytest.fixture
def networks(tmp_path, monkeypatch):
    """A folder in place of the package's; ``networks(name, ...)`` puts weights there."""
    folder = tmp_path / "networks"
    folder.mkdir()
    monkeypatch.setattr(module, "SHIPPED", folder)

    def put(name, *, redshift=(0.0, 0.0), **changes):
        made = sample_weights(name=name, domain={"redshift": redshift}, **changes)
        save_weights(made, folder / f"{name}.safetensors")
        return made

    return put


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda found: found.header.name)
class TestShipped:
    def test_is_readable_small_and_says_what_it_is(self, shipped):
        found = read_weights(shipped.path)
        assert found.digest() == shipped.digest
        assert found.name == shipped.path.stem
        for fact in ("summary", "caution", "training_data", "scores"):
            assert found.provenance[fact]
        assert shipped.path.stat().st_size < 1_500_000

    def test_its_card_is_of_these_weights(self, shipped):
        card = shipped.path.with_name(shipped.path.name + CARD).read_text()
        assert card.startswith(f"# Weights {shipped.header.name}\n")
        assert f"Digest {shipped.digest[:16]}." in card
        assert shipped.header.provenance["caution"] in card

    def test_the_command_shows_it(self, shipped, mockgal_command):
        listed = mockgal_command("weights", "list").stdout
        assert f"{shipped.header.name}: network" in listed
        assert f"caution: {shipped.header.provenance['caution']}" in listed
        shown = mockgal_command("weights", "show", shipped.header.name).stdout
        assert f"digest        {shipped.digest}" in shown
        assert max(map(len, shown.splitlines())) < 500, "the card is lost among files and scores"
        (card,) = re.findall(r"^card +(.*)$", shown, re.M)
        assert Path(card).samefile(shipped.path.with_name(shipped.path.name + CARD))


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.exists(), reason="needs shared/data/gadget4 beside the repository")
def test_evaluate_repeats_the_card(mockgal_command):
    """The pair of runs as `make train-demo` reads it."""
    (shipped,) = [found for found in SHIPPED if found.header.name == "gadget4-demo"]
    pair = [f"{kind}/groups_002" for kind in ("dark", "hydro")]
    result = mockgal_command(
        *(
            "evaluate",
            "--weights",
            "gadget4-demo",
            "--dark",
            DATA / pair[0],
            "--hydro",
            DATA / pair[1],
        )
    )
    assert result.returncode == 0, result.stderr
    card = shipped.path.with_name(shipped.path.name + CARD).read_text()
    number = r"(?<![\w.])-?\d+\.\d+(?:e[+-]\d+)?"
    assert re.sub(number, "", result.stdout) == re.sub(number, "", card)
    found, expected = (
        [float(x) for x in re.findall(number, text)] for text in (result.stdout, card)
    )
    assert len(expected) > 20
    # Another machine may round the last digit that is shown in the other way.
    assert found == pytest.approx(expected, rel=0.01, abs=0.0011)


def test_the_literal_command(mockgal_command, demo_bundle, tmp_path):
    (tmp_path / "dark.hdf5").write_bytes(demo_bundle.read_bytes())
    result = mockgal_command(
        *("build", "--sim", "dark.hdf5", "--painter", "cnn"),
        *("--cut", "stellar_mass > 1e9 Msun/h", "--out", "mock.fits"),
    )
    assert result.returncode == 0, result.stderr
    assert re.search(r"^painter +cnn, weights gadget4-demo, 128\^3 voxels", result.stdout, re.M)
    (shipped,) = [found for found in SHIPPED if found.header.name == "gadget4-demo"]
    caution = f"weights gadget4-demo: {shipped.header.provenance['caution']}"
    assert f"warning: {caution}" in result.stderr
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        provenance = mockgal.read_galaxies(tmp_path / "mock.fits").provenance
    assert provenance["painter"]["weights"] == "gadget4-demo"
    assert provenance["painter"]["weights_digest"] == shipped.digest
    assert provenance["painter"]["caution"] in caution
    assert provenance["warnings"].count(caution) == 1
    looked = mockgal_command("inspect", "mock.fits").stdout
    assert "weights gadget4-demo" in looked


def test_inspect_says_which_fit(mockgal_command, demo_bundle, tmp_path):
    said = mockgal_command("inspect", demo_bundle).stdout
    assert re.search(r"^painter cnn +can paint this, with weights gadget4-demo$", said, re.M)
    assert "warning: weights gadget4-demo: " in said
    halos = tmp_path / "halos.hdf5"
    mockgal_command("pack", "--sim", demo_bundle, "--no-particles", "--out", halos)
    said = mockgal_command("inspect", halos).stdout
    assert re.search(r"^painter cnn +cannot paint this: .*no particles.*--matter", said, re.M)


class TestChoice:
    def test_the_one_that_fits(self, networks):
        networks("early", redshift=(1.0, 2.0))
        wanted = networks("late")
        sim = scene()
        chosen = CNNPainter(tile_size=16)
        given = CNNPainter(wanted, tile_size=16)
        assert chosen.describe(sim) == given.describe(sim)
        assert chosen.describe(sim)["weights_digest"] == wanted.digest()
        assert (
            mockgal.paint(sim, chosen, seed=1).digest()
            == mockgal.paint(sim, given, seed=1).digest()
        )

    def test_it_follows_the_simulation(self, networks):
        networks("early", redshift=(1.0, 2.0))
        networks("late")
        painter, sim = CNNPainter(tile_size=16), scene()
        earlier = replace(sim, snapshot=replace(sim.snapshot, redshift=1.5))
        assert painter.describe(earlier)["weights"] == "early"
        assert painter.describe(sim)["weights"] == "late"

    def test_one_size_of_tiles_for_a_scene(self, networks, monkeypatch):
        """What is recorded is what is used, though free memory changes in between."""
        networks("late")
        painter, sim = CNNPainter(), scene()
        recorded = painter.describe(sim)["tile_size"]
        monkeypatch.setattr(cnn_module, "available", lambda: 0)
        assert painter.describe(sim)["tile_size"] == recorded
        painter.predict(sim)

    def test_none_that_fits(self, networks):
        networks("early", redshift=(1.0, 2.0))
        with pytest.raises(DomainError) as caught:
            CNNPainter(allow_extrapolation=True).describe(scene())
        for text in (r"early (redshift 0 outside [1, 2])", "mockgal train", "--weights FILE"):
            assert text in str(caught.value)

    def test_none_at_all(self, networks):
        with pytest.raises(DomainError, match="none come with mockgal"):
            CNNPainter().predict(scene())

    def test_two_that_fit(self, networks):
        networks("first")
        networks("second")
        with pytest.raises(DomainError, match=r"first, second.*--weights first"):
            CNNPainter().check(scene())

    def test_wrong_options_are_refused_before_it(self):
        with pytest.raises(mockgal.errors.UsageError, match="--memory"):
            CNNPainter(memory="much")


def test_a_caution_is_a_warning(networks):
    networks("late", provenance={"summary": "made up", "caution": "not today"})
    with pytest.warns(MockgalWarning, match="weights late: not today") as told:
        mockgal.paint(scene(), "cnn", seed=1, tile_size=16)
    assert len(told) == 1
