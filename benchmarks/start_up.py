"""Time until `mockgal --help` has printed, against `import torch` and an empty Python.

    python benchmarks/start_up.py

Each is a new process; runs are interleaved and the best of each is taken.
"""

import subprocess
import sys
import time

ROUNDS = 9
CASES = {
    "python -c pass": ["-c", "pass"],
    "mockgal --help": ["-m", "mockgal", "--help"],
    "python -c 'import torch'": ["-c", "import torch"],
}


def main() -> None:
    """Print seconds, and the ratio to `import torch`."""
    best = dict.fromkeys(CASES, float("inf"))
    for _ in range(ROUNDS):
        for name, arguments in CASES.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
            best[name] = min(best[name], time.perf_counter() - start)
    torch = best["python -c 'import torch'"]
    for name, seconds in best.items():
        print(f"{name:26s} {seconds:6.3f} s   {seconds / torch:5.3f} of import torch")


if __name__ == "__main__":
    main()
