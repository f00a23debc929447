"""Columns that are computed or joined when they are asked for: the values of plain ones."""

import threading

import numpy as np
import pytest

from mockgal.system import deferred
from mockgal.system.deferred import Deferred, Joined, parts, pick, places

NUMBER = np.array([0, 2, 0, 1, 3])  # satellites of each host


@pytest.fixture
def joined():
    n, m = len(NUMBER), int(NUMBER.sum())
    generator = np.random.default_rng(1)
    hosts = {
        "id": np.arange(n),
        "flag": np.ones(n, dtype=bool),
        "vector": generator.random((n, 3)),
        "shared": generator.random(n),
        "other": np.zeros(n),
    }
    satellites = {
        "id": 100 + np.arange(m),
        "flag": np.zeros(m, dtype=bool),
        "vector": generator.random((m, 3)),
    }
    host = np.repeat(np.arange(n), NUMBER + 1)
    is_central = np.append(True, np.diff(host) > 0)
    names = ("id", "flag", "vector", "shared")
    return Joined(names, hosts, satellites, host, is_central)


def plain(columns):
    """What it should be, row by row."""
    rows = {name: [] for name in columns}
    s = 0
    for i, number in enumerate(NUMBER):
        for name in rows:
            own, theirs = columns.hosts[name], columns.satellites.get(name)
            here = range(s, s + number)
            rows[name].append(own[i])
            rows[name] += [own[i] if theirs is None else theirs[j] for j in here]
        s += number
    return {name: np.array(values) for name, values in rows.items()}


@pytest.mark.parametrize("least", [1, 1 << 40])
@pytest.mark.parametrize("block_rows", [2, 1 << 17])
def test_joined_columns(joined, monkeypatch, least, block_rows):
    monkeypatch.setattr(deferred, "LARGE", least)
    monkeypatch.setattr(deferred, "BLOCK_ROWS", block_rows)
    expected = plain(joined)
    assert list(joined) == list(expected) == ["id", "flag", "vector", "shared"]
    assert len(joined) == 4
    assert "other" not in joined
    for name, values in joined.items():
        assert values.dtype == expected[name].dtype
        assert np.array_equal(values, expected[name])
        assert not values.flags.writeable
        assert values is joined[name]
    with pytest.raises(KeyError):
        joined["other"]


@pytest.mark.parametrize("compiled", [False, True])
def test_rows_of_joined_columns(joined, compiled):
    expected = plain(joined)
    for rows in (np.array([10, 0, 2, 2, 3, 9]), np.array([0, 1]), np.array([2, 3]), np.arange(0)):
        at = places(joined, rows, compiled=compiled)
        for name in ("id", "flag", "shared"):
            out = np.empty(len(rows), dtype=expected[name].dtype)
            pick(parts(joined, name), at, out, compiled=compiled)
            assert np.array_equal(out, expected[name][rows])
        out = np.empty(len(rows))
        pick([x[:, 1] for x in parts(joined, "vector")], at, out, compiled=compiled)
        assert np.array_equal(out, expected["vector"][rows, 1])
    assert set(joined._joined) == {"is_central"}  # nothing was joined for it


def test_a_column_is_joined_once(joined, monkeypatch):
    calls, together = [], threading.Barrier(4)
    join = joined._join

    def counted(name):
        calls.append(name)
        return join(name)

    def ask():
        together.wait()
        joined["id"]

    monkeypatch.setattr(joined, "_join", counted)
    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert calls == ["id"]


def test_deferred():
    asked = []

    def of(rows):
        asked.append(rows.tolist())
        return rows * 2.0

    column = Deferred(5, of)
    assert len(column) == 5
    assert asked == []
    assert column[np.array([3, 1])].tolist() == [6.0, 2.0]
    assert asked == [[3, 1]]
    assert column[1:3].tolist() == [2.0, 4.0]
    assert column[np.array([True, False, False, False, True])].tolist() == [0.0, 8.0]
    assert np.array_equal(column, [0.0, 2.0, 4.0, 6.0, 8.0])
    assert np.asarray(column, dtype=np.float32).dtype == np.float32
