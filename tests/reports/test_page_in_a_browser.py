"""The page in Debian's Chromium: pictures are there, tables sort, nothing overflows or complains.

Another page opens it in a frame of the width of a screen, and writes down what it finds.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import mockgal
from mockgal.errors import listening

DEMO = Path(__file__).parents[2] / "catalogs/demo"
CHROMIUM = shutil.which("chromium")

HARNESS = """<!DOCTYPE html><title>harness</title><iframe src="report/index.html"
style="width:%dpx;height:2000px;border:0"></iframe><pre></pre><script>
const frame = document.querySelector("iframe");
frame.addEventListener("load", () => {
  const page = frame.contentDocument, found = {};
  const pictures = Array.from(page.images);
  found.pictures = pictures.length;
  found.loaded = pictures.filter(one => one.complete && one.naturalWidth > 0).length;
  found.overflow = page.documentElement.scrollWidth - page.documentElement.clientWidth;
  const table = page.querySelector("table.sortable"), body = table.tBodies[0];
  const column = Array.from(table.tHead.rows[0].cells)
    .findIndex(head => head.textContent.startsWith("largest deviation"));
  const values = () => Array.from(body.rows)
    .map(row => Number(row.cells[column].dataset.sort)).filter(value => !Number.isNaN(value));
  found.before = values();
  const head = table.tHead.rows[0].cells[column];
  head.querySelector("button").click();
  found.up = values();
  found.state = head.getAttribute("aria-sort");
  head.querySelector("button").click();
  found.down = values();
  document.querySelector("pre").textContent = "FOUND" + JSON.stringify(found) + "END";
});
</script>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("browser")
    sim = mockgal.read(DEMO / "dark.hdf5")
    with listening(quiet=True):
        mockgal.compare(
            DEMO / "hydro.hdf5",
            {"hod": mockgal.paint(sim, "hod", seed=1)},
            sim=sim,
            out=path / "report",
            cuts=["stellar_mass > 8e9 Msun/h"],
            statistics=["power", "mass_function"],
            grid_size=64,
        )
    return path


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt install chromium")
@pytest.mark.parametrize("width", [1280, 390])
def test_in_chromium(folder, tmp_path, width):
    harness = folder / f"harness-{width}.html"
    harness.write_text(HARNESS % width)
    result = subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-web-security"),
            *("--allow-file-access-from-files", f"--user-data-dir={tmp_path}"),
            *("--enable-logging=stderr", "--virtual-time-budget=20000", "--window-size=1400,2100"),
            *("--dump-dom", harness.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=600,
    )
    found = json.loads(re.search("FOUND(.*)END", result.stdout)[1])
    assert "CONSOLE" not in result.stderr
    assert found["pictures"] == found["loaded"] == 7
    assert found["overflow"] <= 0
    assert found["before"] != sorted(found["before"])
    assert found["up"] == sorted(found["before"])
    assert found["down"] == sorted(found["before"], reverse=True)
    assert found["state"] == "ascending"
