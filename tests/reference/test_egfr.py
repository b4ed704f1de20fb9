"""EGFR inhibitors: models of TeachOpenCADD's talktorial 7 on fingerprints that the owner's side made.

4,635 compounds of ChEMBL, active at a pIC50 of 6.3 or more. The talktorial describes them with MACCS keys, splits once
(a fifth, seed 22) and prints two decimals. Our compounds are standardised first, theirs are not. Its forest draws from
NumPy's global state, which is not to be had again; ours takes the seed of the split. Of seeds 1 to 7 all but one gave
figures within 0.01 of the published ones, too (seed 1: specificity 0.747 for 0.77).
"""

import csv
import json

import molecules
import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import recall_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

MODELS = {
    "RF(100,entropy)": RandomForestClassifier(n_estimators=100, criterion="entropy", random_state=22),
    "SVC(rbf,C=1,gamma=0.1)": SVC(kernel="rbf", C=1, gamma=0.1),
}
TEXT = ["IC50", "units", "pIC50", "molecular_weight", "n_hba", "n_hbd", "logp", "ro5_fulfilled"]


@pytest.fixture(scope="module")
def published(reference):
    return json.loads((reference / "data/drug/drug_dev.reference.json").read_text())["egfr_teachopencadd"]


@pytest.fixture(scope="module")
def split(reference, published):
    path = reference / "data/drug/egfr_T002_lipinski.csv"
    text = path.read_text("utf-8")
    schema = molecules.schema("maccs", subject="molecule_chembl_id", molecules="smiles", left_out=("", *TEXT))
    columns, _ = molecules.arrays(text, path.name, schema)
    keys = np.unpackbits(columns["maccs"], axis=1, bitorder="little")[:, :167]
    active = np.array([float(row["pIC50"]) >= 6.3 for row in csv.DictReader(text.splitlines())])
    assert keys.shape == (published["ro5_published"], 167)
    assert (active.sum(), (~active).sum()) == (published["actives_pIC50_ge_6.3"], published["inactives"])
    return train_test_split(keys, active, test_size=0.2, random_state=22)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_models_on_our_fingerprints_are_as_good_as_published(name, split, published):
    seen, unseen, known, truth = split
    assert (len(seen), len(unseen)) == (3708, 927)
    model = MODELS[name].fit(seen, known)
    found = model.predict(unseen)
    scores = model.predict_proba(unseen)[:, 1] if hasattr(model, "predict_proba") else model.decision_function(unseen)
    figures = {
        "sensitivity": recall_score(truth, found),
        "specificity": recall_score(truth, found, pos_label=False),
        "auc": roc_auc_score(truth, scores),
    }
    assert figures == pytest.approx(published[name], abs=0.01)
