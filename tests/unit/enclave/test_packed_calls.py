"""Counting and multiplying packed calls, against the same done call by call."""

import numpy as np
import pytest
from genotype_study import pack

from enclave.analyses.packed_calls import MISSING, RowLayout, count_calls, missing_calls, multiply, unpack

SAMPLES = (13, 1, 8, 300)


@pytest.fixture(scope="module")
def world():
    """Dosages of all samples, who is chosen, the layout and the packed rows."""
    generator = np.random.default_rng(8)
    parts = [generator.choice(np.array([0, 1, 2, MISSING], dtype=np.uint8), (150, count)) for count in SAMPLES]
    layout = RowLayout(SAMPLES)
    chosen = generator.random(sum(SAMPLES)) < 0.7
    return np.hstack(parts), chosen, layout, layout.join([pack(part) for part in parts])


def test_layout_starts_each_cohort_at_a_byte_and_ends_at_a_word():
    layout = RowLayout((5, 4, 0, 1))
    assert layout.places.tolist() == [0, 1, 2, 3, 4, 8, 9, 10, 11, 12]
    assert layout.width == 8
    assert RowLayout((32, 1)).width == 16
    assert RowLayout((128,)).width == 32


def test_unpacking_gives_the_dosages_back(world):
    dosages, _chosen, layout, rows = world
    assert (unpack(rows)[:, layout.places] == dosages).all()


def test_counts_are_of_the_chosen_alone(world):
    dosages, chosen, layout, rows = world
    counts = count_calls(rows, layout.mask(chosen))
    mine = dosages[:, chosen]
    for found, copies in ((counts.first, 2), (counts.het, 1), (counts.second, 0), (counts.missing, MISSING)):
        assert (found == (mine == copies).sum(axis=1)).all()
    known = np.where(mine == MISSING, 0, mine).astype(int)
    assert (counts.called == (mine != MISSING).sum(axis=1)).all()
    assert (counts.copies == known.sum(axis=1)).all()
    assert (counts.squares == (known**2).sum(axis=1)).all()


def test_missing_calls_are_those_of_the_chosen_row_after_row(world):
    dosages, chosen, layout, rows = world
    row, place = missing_calls(rows, layout.mask(chosen))
    wanted_row, wanted_sample = np.nonzero((dosages == MISSING) & chosen)
    assert (row == wanted_row).all()
    assert (place == layout.places[wanted_sample]).all()


@pytest.mark.parametrize("samples", [SAMPLES, (2049 * 4 + 3,), (3,)], ids=str)
def test_products_take_missing_calls_as_zero(samples):
    """Also where a row is wider than a tile, and where variants are more than one holds."""
    generator = np.random.default_rng(9)
    parts = [generator.choice(np.array([0, 1, 2, MISSING], dtype=np.uint8), (130, count)) for count in samples]
    layout = RowLayout(samples)
    columns = np.zeros((layout.width * 4, 3))
    columns[layout.places] = generator.normal(size=(sum(samples), 3))
    dosages = np.hstack(parts)
    wanted = np.where(dosages == MISSING, 0.0, dosages) @ columns[layout.places]
    found = multiply(layout.join([pack(part) for part in parts]), columns)
    assert found == pytest.approx(wanted, rel=1e-12, abs=1e-11)
