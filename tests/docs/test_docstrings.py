"""Every public name has a docstring that is complete, and whose examples run."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import mockgal
from mockgal import errors, options, testing, types

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / "docs/reference/python"
DIRECTIVE = re.compile(r"^\.\. auto(?:function|class|exception):: ([\w.]+)$", re.M)
MODULE = re.compile(r"^\.\. currentmodule:: ([\w.]+)$", re.M)
DECLARATIONS = [f.__name__ for f in options.KINDS]  # the example of check_options shows them
PROTOCOLS = ["Reader", "MockReader", "Painter", "Writer"]  # how-to/extend.md has a class of each
HOURS = ["train", "evaluate"]  # their examples need runs that are not part of the project


def documented():
    """The objects on the site's pages about Python, keyed by their names there."""
    found = {}
    for page in sorted(PYTHON.glob("*.rst")):
        module = ""
        for line in page.read_text(encoding="utf-8").splitlines():
            if match := MODULE.match(line):
                module = match[1]
            elif match := DIRECTIVE.match(line):
                name = match[1] if match[1].startswith("mockgal.") else f"{module}.{match[1]}"
                where, _, what = name.rpartition(".")
                found[name] = getattr(importlib.import_module(where), what)
    return found


DOCUMENTED = documented()


def public():
    """What explanation/public-interface.md calls public: functions and classes."""
    names = [getattr(mockgal, name) for name in mockgal.__all__]
    names += [getattr(testing, name) for name in testing.__all__]
    text = (ROOT / "docs/explanation/public-interface.md").read_text(encoding="utf-8")
    for module, row in re.findall(r"^\| `(mockgal\.[\w.]+)` \| (.+) \|$", text, re.M):
        if "contract" not in row:
            loaded = importlib.import_module(module)
            names += [getattr(loaded, n) for n in re.findall(r"`(\w+)`", row) if hasattr(loaded, n)]
    for name in re.search(r"\| Python \|(.+)", text)[1].split("`"):
        names += [getattr(m, name) for m in (types, errors) if hasattr(m, name)]
    names += list(errors_below(errors.MockgalError))
    return [one for one in names if inspect.isfunction(one) or inspect.isclass(one)]


def errors_below(base):
    for error in base.__subclasses__():
        if error.__module__ == "mockgal.errors":
            yield error
            yield from errors_below(error)


def sections(thing):
    """The sections of a docstring, by title."""
    parts = re.split(r"^(\w[\w ]+)\n-+$", inspect.getdoc(thing) or "", flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_what_is_public_is_on_the_site():
    there = {id(one) for one in DOCUMENTED.values()}
    assert [one.__name__ for one in public() if id(one) not in there] == []
    assert len(there) > 60


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_docstring_is_complete(name):
    """A summary in one line, what is taken, returned and raised, and an example."""
    thing = DOCUMENTED[name]
    assert (thing.__doc__ or "").split("\n\n")[0].strip().endswith((".", ".\n"))
    if inspect.isclass(thing) and issubclass(thing, Exception | Warning):
        return
    there, own = sections(thing), name.rpartition(".")[2]
    section = options.__doc__ if own in DECLARATIONS else there.get("Parameters", "")
    described = re.sub("[,*`:]", " ", section).split()
    if own not in PROTOCOLS:
        parameters = inspect.signature(thing).parameters
        assert [p for p in parameters if p not in described] == []
    if inspect.isfunction(thing):
        returns = str(inspect.signature(thing).return_annotation)
        given = {"Returns", "Yields"} & set(there)
        assert given or returns in ("None", "Any") or own in DECLARATIONS, returns
    if own not in (*PROTOCOLS, *DECLARATIONS):
        assert ">>>" in there.get("Examples", "")


EXAMPLES = {
    name: test
    for name, thing in DOCUMENTED.items()
    if (test := doctest.DocTestParser().get_doctest(inspect.getdoc(thing), {}, name, None, None))
    and test.examples
}


def test_examples_that_are_left_out_are_few():
    skipped = [n for n, t in EXAMPLES.items() if any(doctest.SKIP in e.options for e in t.examples)]
    assert sorted(name.rpartition(".")[2] for name in skipped) == sorted(HOURS)


@pytest.mark.filterwarnings("ignore::mockgal.errors.MockgalWarning")
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(name, tmp_path, monkeypatch, halotools):
    monkeypatch.chdir(tmp_path)
    Path("catalogs").symlink_to(ROOT / "catalogs")
    test = EXAMPLES[name]
    test.globs = {"mockgal": mockgal, "np": np, "__name__": "examples"}
    backend = matplotlib.get_backend()
    matplotlib.use("Agg")
    report = []
    flags = doctest.IGNORE_EXCEPTION_DETAIL | doctest.ELLIPSIS
    try:
        doctest.DocTestRunner(optionflags=flags).run(test, out=report.append)
    finally:
        matplotlib.pyplot.close("all")
        matplotlib.use(backend)
    assert "".join(report) == ""
