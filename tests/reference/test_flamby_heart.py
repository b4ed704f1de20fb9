"""FLamby's published results on heart disease in four hospitals: pooled training, accuracy, five seeds.

Du Terrail et al (2022), FLamby, NeurIPS datasets and benchmarks; its files heart_seed42.csv to heart_seed46.csv, rows
"Pooled Training". Its model is a logistic regression, trained by Adam for 50 epochs; the seeds alter the training, not
the split. The split is drawn here as in its ``fed_heart_disease/dataset.py``: 66 % of each hospital, by outcome where
both outcomes have more than two subjects, random state 43. Clients 0 to 3 are Cleveland, Hungary, Switzerland and VA.

FLamby's figure for a client standardises the client's test rows by the client's own training rows, though the model was
trained on rows standardised by all of them. That is done here to the test rows, so that the same thing is compared; its
figure "Pooled Test" standardises as we do.
"""

import csv

import heart
import numpy as np
import pytest
from sklearn.model_selection import train_test_split

from enclave.analyses.clinical.prediction import Prediction
from enclave.analyses.clinical.prediction.analysis import draw_third
from enclave.analyses.clinical.prediction.models import predict_log_odds
from enclave.analyses.design import code_columns

SEEDS = range(42, 47)
CLIENTS = range(4)
MODEL = "logistic regression"


@pytest.fixture(scope="module")
def published(reference):
    """Accuracy by test set, one for each seed."""
    found = {}
    for seed in SEEDS:
        with (reference / f"data/clinical/flamby_heart_seed{seed}.csv").open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                if row["Method"] == "Pooled Training":
                    found.setdefault(row["Test"], []).append(float(row["Metric"]))
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(
        ["Pooled Test", *(f"client_test_{client}" for client in CLIENTS)], 5
    )
    return found


@pytest.fixture(scope="module")
def data(reference):
    """The pooled complete cases, as the analysis has them but in the order of the files, which FLamby's split needs."""
    inputs = heart.inputs(reference)
    parameters = {"outcome": "disease", "outcome_level": "1", "covariates": heart.TEN, "models": (MODEL,)}
    plan = Prediction().plan(parameters, ("pooled",), inputs.datasets)
    pooled = Prediction().pool(plan, inputs)
    frames = [frame.dropna(subset=list(heart.TEN)) for frame in heart.sites(reference).values()]
    assert [len(frame) for frame in frames] == [303, 261, 46, 130] == np.bincount(pooled.slots).tolist()
    matrix = np.vstack([code_columns(frame, pooled.roles.covariates).matrix for frame in frames])
    event = np.concatenate([(frame.disease == "1").to_numpy() for frame in frames])
    sites = np.repeat(CLIENTS, [len(frame) for frame in frames])
    return matrix, event, sites, pooled


def flambys_test(event, sites):
    """Which rows FLamby tests on."""
    tested = []
    for client in CLIENTS:
        mine = event[sites == client]
        enough = min(np.count_nonzero(mine), np.count_nonzero(~mine)) > 2
        _, test = train_test_split(
            np.arange(len(mine)),
            test_size=1 - 0.66,
            train_size=0.66,
            random_state=43,
            stratify=mine if enough else None,
        )
        tested.append(np.isin(np.arange(len(mine)), test))
    return np.concatenate(tested)


def within(found, published):
    return min(published) <= found <= max(published)


def test_pooled_accuracy_on_flambys_split(data, published):
    matrix, event, sites, _ = data
    test = flambys_test(event, sites)
    assert np.bincount(sites[test]).tolist() == [104, 89, 16, 45]
    odds = predict_log_odds(MODEL, matrix[~test], event[~test], matrix[test], seed=0)
    assert within(((odds > 0) == event[test]).mean(), published["Pooled Test"])


@pytest.mark.parametrize("client", CLIENTS)
def test_accuracy_by_client_on_flambys_split(data, published, client):
    matrix, event, sites, _ = data
    test = flambys_test(event, sites)
    train, mine, tried = ~test, ~test & (sites == client), test & (sites == client)
    alike = (matrix[tried] - matrix[mine].mean(axis=0)) / (matrix[mine].std(axis=0, ddof=1) + 1e-9)
    alike = alike * matrix[train].std(axis=0, ddof=1) + matrix[train].mean(axis=0)
    odds = predict_log_odds(MODEL, matrix[train], event[train], alike, seed=0)
    assert within(((odds > 0) == event[tried]).mean(), published[f"client_test_{client}"])


def test_flambys_pooled_accuracy_is_an_ordinary_one_among_our_splits(data, published):
    """The analysis's own split, 200 draws: FLamby's figures lie within the middle nine tenths."""
    pooled = data[3]
    matrix = code_columns(pooled.pooled.frame, pooled.roles.covariates).matrix
    event, found = pooled.event, []
    for seed in range(200):
        test = draw_third(2 * pooled.slots + event, seed)
        odds = predict_log_odds(MODEL, matrix[~test], event[~test], matrix[test], seed)
        found.append(((odds > 0) == event[test]).mean())
    lower, middle, upper = np.quantile(found, [0.05, 0.5, 0.95])
    print(f"accuracy over 200 splits: {lower:.4f} {middle:.4f} {upper:.4f}")
    assert lower <= min(published["Pooled Test"]) <= max(published["Pooled Test"]) <= upper
