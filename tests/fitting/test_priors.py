import numpy as np
import pytest

from mockgal.errors import UsageError
from mockgal.fitting.priors import DEFAULT, priors_of


def test_priors_are_in_the_order_and_the_unit_of_the_model():
    found = priors_of(
        "zheng07",
        "alpha=normal(1, 0.1), logM1=uniform(12, 14) log10(Msun/h), f_ic=uniform(0.5, 1)",
        ("logM0",),
    )
    assert [one.name for one in found] == ["logMmin", "sigma_logM", "logM1", "alpha", "f_ic"]
    assert (found[0].low, found[0].high) == DEFAULT["zheng07"]["logMmin"]
    assert "Lange 2023" in found[0].source
    assert str(found[2]) == "uniform(12, 14) log10(Msun/h)"
    assert found[3].source == "given by the user"


def test_units_are_converted():
    (one,) = priors_of(
        "zheng07",
        "logM1=uniform(9, 10) log10(1e3 Msun/h)".replace("1e3 Msun", "Msun"),
        ("logMmin", "sigma_logM", "logM0", "alpha"),
    )
    assert (one.low, one.high) == (9, 10)
    kilogram = "logM1=uniform(42, 43) log10(kg/h)"
    (one,) = priors_of("zheng07", kilogram, ("logMmin", "sigma_logM", "logM0", "alpha"))
    assert one.low == pytest.approx(42 - np.log10(1.98841e30), abs=1e-4)
    assert one.high - one.low == pytest.approx(1.0)


def test_quantiles_and_densities_agree():
    (normal,) = priors_of("zheng07", "alpha=normal(0.1, 0.2)", tuple(DEFAULT["zheng07"])[:4])
    u = (np.arange(100_000) + 0.5) / 100_000
    drawn = normal.quantile(u)
    grid = np.linspace(0.0, 1.2, 2001)
    density = np.exp(normal.log_density(grid))
    share = np.cumsum(density) / density.sum()
    assert np.quantile(drawn, 0.5) == pytest.approx(grid[np.searchsorted(share, 0.5)], abs=2e-3)
    assert drawn.min() >= 0.0
    assert normal.log_density(np.array([-0.1]))[0] == -np.inf


@pytest.mark.parametrize(
    ("stated", "fixed", "message"),
    [
        ("alpha=flat(0, 1)", (), "name=uniform"),
        ("alpha=uniform(1, 0)", (), "two ends that increase"),
        ("alpha=uniform(0, 9)", (), "within 0 to 5"),
        ("alpha=uniform(0, 1), alpha=uniform(0, 2)", (), "two priors"),
        ("alpha=uniform(0, 1)", ("alpha",), "a value as well"),
        ("beta=uniform(0, 1)", (), "no parameter of model"),
        ("alpha_c=uniform(0, 1)", (), "but not fitted"),
        ("logM1=uniform(12, 14)", (), "a mass without a unit"),
        ("logM1=uniform(12, 14) log10(Msun)", (), "depends on h"),
        ("logM1=uniform(12, 14) Msun/h", (), "log10 of a mass"),
        ("", tuple(DEFAULT["zheng07"]), "a value of every parameter"),
    ],
)
def test_what_is_no_prior_is_refused(stated, fixed, message):
    with pytest.raises(UsageError, match=message):
        priors_of("zheng07", stated, fixed)


def test_models_without_published_priors_need_one_for_each():
    with pytest.raises(UsageError, match="neither a prior nor a value of logM_cut, sigma"):
        priors_of("abacushod", "alpha=uniform(0, 2)", ("kappa", "logM1"))
