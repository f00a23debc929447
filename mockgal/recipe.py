"""The checked description of a build, from flags or from a YAML file with the same names."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from .errors import UsageError
from .types import MASS_DEFINITIONS, ReadOptions

# The seed of a build that names none: printed and recorded. The arXiv number of the dm2gal paper.
DEFAULT_SEED = 201200186
_MAX_YAML_BYTES = 1_000_000


class Recipe(BaseModel):
    """Everything a build depends on. Keys are the names of the command's options.

    Parameters
    ----------
    sim : Path
        Simulation to paint: a bundle, a file of a set, or a directory.
    painter : str
        Name of the painter.
    painter_options : dict
        The painter's own options, checked against what its class declares.
    seed : int
    cut : tuple of str
        Cuts, applied in this order.
    out : Path, optional
        Output; by default ``<sim>-<painter>.fits`` in the working directory.
    units : str
        ``h-free`` (Mpc, Msun) or ``h`` (Mpc/h, Msun/h) in the output.
    overwrite, require_nonempty : bool
    format : str, optional
        Name of the reader; by default found from the content.
    mass_definition, drop_bad, orphans, centred_origin, allow_empty_regions
        See `mockgal.types.ReadOptions`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    sim: Path
    painter: str
    painter_options: dict[str, Any] = {}
    seed: int = DEFAULT_SEED
    cut: tuple[str, ...] = ()
    out: Path | None = None
    units: Literal["h-free", "h"] = "h-free"
    overwrite: bool = False
    require_nonempty: bool = False
    format: str | None = None
    mass_definition: str | None = None
    drop_bad: bool = False
    orphans: Literal["refuse", "drop", "central"] = "refuse"
    centred_origin: bool = False
    allow_empty_regions: bool = False

    @field_validator("cut", mode="before")
    @classmethod
    def _one_cut_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("seed")
    @classmethod
    def _seed_fits(cls, value: int) -> int:
        if not 0 <= value < 2**63:
            raise ValueError("a seed is a whole number from 0 to 2**63 - 1")
        return value

    @field_validator("mass_definition")
    @classmethod
    def _known_mass_definition(cls, value: str | None) -> str | None:
        if value is not None and value not in MASS_DEFINITIONS:
            raise ValueError("mass definition must be one of " + ", ".join(MASS_DEFINITIONS))
        return value

    @property
    def read_options(self) -> ReadOptions:
        """What the reader is told."""
        names = set(ReadOptions._fields) & set(Recipe.model_fields)
        return ReadOptions(**{name: getattr(self, name) for name in names})

    @property
    def output(self) -> Path:
        """Where the catalogue goes."""
        stem = self.sim.resolve().name.removesuffix(self.sim.suffix)
        return self.out or Path(f"{stem}-{self.painter}.fits")

    def configuration(self) -> dict[str, Any]:
        """What determines the catalogue's content, apart from the simulation: plain JSON values."""
        paths = {"sim", "out", "overwrite", "require_nonempty", "units", "format"}
        return self.model_dump(mode="json", exclude=paths)

    def configuration_digest(self) -> str:
        """BLAKE2b-256 of the configuration."""
        text = json.dumps(self.configuration(), sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


def check(values: Mapping[str, Any], source: str) -> Recipe:
    """The recipe that ``values`` describe.

    Parameters
    ----------
    values : mapping
        Keys of `Recipe`.
    source : str
        Where they come from, for messages.

    Raises
    ------
    UsageError
        An unknown key, a missing one, or a value that is not allowed.
    """
    known = list(Recipe.model_fields)
    for key in values:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, 1)
            raise UsageError(
                f"{source}:{key}",
                "an unknown key",
                "one of " + ", ".join(known),
                f"did you mean {close[0]}?" if close else "remove it",
            )
    try:
        return Recipe.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        found = "nothing" if first["type"] == "missing" else repr(first["input"])
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(
            f"{source}:{key}",
            found,
            message[:1].lower() + message[1:],
            "`mockgal build --help` describes the options",
        ) from error


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a recipe file; relative paths in it are taken from the file's directory.

    Raises
    ------
    UsageError
        Unreadable, not YAML, tagged, or not a mapping.
    """
    import yaml

    fix = "write `key: value` lines, see docs/reference/recipe.md"
    try:
        size = path.stat().st_size
        if size > _MAX_YAML_BYTES:
            raise UsageError(path, f"{size} bytes", f"a recipe of at most {_MAX_YAML_BYTES}", fix)
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(path, f"an unreadable recipe ({error})", "a YAML file", fix) from error
    except (yaml.YAMLError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(
            path, f"text that is not plain YAML ({reason})", "a mapping without tags", fix
        ) from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UsageError(path, f"a {type(values).__name__}", "a mapping of option names", fix)
    for key in ("sim", "out"):
        if isinstance(values.get(key), str):
            values[key] = str(path.parent / values[key])
    return values
