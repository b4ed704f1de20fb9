"""ESOL: measured aqueous solubility (log mol/L) of 1,128 compounds, Delaney (2004), as MoleculeNet publishes it.

Three partners share a fifth of the compounds. Bounds are about what eight seeds of the scaffold split gave: RMSE of ridge
regression 0.91 to 1.07, of the forest 0.88 to 1.17, of gradient boosting 0.87 to 0.97, R2 0.70 to 0.86. They say that
the models work as such models do on these data; they are no published figure. Published are the file's own predictions:
RMSE 0.9101.

317 compounds are acyclic and of one scaffold, which is too large to be tested. 223 distinct compounds of 85 to 116
scaffolds were tested with each seed.
"""

import json

import compounds
import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_error
from sklearn.preprocessing import StandardScaler

from enclave.analyses.base import Inputs
from enclave.analyses.discovery.overlap import Overlap
from enclave.analyses.discovery.qsar import Qsar
from enclave.disclosure import release_all
from protocol.documents.outputs import Metrics

BOUNDS = {"ridge": (0.75, 1.1), "random forest": (0.75, 1.2), "gradient boosting": (0.7, 1.0)}
SEEDS = (bytes([3]) * 32, bytes([6]) * 32)


@pytest.fixture(scope="module")
def frame(reference):
    return compounds.cut(compounds.esol(reference))


@pytest.fixture(scope="module", params=SEEDS, ids=("seed 3", "seed 6"))
def results(request, frame):
    return compounds.run(compounds.cohorts(frame), seed=request.param)


def test_the_test_set_is_a_fifth_of_many_scaffolds_with_all_acyclic_compounds_outside(frame):
    data = Qsar().pool(compounds.plan(models=("ridge",)), Inputs(tuple(compounds.cohorts(frame)), iter(()), SEEDS[0]))
    tested = data.split.test
    acyclic = data.compounds.scaffolds == data.compounds.scaffold_digests.index(compounds.digest(""))
    assert len(np.unique(data.compounds.compounds[acyclic])) > 300
    assert not (acyclic & tested).any()
    assert data.split.train[acyclic].all()
    found = data.compounds
    share = len(np.unique(found.compounds[tested])) / len(np.unique(found.compounds))
    assert share == pytest.approx(0.2, abs=0.005)
    assert len(np.unique(found.scaffolds[tested])) > 80
    assert np.bincount(found.scaffolds[tested]).max() < 0.25 * tested.sum()


def values(raw):
    return {entry.label: entry.value for entry in raw.entries}


def test_the_files_own_predictions(reference):
    wanted = json.loads((reference / "data/drug/drug_dev.reference.json").read_text("utf-8"))["esol_in_file"]
    esol = compounds.esol(reference)
    assert len(esol) == wanted["n"] == 1128
    assert root_mean_squared_error(esol.activity, esol.published) == pytest.approx(wanted["rmse"], rel=1e-12)


def test_pooled_models_are_in_the_neighbourhood_of_the_published_ones(results):
    found = values(results["pooled"])
    for model, (least, most) in BOUNDS.items():
        assert least < found[f"{model}: RMSE"] < most, model
        assert 0.7 < found[f"{model}: R2"] < 0.95, model


def test_pooling_helps_every_partners_forest(results):
    for slot in "abc":
        assert values(results[f"uplift-{slot}"])["random forest, pooled minus own: RMSE"] < 0


def test_all_of_it_leaves_under_the_default_preset(results):
    plan = compounds.plan()
    assert {type(item.value) for item in release_all(results, compounds.contract(plan))} == {Metrics}


def test_scikit_learn_on_all_bits_does_as_well(reference):
    """The same compounds, but every bit, from the frame and not through the canonical layout."""
    once = compounds.cut(compounds.esol(reference).drop_duplicates("inchikey"))
    cohorts, plan = compounds.cohorts(once), compounds.plan(models=("ridge", "random forest"))
    data = Qsar().pool(plan, Inputs(tuple(cohorts), iter(()), SEEDS[0]))
    scaffolds = {data.compounds.scaffold_digests[place] for place in data.compounds.scaffolds[data.split.test]}
    test = np.array([compounds.digest(scaffold) in scaffolds for scaffold in once.scaffold])
    assert test.sum() == data.split.test.sum()
    bits = np.unpackbits(np.vstack(list(once.ecfp4)), axis=1, bitorder="little")
    numbers = once[list(compounds.DESCRIPTORS)].to_numpy()
    features = np.hstack([bits, StandardScaler().fit(numbers[~test]).transform(numbers)])
    peers = {
        "ridge": Ridge(alpha=10.0),
        "random forest": RandomForestRegressor(100, min_samples_leaf=10, max_features=1 / 3, random_state=1),
    }
    found = values(Qsar().estimate("pooled", data))
    for model, peer in peers.items():
        predicted = peer.fit(features[~test], once.activity[~test]).predict(features[test])
        error = root_mean_squared_error(once.activity[test], predicted)
        # Measured: 0.06 more for ridge, which goes without the bits of few compounds, and 0.04 less for the forest.
        assert found[f"{model}: RMSE"] == pytest.approx(error, abs=0.1), model


def test_overlaps_are_those_that_pandas_counts(frame):
    cohorts = compounds.cohorts(frame)
    plan = compounds.overlap_plan()
    (found,) = Overlap().run(plan, Inputs(tuple(cohorts), iter(()), compounds.SEED)).values()
    counts = {cell.label: (cell.both, cell.first, cell.second) for cell in found.cells}
    parts = {slot: part.drop_duplicates("inchikey") for slot, part in frame.groupby("partner")}
    for a, b in ("ab", "ac", "bc"):
        first, second = (set(parts[slot].scaffold) for slot in (a, b))
        both = len(first & second)
        assert counts[f"scaffolds of {a} and {b} in common"] == (both, len(first) - both, len(second) - both)
        shared = parts[a].merge(parts[b], on="inchikey").scaffold_x.nunique()
        assert counts[f"scaffolds of {a} and {b} with a compound in common"] == (
            shared, len(first) - shared, len(second) - shared,
        )  # fmt: skip
        assert both > shared > 50
