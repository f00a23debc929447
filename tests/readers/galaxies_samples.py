"""Catalogues to write and read back, and surgery on the files, with sums that are right again."""

import hashlib
import json
from dataclasses import replace

import numpy as np

import mockgal
from mockgal.columns import GALAXY_COLUMNS
from mockgal.cosmology import Cosmology
from mockgal.system.files.fits_checksum import encode
from mockgal.types import GalaxyCatalog, Snapshot

BOX = 100.0
COSMOLOGY = Cosmology(0.6774, 0.3089, 0.6911, omega_b=0.0486)


def snapshot(box=BOX, cosmology=COSMOLOGY):
    return Snapshot("a run", box, 0.5, cosmology, 1.25e9, "gadget4", record={"wrapped": 3})


def provenance(snap, **entries):
    """A provenance as painting makes it."""
    return {
        "version": "0.1.0",
        "seed": 42,
        "simulation": {
            "name": snap.name,
            "format": snap.format,
            "box_size_mpc_h": snap.box_size,
            "redshift": snap.redshift,
            "cosmology": snap.cosmology.to_dict(),
            "particle_mass_msun_h": snap.particle_mass,
            "halo_digest": "ab" * 32,
            "mass_definition": "200c",
            "reading": dict(snap.record),
        },
        "painter": {
            "name": "hod",
            "calibration": "demo",
            "calibration_digest": "cd" * 32,
            "luminosity_floor_msun_h": 2.1e9,
            "references": ["Zheng et al. 2007, ApJ 667, 760", "a title & more, " * 20 + "end"],
        },
        "cuts": [{"cut": "stellar_mass > 1e10 Msun/h", "before": 2000, "after": 1000}],
        "warnings": [],
        "configuration_digest": "ef" * 32,
        **entries,
    }


def columns(n, seed=1):
    """Every column, with values that a mock could have."""
    rng = np.random.default_rng(seed)
    result = {}
    for column in GALAXY_COLUMNS.values():
        if column.dtype == "<i8":
            result[column.name] = np.sort(rng.permutation(10 * n + 1)[:n]) + 2**40
        elif column.dtype == "|b1":
            result[column.name] = rng.random(n) < 0.5
        elif column.unit == "Msun":
            result[column.name] = 10 ** rng.uniform(9, 14, n)
        else:
            result[column.name] = rng.uniform(0, BOX, n)
            if column.name.endswith("radius"):
                result[column.name] /= 1000
    return result


def catalogue(n=300, *, seed=1, values=None, snap=None, **entries):
    snap = snap or snapshot()
    return GalaxyCatalog(values or columns(n, seed), snap, "box", provenance(snap, **entries))


def written(galaxies, path, units="h"):
    mockgal.write(galaxies, path, units=units, overwrite=True)
    return path


def same(first, second):
    """Whether two catalogues are one to the last bit, and in all that they say of themselves."""
    return (
        set(first.columns) == set(second.columns)
        and all(first[name].tobytes() == second[name].tobytes() for name in first.columns)
        and first.frame == second.frame
        and replace(first.snapshot, source=()) == replace(second.snapshot, source=())
        and first.provenance == second.provenance
    )


# ---- FITS, taken apart: [cards, data without padding] of each HDU


def take_apart(path):
    raw, at, hdus = path.read_bytes(), 0, []
    while at < len(raw):
        cards = []
        while not cards or not cards[-1].startswith("END "):
            cards.append(raw[at : at + 80].decode("ascii"))
            at += 80
        at = -(-at // 2880) * 2880
        size = number(cards, "NAXIS1") * number(cards, "NAXIS2")
        hdus.append([cards[:-1], raw[at : at + size]])
        at += -(-size // 2880) * 2880
    return hdus


def number(cards, keyword):
    return next((int(c[10:].split("/")[0]) for c in cards if c[:8].rstrip() == keyword), 0)


def put_together(path, hdus, *, sums=True):
    """Write the HDUs, each with a DATASUM and CHECKSUM that are right."""
    path.write_bytes(
        b"".join(sealed(cards, data) if sums else bare(cards, data) for cards, data in hdus)
    )
    return path


def bare(cards, data):
    header = "".join(f"{card:80}" for card in [*cards, "END"]).encode("latin-1")
    return header + b" " * (-len(header) % 2880) + data + bytes(-len(data) % 2880)


def word_sum(raw):
    total = int(np.frombuffer(raw, ">u4").sum(dtype=np.uint64))
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def sealed(cards, data):
    cards = [c for c in cards if c[:8].rstrip() not in ("DATASUM", "CHECKSUM")]
    cards.append(f"DATASUM = '{word_sum(data + bytes(-len(data) % 2880))}'")
    place = len(cards) * 80 + 11
    raw = bytearray(bare([*cards, f"CHECKSUM= '{'0' * 16}'"], data))
    raw[place : place + 16] = encode(word_sum(raw)).encode()
    return bytes(raw)


def card(cards, keyword, text):
    """Replace the card of ``keyword`` by ``KEYWORD = text``, add it, or with None take it away."""
    new = [] if text is None else [f"{keyword:8}= {text}"]
    places = [i for i, c in enumerate(cards) if c[:8].rstrip() == keyword]
    if not places:
        cards += new
        return
    end = places[0] + 1
    while end < len(cards) and cards[end].startswith("CONTINUE"):
        end += 1
    cards[places[0] : end] = new


def with_json(hdus, change):
    """Replace the JSON by ``change(value)``; a text or bytes is taken as it is."""
    value = change(json.loads(hdus[2][1]))
    if not isinstance(value, str | bytes):
        value = json.dumps(value, sort_keys=True, separators=(",", ":"))
    data = value.encode("latin-1") if isinstance(value, str) else value
    card(hdus[2][0], "NAXIS1", f"{len(data):>20}")
    card(hdus[2][0], "TFORM1", f"'{len(data)}A'")
    card(hdus[2][0], "JSONHASH", f"'{hashlib.blake2b(data, digest_size=32).hexdigest()}'")
    hdus[2][1] = data
    return hdus
