"""The doors of the house: which module may import which."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mockgal"
SHARED = {
    "errors",
    "scalars",
    "progress",
    "parallel",
    "kernels",
    "memory",
    "files",
    "quantity",
    "layout",
    "ids",
    "bounds",
    "columns",
    "cosmology",
    "random",
    "deferred",
    "conditional_law",
    "display",
    "rows",
    "completeness",
    "particles",
    "linear",
    "abundance",
    "types",
}
SHARED |= {"distribution", "satellite_law", "protocols", "plugins", "options", "registry"}
ROOMS = {p.name for p in PACKAGE.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
JOINTS = {
    "pipeline",
    "packing",
    "one_statistic",
    "converting",
    "measuring",
    "gridding",
    "calibrating",
    "evaluating",
    "training",
    "readiness",
    "summary",
}
# Beside the shared vocabulary; every arrow but those of the joints points back along the flow.
DOORS = {
    "train": {"fields", "paint", "measure"},
    "calibrate": {"fields", "paint", "measure"},
    "measure": {"fields"},
    "paint": {"fields"},
    "report": {"measure"},
    "universe": {"fields", "write"},
    "progress": {"files"},  # its signals, which import nothing of ours
    # joints
    "pipeline": {"recipe", "painters", "converting"} | (ROOMS - {"train", "calibrate"}),
    "one_statistic": {"measure"},
    "packing": {"pipeline", "fields", "write"},
    "converting": {"painters", "paint", "write"},
    "measuring": {"pipeline", "one_statistic"} | (ROOMS - {"train", "calibrate"}),
    "gridding": {"pipeline"} | (ROOMS - {"train", "calibrate"}),
    "calibrating": {"pipeline", "painters", "calibrate", "paint"},
    "pairing": {"calibrating", "painters", "calibrate", "paint", "train"},
    "evaluating": {"pairing", "calibrate", "paint", "train"},
    "training": {"pairing", "evaluating", "calibrating", "painters"}
    | {"calibrate", "paint", "train", "report"},
    "readiness": {"pipeline", "painters"},
    "summary": {"pipeline", "readiness"},
    "recipe": set(),
    "painters": set(),
    "testing": {"paint", "measure"},
    "cli": ROOMS | JOINTS | {"recipe"},
    "__init__": JOINTS,
    "__main__": {"cli"},
}
# The shared vocabulary itself, in order: each may import those before it.
ORDER = [
    "errors",
    "scalars",
    "progress",
    "parallel",
    "kernels",
    "memory",
    "quantity",
    "layout",
    "ids",
    "bounds",
    "columns",
    "cosmology",
    "random",
    "deferred",
    "conditional_law",
    "display",
    "rows",
    "completeness",
    "particles",
    "linear",
    "abundance",
    "types",
    "distribution",
    "satellite_law",
    "protocols",
    "plugins",
    "options",
    "registry",
]
MODULES = sorted(p.relative_to(PACKAGE) for p in PACKAGE.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """First part, below mockgal, of everything that a module imports from mockgal."""
    found = set()
    depth = len(path.parts)  # 1 for modules at the top, 2 in a room
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [a.name.split(".") for a in node.names if a.name.split(".")[0] == "mockgal"]
            names = [n[1:] for n in names]
        elif isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".") if node.module else []
            if node.level == 0:
                if not module or module[0] != "mockgal":
                    continue
                base = module[1:]
            else:
                up = depth - node.level
                assert up >= 0, f"{path} imports from outside the package"
                base = list(path.parts[:-1])[:up] + module
            names = [base] if base else [[a.name] for a in node.names]
        found |= {n[0] for n in names if n}
    return found - {"__version__"}


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_doors(path):
    room = path.parts[0] if len(path.parts) > 1 else path.stem
    if room in ORDER:
        allowed = set(ORDER[: ORDER.index(room)]) | DOORS.get(room, set())
    else:
        allowed = SHARED | DOORS.get(room, set()) | ({room} if len(path.parts) > 1 else set())
    assert imports(path) <= allowed, f"{path} imports {imports(path) - allowed}"


# Formats that have modules of their own in `read`. What serves several of them lies apart.
FAMILIES = {
    "subfind": {"subfind", "subfind_set", "gadget4", "arepo", "units", "snapshots", "members"}
    | {"membership", "placement"},
    "rockstar": {"rockstar", "rockstar_head"},
    "quijote": {"quijote", "quijote_set"},
    "halotools": {"halotools", "halotools_facts", "halotools_table"},
    "mocks": {p.stem for p in PACKAGE.glob("read/galaxies*.py")} | {"fits_file"},
}
# These tell what a file is, and ask the formats.
TELLING = {"detect", "signatures", "unsupported"}


def within(path: Path) -> set[str]:
    """Modules of its own room that a module imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            found |= {node.module.split(".")[0]} if node.module else {a.name for a in node.names}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("read/*.py")), ids=lambda p: p.stem)
def test_a_format_imports_no_other_format(path):
    own = [name for name, modules in FAMILIES.items() if path.stem in modules]
    others = set().union(*(modules for name, modules in FAMILIES.items() if name not in own))
    if path.stem not in TELLING:
        assert within(path) & others == set()


def test_the_formats_are_there():
    every = set().union(*FAMILIES.values(), TELLING)
    assert {name for name in every if not (PACKAGE / "read" / f"{name}.py").exists()} == set()


def test_the_check_sees_a_wrong_door(tmp_path, monkeypatch):
    room = tmp_path / "select"
    room.mkdir()
    (room / "bad.py").write_text("def f():\n    from ..write.fits import FITSWriter\n")
    (tmp_path / "worse.py").write_text("import mockgal.read.safe\nfrom . import paint\n")
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    assert imports(Path("select/bad.py")) == {"write"}
    assert imports(Path("worse.py")) == {"read", "paint"}


def test_every_room_is_known():
    assert {"read", "paint", "select", "write", "calibrate"} <= ROOMS


@pytest.mark.parametrize("module", ["mockgal", "mockgal.types", "mockgal.registry", "mockgal.cli"])
def test_importing_is_light(module):
    heavy = ["torch", "halotools", "dask", "matplotlib", "astropy", "scipy", "h5py", "pydantic"]
    heavy += ["numba"]
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_modules_can_be_read_at_one_sitting():
    lengths = {str(p): len((PACKAGE / p).read_text().splitlines()) for p in MODULES}
    assert {name: n for name, n in lengths.items() if n > 500} == {}
