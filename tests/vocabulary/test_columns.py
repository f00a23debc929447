"""The content digest: what it depends on, in what order it hashes, and when it is taken anew."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

import mockgal
from mockgal import digests
from mockgal.columns import HALO_COLUMNS
from mockgal.digests import content_digest, sorting_order
from mockgal.testing import synthetic_pair
from mockgal.types import HaloCatalog, settle


@pytest.fixture(scope="module")
def halos():
    return synthetic_pair(300)[1].halos


def plain_digest(values, facts):
    """The digest as docs/explanation/decisions/0004 has it, all at once."""
    order = np.argsort(values["halo_id"])
    digest = hashlib.blake2b(facts.encode(), digest_size=32)
    for name in sorted(values):
        dtype = HALO_COLUMNS[name].dtype
        digest.update(f"\0{name}\0{dtype}\0{values[name].shape}\0".encode())
        digest.update(values[name][order].astype(dtype).tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("block", [1, 7, 1 << 17])
def test_blocks_and_order_do_not_show(halos, monkeypatch, block):
    monkeypatch.setattr(digests, "_BLOCK", block)
    expected = plain_digest(halos.columns, "200c")
    assert content_digest(halos.columns, HALO_COLUMNS, ["halo_id"], "200c") == expected
    order = np.random.default_rng(1).permutation(len(halos))
    assert halos.take(order).digest() == expected
    assert halos.take(order[:0]).digest() == plain_digest(halos.take(order[:0]).columns, "200c")


@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_sorting_order(monkeypatch, block):
    monkeypatch.setattr(digests, "_BLOCK", block)
    generator = np.random.default_rng(block)
    for n in (0, 1, 2, 5, 30):
        for most in (1, 2, 40):
            values = {name: generator.integers(0, most, n) for name in "ab"}
            order = np.lexsort((values["b"], values["a"]))
            found = sorting_order(values, ("a", "b"))
            if np.array_equal(order, np.arange(n)):
                assert found is None
            else:
                assert np.array_equal(found, order)
            in_order = {name: v[order] for name, v in values.items()}
            assert sorting_order(in_order, ("a", "b")) is None


def test_numbers_that_can_still_change_are_hashed_anew(halos):
    values = {name: v.copy() for name, v in halos.columns.items()}
    mine = HaloCatalog(values, halos.mass_definition)
    assert mine.digest() == halos.digest()
    values["mass"][3] *= 2.0
    changed = mine.digest()
    assert changed != halos.digest()
    values["mass"][3] /= 2.0
    assert mine.digest() == halos.digest()


def test_numbers_that_cannot_change_are_hashed_once(halos, demo_bundle, monkeypatch):
    catalogues = [
        HaloCatalog(settle({k: v.copy() for k, v in halos.columns.items()}), "200c"),
        halos.take(np.arange(len(halos))),
        mockgal.read(demo_bundle).halos,
    ]
    before = [catalogue.digest() for catalogue in catalogues]

    def refuse(*_):
        raise AssertionError("hashed again")

    monkeypatch.setattr("mockgal.types.content_digest", refuse)
    assert [catalogue.digest() for catalogue in catalogues] == before
    with pytest.raises(AssertionError):
        replace(catalogues[0], mass_definition="500c").digest()


def test_what_is_kept_is_kept_while_nothing_can_change(halos):
    values = {name: v.copy() for name, v in halos.columns.items()}
    mine = HaloCatalog(values, halos.mass_definition)
    made = []

    def heaviest(catalogue):
        return catalogue.once("heaviest", lambda: made.append(1) or catalogue["mass"].max())

    first = heaviest(mine)
    values["mass"] *= 2.0
    assert heaviest(mine) == 2.0 * first
    assert len(made) == 2
    settled = mine.take(np.arange(len(mine)))
    assert heaviest(settled) == heaviest(settled) == 2.0 * first
    assert len(made) == 3
    assert settled.once("least", settled["mass"].min) < 2.0 * first
    assert settled.hosts is settled


def test_rows_of_hosts(halos):
    order = np.random.default_rng(2).permutation(len(halos))
    for catalogue in (halos, halos.take(order)):
        host = catalogue.host_row
        assert np.array_equal(catalogue["halo_id"][host], catalogue["host_id"])
        assert np.all(catalogue["is_central"][host])
    assert len(halos.take(order[:0]).host_row) == 0
