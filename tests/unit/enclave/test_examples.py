"""The examples in docstrings are right."""

import doctest
import importlib

import pytest

MODULES = {
    "enclave.analyses.clinical.glm.firth": 1,
    "enclave.analyses.clinical.glm.linear": 1,
    "enclave.analyses.clinical.glm.logistic": 1,
    "enclave.analyses.clinical.survival.cox": 1,
    "enclave.analyses.clinical.survival.kaplan_meier": 1,
    "enclave.analyses.clinical.survival.logrank": 1,
    "enclave.analyses.discovery.qsar.accuracy": 1,
    "enclave.analyses.discovery.qsar.models": 1,
    "enclave.analyses.genomics.linear.scan": 1,
    "enclave.disclosure.means": 2,
    "enclave.disclosure.rounding": 2,
    "enclave.disclosure.separation": 1,
}


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    found = [case for case in doctest.DocTestFinder().find(module) if case.examples]
    assert len(found) == MODULES[name]
    assert doctest.testmod(module).failed == 0
