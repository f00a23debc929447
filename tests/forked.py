"""The command in a process of its own, forked from one that has imported its libraries.

A fresh interpreter imports for seconds what a command then uses for a tenth of one. Here each run
is a process too, with its own folder, files, signals and exit code. Every command also runs in a
fresh interpreter, in `test_screen.py` or the two tests that it names.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback

# What commands import of others once they run.
LIBRARIES = (
    *("astropy.cosmology", "astropy.io.ascii.ecsv", "astropy.io.fits", "astropy.table", "h5py"),
    *("astropy.coordinates", "astropy_healpix"),
    *("matplotlib.backends.backend_agg", "matplotlib.figure", "rich.progress", "scipy.fft"),
    *("scipy.integrate", "scipy.interpolate", "scipy.optimize", "scipy.spatial", "scipy.special"),
    *("scipy.stats", "torch"),
)

ENVIRONMENT = dict(os.environ)  # as it is before a test changes it


class Forked:
    """Runs ``python -m mockgal`` in processes forked from one server, started at the first.

    They have the environment of the test, and look for plug-ins where its PYTHONPATH says; what
    libraries ask for when they are imported, such as OMP_NUM_THREADS, needs a fresh interpreter.
    """

    def __init__(self):
        self._server = None

    def run(self, words, cwd, timeout=120):
        """Run the command with ``words`` in the folder ``cwd``; gives the completed process."""
        if self._server is None or self._server.poll() is not None:
            command = [sys.executable, __file__]
            self._server = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT
            )
        words, environment = [str(word) for word in words], dict(os.environ)
        with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
            outputs = [out.name, err.name]
            pid = int(self._ask(json.dumps([words, environment, os.fspath(cwd), outputs])))
            late = threading.Timer(timeout, os.kill, (pid, signal.SIGKILL))
            late.start()
            code = int(self._ask(""))
            late.cancel()
            said = [os.fsdecode(file.read()).replace("\r\n", "\n") for file in (out, err)]
        return subprocess.CompletedProcess(words, code, *said)

    def _ask(self, line):
        self._server.stdin.write(line.encode() + b"\n")
        self._server.stdin.flush()
        return self._server.stdout.readline()

    def close(self):
        """End the server."""
        if self._server is not None:
            self._server.communicate()


def modules():
    """The package's, but for programs (which run when they are imported) and what trains."""
    import mockgal

    for module in pkgutil.walk_packages(mockgal.__path__, "mockgal."):
        if not module.name.endswith(("__main__", "_child")) and "train" not in module.name:
            yield module.name


def serve():
    """Fork for each request; only a forked process returns, to go on as the command."""
    requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.dup2(0, 1)
    for name in [*LIBRARIES, *modules()]:
        importlib.import_module(name)
    sys.modules["mockgal.painters.hod.store"].shipped()  # read once in a process
    assert threading.active_count() == 1, "a fork would be without the threads"
    gc.freeze()
    while line := requests.readline():
        pid = os.fork()
        if pid == 0:
            requests.close()
            replies.close()
            return json.loads(line)
        print(pid, file=replies)
        requests.readline()
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=replies)
    sys.exit()


if __name__ == "__main__":
    words, environment, cwd, outputs = serve()
    for number, name in enumerate(outputs, 1):
        os.dup2(os.open(name, os.O_WRONLY), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.path[0], sys.argv[1:] = cwd, words
    added = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [folder for folder in added if folder and folder not in sys.path]
    code = 1
    try:
        runpy.run_module("mockgal", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else end.code is not None
    except BaseException:
        traceback.print_exc()
    finally:  # without the libraries' teardown, which takes longer than most commands
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
