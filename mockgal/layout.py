"""Names and bins that one room writes into mockgal's own files and another reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

# The bundle: /halos/<column>, /particles, /density; docs/reference/bundle.md describes it.
BUNDLE_ATTRIBUTE = "mockgal_bundle"  # of the root; its value is the version of the layout
BUNDLE_VERSION = 2
BUNDLE_DIGEST = "digest"  # of the root; the value of `bundle_digest`
# Attributes of /header that every bundle has or may have, beside those of the cosmology.
BUNDLE_FACTS = (
    "name",
    "box_size",
    "redshift",
    "mass_definition",
    "original_format",
    "halos",
    "particles",
    "particle_mass",
)
COMPLETE = "complete"  # of the root; 1, written last
HEADER = "header"
HALOS = "halos"
PARTICLES = "particles"
POSITION = "particles/position"
MASS = "particles/mass"  # dataset, or attribute `mass` of the group if all masses are equal
DENSITY = "density"
SUBHALO_MASS = "subhalo_mass"  # beside `DENSITY` in a file with both channels

MEASUREMENT = "mockgal measurement 1"  # format of the tables of `mockgal measure`

# Attributes of a density grid, and the unit in which each kind is written.
GRID_ATTRIBUTES = ("boxsize", "unit", "kind", "mas", "redshift", "origin")
GRID_UNITS = {"counts": "", "mass": "Msun/h", "delta": ""}
# Kinds that a user may state of a grid, and as what it is held.
GRID_KINDS = {**{kind: kind for kind in GRID_UNITS}, "1+delta": "delta"}
QUANTITY = "quantity"  # attribute of a grid: the quantity it holds, if not `MATTER`
MATTER = "matter"
SUBHALOS = "subhalo mass"

# The catalogue of galaxies, in FITS and HDF5; docs/reference/output-files.md describes it.
IN_MEMORY = "in_memory"  # in the definition of a plug-in's column: its unit and power of h
# In files of a data model: its section in `file`, and in the definition of a column the column of
# the catalogue that it is, and what was subtracted from it.
MODEL, FROM, ORIGIN = "model", "from", "origin"
STORED_DIGESTS = "stored_digests"  # in the section `file`: of each column as the file stores it
# Version of the JSON section `file`: 1 had no digests of the stored rows; 3 has columns in single
# precision, which 2 has not.
CATALOGUE_SCHEMA, DOUBLE_SCHEMA = 3, 2
SINGLE = "float32"  # in the section `file`: the columns in single precision, and their rounding
CATALOGUE_HDUS = ("PRIMARY", "GALAXIES", "PROVENANCE")
GALAXIES = "galaxies"  # group of HDF5
MODEL_TABLES = ("LSS",)  # groups of HDF5, and HDUs, that data models have in its place
HATS_PROPERTIES = "hats.properties"  # file of a folder in HATS
DATA_MODELS = ("mockgal", "desi", "boss", "gcr", "hats", "parquet")
DESI_RELEASES = ("dr1", "edr")
PROVENANCE = "provenance"  # attribute of the root, or dataset of a grid; column `json` of the HDU
PROVENANCE_DIGEST = "provenance_digest"  # attribute: BLAKE2b-256 of the text, if there is one
SUMS = "sums"  # in bundles and grids: CRC-32 of the values of each dataset, as JSON
PROVENANCE_HASH = "JSONHASH"  # keyword of the HDU: the same
UNIT_SYSTEMS = ("h-free", "h")
REFER = "see PROVENANCE"  # in a FITS header, in place of a text that a card cannot hold
# Facts in the section `file` of the JSON, which are attributes in HDF5, with their FITS keywords.
# `cut_n` and `reference_n`, n from 1, are CUTn and REFn.
ESSENTIALS = {
    "version": "MGVERS",
    "simulation": "SIMNAME",
    "painter": "PAINTER",
    "seed": "SEED",
    "configuration_digest": "CONFHASH",
    "calibration_digest": "CALHASH",
    "halo_digest": "INHASH",
    "mass_definition": "MASSDEF",
    "frame": "FRAME",
    "box_size": "BOXSIZE",
    "redshift": "REDSHIFT",
    "h": "HUBBLE",
    "omega_m": "OMEGA_M",
    "omega_lambda": "OMEGA_L",
    "omega_b": "OMEGA_B",
    "sigma_8": "SIGMA_8",
    "n_s": "N_S",
    "w0": "W0",
    "wa": "WA",
    "omega_r": "OMEGA_R",
    "omega_nu": "OMEGA_NU",
    "units": "UNITSYS",
    "rows": "NGAL",
    "content_digest": "CONTDIG",
    "complete_from": "COMPLMIN",
    "completeness": "COMPLETE",
}
NUMBERED_ESSENTIALS = {"cut": "CUT", "reference": "REF"}
FITS_CODES = {"<i8": "K", "<f4": "E", "<f8": "D", "|b1": "L"}

# Counts of hosts by mass in the provenance of a catalogue, `simulation.hosts`: bins between
# multiples of HOST_BIN in log10 of the mass [Msun/h].
HOST_BIN = 0.1  # dex
_HOST_BIN_EDGE = 1e-9  # edges are this much lower, so that unit conversion keeps a mass on an edge


def host_bin(mass: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bin number k of each positive host mass [Msun/h]: bins begin at k * HOST_BIN."""
    return np.floor(np.log10(mass) / HOST_BIN + _HOST_BIN_EDGE).astype(np.int64)


# In the provenance of a catalogue: versions of the libraries it was made with, and, of a build, the
# files and folders that it was made from.
MADE_WITH = "made_with"
INPUTS = "inputs"

# In a snapshot's record: the missing chunks of its catalogue, as ranges.
MISSING_CHUNKS = "missing_chunks"
# In a painter's description: the stellar mass [Msun/h] above which its law has all galaxies, if
# that is not its luminosity floor; and the property other than stellar mass that selects galaxies.
COMPLETE_FROM = "complete_from_msun_h"
SELECTED_BY = "selected_by"
EMPTY_REGIONS = "empty_regions"  # accepted empty regions of the box
DROPPED = ("dropped_bad", "dropped_with_their_host", "orphans_dropped")  # rows dropped, by option
DROPPED_FOR = "dropped_for_"  # prefix of the counts of "dropped_bad" by impossible value
# In a snapshot's record: share of the particles that stand for all matter, if not all.
MATTER_FRACTION = "share_of_particles_in_matter"
# In a halo catalogue's record: rows that a cleaning of the catalogue merged into others.
MERGED = "halos_merged_into_others"
NO_PARTICLES = "halos_without_particles"
MASS_DEFINITIONS_IN_FILE = "mass_definitions_in_file"  # in a snapshot's record
# In a snapshot's record: of a table, the columns read by quantity, and their units.
COLUMNS_READ = "columns_read"
ORIGINAL_FORMAT = "original_format"  # in that of a bundle
SOFTENING = "softening_mpc_h"  # in a snapshot's record: comoving, of the dark matter, if stated
# In a snapshot's record: whether dark-matter particles have several masses, as in zooms.
SEVERAL_RESOLUTIONS = "several_resolutions"
# In a snapshot's record: warnings raised while it was read and populated.
WARNINGS = ("reading_warnings", "populate_warnings")
# In a halo catalogue's record: how satellites were made for hosts without any.
POPULATED = "populate"
# In a snapshot's record, for a hydrodynamic run: median over subhalos with stars.
STAR_PARTICLE_MASS = "star_particle_mass_msun_h"
# In a snapshot's record: the galaxies of a table belong to the subhalos of a gravity-only run
# themselves; how they were joined. And which stars count then.
TRUTH = "galaxies_on_the_same_halos"
STARS_OF_TRUTH = "as a table of galaxies states it"
HISTORY = "history"  # in a snapshot's record: how a table of merger histories was joined
LEAST_STARS = 10  # star particles of the smallest resolved galaxy of a hydrodynamic run


def is_of_a_table(record: Mapping[str, object]) -> bool:
    """Return whether a snapshot's record is that of a table, not of a bundle packed from one."""
    return COLUMNS_READ in record and ORIGINAL_FORMAT not in record


def is_truth(record: Mapping[str, object]) -> bool:
    """Return whether a snapshot's record is that of galaxies on the subhalos of another run."""
    return TRUTH in record


def bundle_digest(facts: Mapping[str, float | str], halo_digest: str) -> str:
    """Return the BLAKE2b-256 of the attributes and halos, which no checksum of the file covers.

    Parameters
    ----------
    facts : mapping of str to float or str
        Those of `BUNDLE_FACTS` and the cosmology that the bundle has; the attributes of
        ``particles/mass`` and ``density/NAME`` under these names.
    halo_digest : str
        `mockgal.types.HaloCatalog.digest` of the halos.
    """
    plain = {
        name: value if isinstance(value, str) else float(value) for name, value in facts.items()
    }
    text = json.dumps([sorted(plain.items()), halo_digest])
    return blake2b(text.encode(), digest_size=32).hexdigest()
