"""Header of a network's weights: its architecture, its units, and its domain of validity."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ....columns import FURTHER_TARGETS, HALO_COLUMNS
from ....cosmology import Cosmology
from ....errors import BadValueError, FormatError, MockgalError, listed, shown
from ....layout import STARS_OF_TRUTH
from ....system.files.plain_json import MAX_DEPTH
from ....types import MASS_DEFINITIONS, STELLAR_MASS_DEFINITIONS
from ..architecture import Architecture
from ..features import FURTHER_FEATURES
from .tensor_file import CONVERT, TensorFile, strict_json

KEY = "mockgal"  # key in the metadata of the safetensors file
FORMAT = 1
TARGETS = {
    "subhalo": "log10 of the stellar mass of the subhalo [Msun/h]",
    "voxel": "log10(1 + M), M being the stellar mass in the subhalo's voxel [Msun/h]",
}
ORIGINS = ("corner", "centre")
ASSIGNMENTS = ("NGP", "CIC", "TSC", "PCS")
AGAIN = "make the weights again with this version of mockgal"
_LONGEST_NAME = 100

Pair = tuple[float, float]


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation by which the inputs and the target are standardised.

    Parameters
    ----------
    matter, subhalos : tuple of float
        Of log10(1 + m), where m is the mass per voxel of matter and of subhalos [Msun/h].
    features : tuple of tuple of float
        Of each of the architecture's ``features``, in their order.
    target : tuple of float
        Of the target, see `TARGETS`.
    further : tuple of tuple of float
        Of log10 of each of the architecture's ``further`` targets, in their order.

    Raises
    ------
    BadValueError
        A pair is not two finite numbers, or a deviation is not positive.
    """

    matter: Pair
    subhalos: Pair
    features: tuple[Pair, ...]
    target: Pair
    further: tuple[Pair, ...] = ()

    def __post_init__(self) -> None:
        for name in ("matter", "subhalos", "target"):
            _set(self, name, _standard(f"normalisation.{name}", getattr(self, name)))
        for name in ("features", "further"):
            values, where = getattr(self, name), f"normalisation.{name}"
            if not isinstance(values, (list, tuple)):
                raise _bad(where, values, "a list")
            pairs = (_standard(f"{where}[{k}]", pair) for k, pair in enumerate(values))
            _set(self, name, tuple(pairs))


@dataclass(frozen=True)
class Domain:
    """Properties of a network's training runs, and so its domain of validity.

    Parameters
    ----------
    voxel_size : float
        Side of a voxel [comoving Mpc/h].
    origin : str
        ``corner`` if voxel i covers [i, i+1) voxel sizes; ``centre`` if it is centred on i.
    assignment : str
        How mass was assigned to voxels: NGP, CIC, TSC or PCS.
    particle_mass : float
        Mass of a particle of the gravity-only run [Msun/h].
    least_subhalo_mass : float
        Bound mass of the smallest subhalo that was deposited and painted [Msun/h]; 0 for all.
    redshift : tuple of float
        Lowest and highest redshift.
    cosmology : dict
        `Cosmology.to_dict` of the runs.
    mass_definition, stellar_mass_definition : str
        Keys of `MASS_DEFINITIONS` and `STELLAR_MASS_DEFINITIONS`; the latter may also be
        `mockgal.layout.STARS_OF_TRUTH`.
    luminosity_floor : float
        Lowest stellar mass that counts as luminous [Msun/h].
    log_mass, log_host_mass : tuple of float
        Lowest and highest log10 of bound mass and of host mass [Msun/h].
    log_vmax : tuple of float or None
        Lowest and highest log10 of the maximum circular velocity [km/s]; None if it is not known.
    history : dict
        Of each further feature (`mockgal.painters.cnn.features.FURTHER_FEATURES`): ``column`` of
        the halos, its ``unit``, its ``definition`` as far as it is known, and ``range``, the lowest
        and highest value of the feature.

    Raises
    ------
    BadValueError
        A value that is not allowed.
    """

    voxel_size: float
    origin: str
    assignment: str
    particle_mass: float
    least_subhalo_mass: float
    redshift: Pair
    cosmology: dict[str, float]
    mass_definition: str
    stellar_mass_definition: str
    luminosity_floor: float
    log_mass: Pair
    log_host_mass: Pair
    log_vmax: Pair | None
    history: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choices = {
            "origin": ORIGINS,
            "assignment": ASSIGNMENTS,
            "mass_definition": tuple(MASS_DEFINITIONS),
            "stellar_mass_definition": (*STELLAR_MASS_DEFINITIONS, STARS_OF_TRUTH),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise _bad(f"domain.{name}", getattr(self, name), "one of " + ", ".join(allowed))
        for name in ("voxel_size", "particle_mass", "least_subhalo_mass", "luminosity_floor"):
            value = _number(f"domain.{name}", getattr(self, name))
            may_be_zero = name in ("least_subhalo_mass", "luminosity_floor")
            if not (value > 0 or (may_be_zero and value == 0)):
                raise _bad(f"domain.{name}", value, "a positive number" + " or 0" * may_be_zero)
            _set(self, name, value)
        for name in ("redshift", "log_mass", "log_host_mass", "log_vmax"):
            if name == "log_vmax" and self.log_vmax is None:
                continue
            low, high = _pair(f"domain.{name}", getattr(self, name))
            if not (low <= high and (name != "redshift" or low > -1)):
                raise _bad(f"domain.{name}", [low, high], "the lowest and the highest value")
            _set(self, name, (low, high))
        _set(self, "cosmology", _cosmology(self.cosmology))
        _set(self, "history", _history(self.history))


@dataclass(frozen=True)
class WeightsHeader:
    """Everything that a weights file holds apart from the numbers.

    Parameters
    ----------
    name : str
    architecture : Architecture
    normalisation : Normalisation
    domain : Domain
    target : str
        A key of `TARGETS`.
    provenance : mapping
        Origin of the weights, in plain JSON values: ``summary``, ``training_data``, ``scores``,
        ``citation``, ``caution``, and any others.

    Raises
    ------
    BadValueError
        A value is not allowed, or contradicts the others.
    """

    name: str
    architecture: Architecture
    normalisation: Normalisation
    domain: Domain
    target: str
    provenance: Mapping[str, Any] = field(repr=False)

    def __post_init__(self) -> None:
        name = self.name
        if not (isinstance(name, str) and name.isprintable() and 0 < len(name) <= _LONGEST_NAME):
            raise _bad("name", name, f"1 to {_LONGEST_NAME} printable characters")
        if not isinstance(self.target, str) or self.target not in TARGETS:
            raise _bad("target", self.target, "one of " + ", ".join(TARGETS))
        for part, what in (("features", "feature"), ("further", "further target")):
            pairs, names = (len(getattr(x, part)) for x in (self.normalisation, self.architecture))
            if pairs != names:
                raise _bad(f"normalisation.{part}", f"{pairs} pairs", f"{names}, one per {what}")
        if self.target == "voxel" and self.architecture.further:
            raise _bad("target", self.target, "subhalo, where there are further targets")
        if "log_vmax" in self.architecture.features and self.domain.log_vmax is None:
            raise _bad("domain.log_vmax", None, "the range of a feature of the network")
        further = [name for name in FURTHER_FEATURES if name in self.architecture.features]
        if sorted(self.domain.history) != sorted(further):
            found = listed(sorted(self.domain.history))
            raise _bad("domain.history", found, f"those of the network: {listed(further)}")
        if not isinstance(self.provenance, Mapping):
            raise _bad("provenance", self.provenance, "an object")
        _set(self, "provenance", MappingProxyType(_plain("provenance", self.provenance, 0)))

    @property
    def units(self) -> dict[str, str]:
        """Unit of each further target."""
        return {name: FURTHER_TARGETS[name].unit_label for name in self.architecture.further}

    def header_dict(self) -> dict[str, Any]:
        """Return plain JSON values; without further targets and features, no entries for them."""
        normalisation = dataclasses.asdict(self.normalisation)
        if not self.units:
            del normalisation["further"]
        domain = dataclasses.asdict(self.domain)
        if not self.domain.history:
            del domain["history"]
        return {
            "name": self.name,
            "target": self.target,
            **({"units": self.units} if self.units else {}),
            "architecture": self.architecture.to_dict(),
            "normalisation": _plain("normalisation", normalisation, 0),
            "domain": _plain("domain", domain, 0),
            "provenance": dict(self.provenance),
        }


def header_of(file: TensorFile) -> tuple[WeightsHeader, str]:
    """Return the header of a weights file, and the digest that it states.

    Raises
    ------
    FormatError
        The weights were not written by mockgal, or by another version.
    CorruptFileError, BadValueError
        The header is malformed, or holds values that are not allowed.
    """
    expected = f"weights that mockgal wrote, of format {FORMAT}"
    if KEY not in file.metadata:
        raise FormatError(
            file.path, f"a safetensors file without {KEY!r} metadata", expected, CONVERT
        )
    values = strict_json(file.metadata[KEY].encode("utf-8", "surrogatepass"), f"{file.path}:{KEY}")
    form = values.pop("format", None)
    if type(form) is not int or form != FORMAT:
        raise FormatError(file.path, f"format {str(form)[:40]}", expected, AGAIN)
    try:
        digest = values.pop("digest", None)
        if not isinstance(digest, str):
            raise _bad("digest", digest, "SHA-256 in hexadecimal")
        units = values.pop("units", {})
        kinds = {"architecture": Architecture, "normalisation": Normalisation, "domain": Domain}
        _check_entries("header", values, WeightsHeader)
        for part, kind in kinds.items():
            _check_entries(part, values[part], kind)
        values["architecture"] = Architecture.from_dict(values["architecture"])
        for part in ("normalisation", "domain"):
            values[part] = kinds[part](**values[part])
        header = WeightsHeader(**values)
        if units != header.units:
            raise _bad("units", units, f"{header.units}, of the further targets")
        return header, digest
    except MockgalError as error:
        raise in_file(file.path, error) from error


def in_file(path: Path, error: MockgalError) -> BadValueError:
    """Return an error about weights as an error of the file that they are in."""
    where = f"{path}, {error.where}"
    return BadValueError(where, error.found, error.expected, error.fix or AGAIN)


def _check_entries(where: str, values: Any, kind: type) -> None:
    entries = dataclasses.fields(kind)
    names = {entry.name for entry in entries}
    needed = {entry.name for entry in entries if entry.name not in ("further", "history")}
    found = set(values) if isinstance(values, dict) else set()
    if not needed <= found <= names:
        raise _bad(where, f"entries {listed(sorted(found))}", ", ".join(sorted(names)))


def _set(instance: Any, name: str, value: Any) -> None:
    object.__setattr__(instance, name, value)


def _number(where: str, value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < math.inf:
        return float(value)
    raise _bad(where, value, "a finite number")


def _pair(where: str, values: Any) -> Pair:
    if not isinstance(values, (list, tuple)) or len(values) != 2:
        raise _bad(where, values, "two numbers")
    return _number(where, values[0]), _number(where, values[1])


def _standard(where: str, values: Any) -> Pair:
    mean, deviation = _pair(where, values)
    if not deviation > 0:
        raise _bad(where, [mean, deviation], "a mean and a positive standard deviation")
    return mean, deviation


def _cosmology(values: Any) -> dict[str, float]:
    known = {entry.name for entry in dataclasses.fields(Cosmology)}
    needed = {"h", "omega_m", "omega_lambda"}
    if not isinstance(values, dict) or set(values) - known or needed - set(values):
        raise _bad("domain.cosmology", values, "some of " + ", ".join(sorted(known)))
    numbers = {name: _number(f"domain.cosmology.{name}", value) for name, value in values.items()}
    return Cosmology(**numbers).to_dict()


def _history(values: Any) -> dict[str, dict[str, Any]]:
    """Return the facts of further features, checked against their columns."""
    if not isinstance(values, dict) or set(values) - set(FURTHER_FEATURES):
        raise _bad("domain.history", values, "some of " + ", ".join(FURTHER_FEATURES))
    for name, facts in values.items():
        where, column = f"domain.history.{name}", FURTHER_FEATURES[name]
        expected = {"column": column, "unit": HALO_COLUMNS[column].unit_label}
        if not isinstance(facts, dict) or set(facts) != {*expected, "definition", "range"}:
            raise _bad(where, facts, "column, unit, definition and range")
        if not isinstance(facts["definition"], str):
            raise _bad(f"{where}.definition", facts["definition"], "a text")
        for key, value in expected.items():
            if facts[key] != value:
                raise _bad(f"{where}.{key}", facts[key], value or "no unit")
        low, high = _pair(f"{where}.range", facts["range"])
        if not low <= high:
            raise _bad(f"{where}.range", [low, high], "the lowest and the highest value")
    return {name: {**facts, "range": [*facts["range"]]} for name, facts in values.items()}


def _plain(where: str, value: Any, depth: int) -> Any:
    """Return the value with JSON's containers: dictionaries and lists."""
    if depth >= MAX_DEPTH // 2:
        raise _bad(where, "lists within lists", f"at most {MAX_DEPTH // 2} of them")
    if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
        return {name: _plain(f"{where}.{name}", item, depth + 1) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(f"{where}[{k}]", item, depth + 1) for k, item in enumerate(value)]
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    raise _bad(where, value, "plain JSON values")


def _bad(where: str, found: Any, expected: str) -> BadValueError:
    text = found[:200] if isinstance(found, str) and " " in found else shown(found)
    return BadValueError(f"weights {where}", text, expected, AGAIN)
