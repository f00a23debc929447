"""How the numbers of colossus in tests/universe/test_universe_linear.py were made.

Needs colossus (1.4): python tests/reference/colossus_linear.py
"""

import numpy as np
from colossus.cosmology import cosmology
from colossus.lss import mass_function

FLAT = {"flat": True, "H0": 67.74, "Om0": 0.3089, "Ob0": 0.0486, "sigma8": 0.8159, "ns": 0.9667}
SHAPE = {"model": "eisenstein98_zb"}

cosmology.setCosmology("synthetic", relspecies=False, Tcmb0=2.7255, **FLAT)
own = cosmology.getCurrent()
print("P(k)", own.matterPowerSpectrum(np.array([1e-3, 1e-2, 0.1, 1.0, 10.0]), **SHAPE).tolist())
print("sigma(R)", [float(own.sigma(r, ps_args=SHAPE)) for r in (0.5, 2.0, 20.0)])
number = mass_function.massFunction(
    10.0 ** np.arange(11.0, 15.0), 0.0, mdef="fof", model="sheth99", q_out="dndlnM", ps_args=SHAPE
)
print("dn/dlog10 M", (np.log(10.0) * number).tolist())
print("D(z = 1)", float(own.growthFactor(1.0)))
for mdef in ("200m", "200c", "vir", "500c", "fof"):
    for z in (0.0, 1.0):
        model = "sheth99" if mdef == "fof" else "tinker08"
        number = mass_function.massFunction(
            10.0 ** np.arange(11.0, 15.0), z, mdef=mdef, model=model, q_out="dndlnM", ps_args=SHAPE
        )
        print("dn/dlog10 M", mdef, z, (np.log(10.0) * number).tolist())
for dark in ({"w0": -0.7}, {"w0": -0.9}, {"w0": -0.9, "wa": 0.3}):
    model = "w0wa" if "wa" in dark else "w0"
    cosmology.setCosmology(
        str(dark), relspecies=False, Tcmb0=2.7255, de_model=model, **dark, **FLAT
    )
    growth = [float(cosmology.getCurrent().growthFactor(z)) for z in (0.5, 1.0, 3.0)]
    print("D(z = 0.5, 1, 3)", dark, growth)
