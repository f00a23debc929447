"""Inputs that are not there: each command names the file, what was looked for, and what is near."""

import shlex
from pathlib import Path

import pytest

from mockgal.cli import main
from mockgal.cli.options.values import FILE, FOLDER, PATH
from mockgal.errors import InputError
from mockgal.readers.detect import detect
from mockgal.system.files.plain_text import absent, beside

DEMO = Path(__file__).parents[2] / "catalogs/demo"
MODEL = '--model zheng07 --parameters "logMmin=11"'
COMMANDS = {
    "inspect GONE": "a catalogue",
    "inspect DARK --matter GONE": "particles or a density grid",
    "pack --sim GONE --out q.hdf5": "a catalogue",
    "field --sim GONE --grid 8 --out q.hdf5": "a catalogue",
    "field --galaxies GONE --grid 8 --out q.hdf5": "a catalogue",
    "build --sim GONE --painter hod": "a catalogue",
    "build --sim DARK --painter hod --calibration GONE.ecsv": "an HOD calibration table",
    "build --sim DARK --painter cnn --weights GONE.safetensors": "a safetensors file",
    "build --recipe GONE": "a recipe",
    "survey GONE --redshift-space z --out q.fits": "a mock that mockgal wrote",
    "measure GONE --statistic power --out q": "a catalogue",
    "measure HYDRO --statistic w_theta --randoms GONE --out q": "a mock that mockgal wrote",
    "plot GONE": "a catalogue",
    "compare --truth GONE --mock a=b.fits --out q": "a catalogue",
    "compare --truth HYDRO --mock a=GONE --out q": "a mock that mockgal wrote",
    "verify GONE": "a mock that mockgal wrote",
    "reproduce GONE": "a mock that mockgal wrote",
    "calibrate --dark DARK --hydro GONE --out q.ecsv": "a catalogue",
    "train --dark GONE --hydro HYDRO --out q.safetensors": "a catalogue",
    "evaluate --weights gadget4-demo --dark GONE --hydro HYDRO --out q.html": "a catalogue",
    "weights show GONE.safetensors": "a safetensors file",
    "weights convert GONE.ckpt --out q.safetensors": "a checkpoint",
    f"fit --sim DARK --data GONE.ecsv {MODEL} --out q": "an ECSV file of `mockgal measure`",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_says_what_it_looked_for(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dask.hdf5").touch()  # like the name that is asked for
    places = {"DARK": DEMO / "dark.hdf5", "HYDRO": DEMO / "hydro.hdf5"}
    words = command.replace("GONE", "dark.hdf5" if "GONE." not in command else "gone")
    for name, place in places.items():
        words = words.replace(name, str(place))
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(words))
    message = capsys.readouterr().err.splitlines()[-1]
    assert ended.value.code == (2 if "--recipe" in command else 3), message
    gone = next(word for word in shlex.split(words) if word.startswith(("dark", "gone", "a=dark")))
    assert f"{gone.removeprefix('a=')}: found no such file or folder" in message
    assert COMMANDS[command] in message
    near = "near it there is dask.hdf5" if "dark" in gone else "there is nothing like it in"
    assert near in message
    left = [path for path in tmp_path.glob("q*") if not command.startswith("fit ")]
    assert not left  # a fit makes its folder first


def test_what_is_near_a_path(tmp_path):
    (tmp_path / "sims").mkdir()
    (tmp_path / "sims" / "snap_099.hdf5").touch()
    cases = {
        "sims/snap_98.hdf5": "near it there is snap_099.hdf5",
        "sims/x": f"there is nothing like it in {tmp_path}/sims",
        "sins/groups/x": f"there is no sins in {tmp_path}",
        "sims/snap_099.hdf5/a/b": f"{tmp_path}/sims/snap_099.hdf5 is a file",
        "x" * 5000: f"there is nothing like it in {tmp_path}",
    }
    for path, near in cases.items():
        error = absent(tmp_path / path, "a mock")
        assert error.fix.endswith(f"; {near}"), error.fix
        assert error.exit_code == 3


@pytest.mark.parametrize("command", ["inspect", "plot --out q.png", "verify", "build --sim"])
def test_the_working_directory_is_a_folder_like_others(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.dat").touch()
    more = ["--painter", "hod"] if "build" in command else []
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), ".", *more])
    assert ended.value.code == 3
    assert " a folder" in capsys.readouterr().err


def test_the_working_directory_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert beside(Path("."), ".yaml") == tmp_path.with_name(f"{tmp_path.name}.yaml")
    assert beside(Path("a/b.csv"), ".yaml") == Path("a/b.csv.yaml")
    with pytest.raises(InputError):
        detect(Path("."))


@pytest.mark.parametrize("kind", [FILE, FOLDER, PATH], ids=lambda kind: kind.name)
def test_an_empty_path_is_refused(kind, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["inspect", ""])
    assert ended.value.code == 2
    assert "an empty text is no path" in capsys.readouterr().err
    with pytest.raises(Exception, match="no path"):
        kind.convert("", None, None)
