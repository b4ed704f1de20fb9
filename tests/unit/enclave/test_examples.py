"""The examples in docstrings are right."""

import doctest
import importlib

import pytest

MODULES = {
    "enclave.analyses.survival.cox": 1,
    "enclave.analyses.survival.kaplan_meier": 1,
    "enclave.analyses.survival.logrank": 1,
    "enclave.disclosure.rounding": 2,
}


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    found = [case for case in doctest.DocTestFinder().find(module) if case.examples]
    assert len(found) == MODULES[name]
    assert doctest.testmod(module).failed == 0
