"""Write what each recipe here must give, <name>.expected.yaml: python catalogs/make_expected.py.

To be run when the demo's calibration, weights or random numbers are changed on purpose.
"""

import tempfile
import warnings
from pathlib import Path

import mockgal
from mockgal.recipe import check, read_yaml

HERE = Path(__file__).parent
RECIPES = ("demo", "demo-cnn", "demo-survey")


def build(name, folder):
    """The report of recipe ``name``, written into a folder."""
    values = read_yaml(HERE / f"{name}.yaml") | {"out": Path(folder) / f"{name}.fits"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mockgal.errors.MockgalWarning)
        return mockgal.build(check(values, f"{name}.yaml"))


def numbers(report):
    """What stands in the file: plain values by name."""
    galaxies, provenance = report.galaxies, report.galaxies.provenance
    painter = provenance["painter"]
    made = {
        "halo_digest": provenance["simulation"]["halo_digest"],
        "painted": provenance["painted"],
        "galaxies": len(galaxies),
        "centrals": int(galaxies["is_central"].sum()),
        "stellar_mass_sum_msun_h": float(galaxies["stellar_mass"].astype(float).sum()),
    }
    if report.randoms is not None:  # NumPy's angles differ in their last bits between machines
        cone = provenance["survey"][0]
        repeats = cone["seen_more_than_once"]
        return made | {"repeats": repeats, "randoms": len(report.randoms)}
    if "weights_digest" not in painter:
        return made | {"content_digest": galaxies.digest()}
    # The last bits of a network differ between machines, and so does a digest of the content.
    prediction = painter["prediction"]
    return made | {
        "weights_digest": painter["weights_digest"],
        "expected_centrals": prediction["expected_centrals"],
        "expected_satellites": prediction["expected_satellites"],
    }


def text(name, values):
    """The content of the file."""
    head = (
        f"# What {name}.yaml must give: written by make_expected.py, checked by tests/test_demo.py."
    )
    lines = [head]
    lines += [
        f"{key}: {value:.9e}" if isinstance(value, float) else f"{key}: {value}"
        for key, value in values.items()
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name in RECIPES:
            path = HERE / f"{name}.expected.yaml"
            path.write_text(text(name, numbers(build(name, folder))))
            print(f"wrote {path}")
