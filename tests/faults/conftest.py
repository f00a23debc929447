import pytest
from read_faults import DIALECTS, check_refused, fresh

from mockgal.errors import InputError


@pytest.fixture
def dialect(request):
    """The code that wrote the run; `read_faults.both` asks for each."""
    return DIALECTS[getattr(request, "param", "gadget4")]


@pytest.fixture
def make_run(tmp_path_factory, tmp_path, dialect):
    """A function that gives a fresh copy of a synthetic run."""
    return lambda **options: fresh(tmp_path_factory, tmp_path, dialect, **options)


@pytest.fixture
def run(make_run):
    return make_run()


@pytest.fixture
def refused(request):
    """`read_faults.check_refused` with the exit code of the test's fault."""

    def check(path, *words, code=None, **options):
        if code is None:
            numbered = request.node.get_closest_marker("fault")
            code = request.getfixturevalue("exit_code") if numbered else InputError.exit_code
        return check_refused(path, *words, code=code, **options)

    return check
