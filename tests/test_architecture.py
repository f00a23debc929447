"""The doors of the house: which module may import which."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mockgal"
# The vocabulary, in order: each may import those before it. All rooms may import all of it.
VOCABULARY = (
    "errors",
    "system",
    "quantity",
    "layout",
    "bounds",
    "columns",
    "digests",
    "cosmology",
    "random",
    "completeness",
    "particles",
    "snapshot",
    "precision",
    "types",
    "laws",
    "theory",
    "options",
    "protocols",
    "registry",
    "survey_plan",
    "recipe",
)
ROOMS = {p.name for p in PACKAGE.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
ROOMS -= set(VOCABULARY)
# Beside the vocabulary. All arrows but those of tasks point back along the flow.
DOORS = {
    "readers": set(),
    "satellites": set(),
    "fields": set(),
    "painters": {"fields"},
    "selection": set(),
    "survey": {"fields"},
    "writers": set(),
    "statistics": {"fields", "survey"},
    "calibration": {"fields", "painters", "statistics"},
    "training": {"fields", "painters", "statistics"},
    "fitting": {"fields", "painters", "satellites", "statistics"},
    "reports": {"statistics", "survey"},
    "universe": {"fields", "writers"},
    "testing": {"painters", "statistics"},
    "tasks": ROOMS - {"tasks", "cli", "testing", "universe"},
    # The commands only call tasks; they show options and objects of these rooms.
    "cli": {
        "tasks",
        "fitting",
        "painters",
        "reports",
        "satellites",
        "statistics",
        "training",
        "writers",
    },
    "__init__": {"selection", "tasks"},
    "__main__": {"cli"},
}
FAMILIES = ("rockstar", "quijote", "halotools", "subfind", "mocks", "tables")  # of formats
MODULES = sorted(p.relative_to(PACKAGE) for p in PACKAGE.rglob("*.py"))
MOST_CHILDREN = 12  # modules of a folder, and folders of a room


def imports(path: Path) -> set[tuple[str, ...]]:
    """Everything that a module imports from mockgal: the names below it, in order."""
    found = set()
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [a.name.split(".") for a in node.names]
            found |= {tuple(name[1:]) for name in names if name[0] == "mockgal"}
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            if node.level:
                up = len(path.parts) - node.level
                assert up >= 0, f"{path} imports from outside the package"
                module = [*path.parts[:up], *module]
            elif module[0] != "mockgal":
                continue
            else:
                module = module[1:]
            found |= {(*module, a.name) for a in node.names}
    return {names for names in found if names and names[0] != "__version__"}


def room_of(path: Path) -> str:
    return path.parts[0] if len(path.parts) > 1 else path.stem


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_doors(path):
    room = room_of(path)
    known = VOCABULARY[: VOCABULARY.index(room)] if room in VOCABULARY else VOCABULARY
    allowed = {room, *known} | DOORS.get(room, set())
    through = {names[0] for names in imports(path)}
    assert through <= allowed, f"{path} imports {through - allowed}"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_format_imports_no_other_format(family):
    others = {("readers", other) for other in FAMILIES if other != family}
    for path in (PACKAGE / "readers" / family).glob("*.py"):
        assert not {names[:2] for names in imports(path.relative_to(PACKAGE))} & others, path


def test_the_check_sees_a_wrong_door(tmp_path, monkeypatch):
    room = tmp_path / "selection" / "deep"
    room.mkdir(parents=True)
    (room / "bad.py").write_text("def f():\n    from ...writers.fits import FITSWriter\n")
    (tmp_path / "worse.py").write_text("import mockgal.readers.hdf5\nfrom . import painters\n")
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    assert imports(Path("selection/deep/bad.py")) == {("writers", "fits", "FITSWriter")}
    assert imports(Path("worse.py")) == {("readers", "hdf5"), ("painters",)}


def test_every_room_has_its_doors():
    assert ROOMS | {"__init__", "__main__"} == set(DOORS)


def test_rooms_can_be_seen_at_a_glance():
    folders = [p.parent for p in PACKAGE.rglob("__init__.py") if p.parent != PACKAGE]
    for folder in folders:
        modules = [p for p in folder.glob("*.py") if p.name != "__init__.py"]
        rooms = [p for p in folder.iterdir() if (p / "__init__.py").exists()]
        assert max(len(modules), len(rooms)) <= MOST_CHILDREN, folder
    there = {p.stem for p in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert there <= set(VOCABULARY), "the package itself holds nothing but the vocabulary"


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
