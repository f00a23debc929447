"""Benchmarks run, count what they say, and make nothing up for peers that are not installed."""

import sys
from pathlib import Path

import numpy as np
import pytest

from mockgal.painters.cnn.architecture import architecture
from mockgal.training.options import TrainingOptions

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import common
    import hod_painting

    return common, hod_painting


def test_our_part_runs(benchmarks):
    common, hod_painting = benchmarks
    arguments = ["--subhalos=3000", "--repeats=1", "--order=shuffled"]
    found = {
        part: common.in_process(str(BENCHMARKS / "hod_painting.py"), [*arguments, f"--part={part}"])
        for part in ("mockgal", "numpy")
    }
    assert found["mockgal"]["digest"] == found["numpy"]["digest"]
    assert 1000 < found["mockgal"]["galaxies"] < found["mockgal"]["rows"]
    text = hod_painting.render(
        found | {name: {"missing": "not installed"} for name in ("halotools", "abacus")}
    )
    assert "halotools: not installed\nAbacusHOD: not installed" in text
    assert "paint(), first" in text


def test_missing_peers_and_failures(benchmarks, tmp_path):
    common, _ = benchmarks
    script = tmp_path / "part.py"
    script.write_text("import no_such_package")
    assert common.in_process(str(script), []) == {"missing": "not installed"}
    script.write_text("raise ValueError('no')")
    assert common.in_process(str(script), []) == {"missing": "failed: ValueError: no"}
    assert "failed" in common.in_process(str(script), [], python=sys.executable)["missing"]
    script.write_text(
        f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r})\n"
        "from common import report; print('noise'); report({'rows': 3})"
    )
    assert common.in_process(str(script), []) == {"rows": 3}


def test_halos_are_what_they_are_said_to_be(benchmarks):
    halos = benchmarks[0].halos(200_000)
    central = halos["is_central"]
    assert len(central) == pytest.approx(200_000, rel=0.02)
    assert np.mean(~central) == pytest.approx(0.25, abs=0.01)
    assert np.array_equal(halos["host_id"][central], halos["halo_id"][central])
    assert np.all(np.diff(halos["host_id"]) >= 0)
    assert halos["position"].min() >= 0
    assert halos["position"].max() < 500


def test_time_and_memory(benchmarks):
    common, _ = benchmarks
    calls = []
    assert common.best_of(3, calls.append, lambda: len(calls)) >= 0
    assert calls == [0, 1, 2]
    before, peak = common.peak_memory(lambda: np.ones(20_000_000))
    assert peak >= before
    assert "Python" in common.machine()
    assert common.busy() == "" or "load average" in common.busy()
    assert common.table(["a"], [["1"]]) == "| a |\n| --- |\n| 1 |"


@pytest.fixture
def throughput(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import training_throughput

    return training_throughput


@pytest.mark.parametrize("preset", ["paper", "demo"])
@pytest.mark.parametrize("layout", ["contiguous", "channels-last"])
def test_multiplications_of_a_training_step_are_those_that_torch_counts(throughput, preset, layout):
    from torch.utils.flop_counter import FlopCounterMode

    shape = architecture(preset, width=1, crop_size=33, kernels=((5, 3), (3,), (3,)), hidden=8)
    options = TrainingOptions(seed=1, batch_size=3, accelerator="cpu")
    training = throughput.Training(throughput.made_up(40, shape), shape, options, layout)
    batch = next(training.loaded())
    with FlopCounterMode(display=False) as counted:
        assert np.isfinite(training.step(batch))
    # Torch counts multiplications and additions.
    expected = throughput.multiplications(shape) * len(batch.rows)
    assert counted.get_total_flops() / 2 == expected


def test_mapped_fields_are_timed(throughput, tmp_path, capsys):
    import mapped_fields

    tiny = ["--preset=demo", "--grid=40", "--crops=8", "--repeats=1", f"--folder={tmp_path}"]
    rows = mapped_fields.main(tiny)
    assert [row[0] for row in rows[:2]] == ["crops, in memory", "crops, mapped"]
    assert all(float(row[2]) > 0 for row in rows)
    assert "| checking | " in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_training_is_timed(throughput, capsys):
    rows = throughput.main(["--presets=demo", "--width=1", "--batch=2", "--grid=40", "--steps=1"])
    assert [row[0] for row in rows] == ["demo, channels-last"]
    numbers = [float(text.strip("%")) for text in rows[0][1:]]
    steps, crops, share = numbers[1], numbers[2], numbers[5]
    assert crops == pytest.approx(2 * steps, rel=0.01)
    assert 0 < share < 100
    assert "| demo, channels-last | " in capsys.readouterr().out


def test_a_survey_is_the_same_by_plain_ways(benchmarks):
    import survey_to_sky

    common, _ = benchmarks
    arguments = ["--galaxies=30000", "--repeats=1"]
    found = {
        part: common.in_process(survey_to_sky.__file__, [*arguments, f"--part={part}"])
        for part in ("mockgal", "numpy")
    }
    assert found["mockgal"]["kept"] == found["numpy"]["kept"] > 1000
    text = survey_to_sky.render(found | {"astropy": {"missing": "not installed"}})
    assert "| mockgal |" in text
    assert "| astropy | not installed |" in text
    assert text.count("| yes |") == 2
    found["numpy"]["sums"][0] += 10**6
    assert "| NO |" in survey_to_sky.render(found)
