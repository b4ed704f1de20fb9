"""A simulated platform counts only where the appraisal policy, the pins and every dataset policy say so.

One test for each of the three alone missing, at the custodian that releases keys.
"""

from dataclasses import replace

import custody
import factories
import pytest

from attestation.roots import INTEL_ROOT
from attestation.simulator.pki import create_keys
from attestation.simulator.platform import Platform
from protocol.errors import AccessDenied, AttestationError, DocumentError
from sealroom.trust import HardwareRootPin, Trust


def agree(scene, owner, **terms):
    """Let one owner offer another dataset, under other terms, and everybody agree on a contract with it."""
    study = scene.study
    other = factories.make_dataset(study.parties[owner], scene.custodian.keys(), policy={"quorum": 1, **terms})
    datasets = (*study.datasets[:owner], other, *study.datasets[owner + 1 :])
    contract = factories.make_contract(study.parties[0], study.recipe, datasets, study.parties, at=factories.NOW)
    votes = tuple(factories.approve(contract, party, "approver", at=factories.NOW) for party in study.parties)
    scene.study = factories.StudyParts(study.parties, None, datasets, study.recipe, contract, votes)
    scene.custodian.deposit(scene.study.deposit(owner))


def test_where_all_three_say_so_keys_are_released(scene):
    agree(scene, 1, simulation=True)
    assert len(scene.release().releases) == 3


def test_the_policy_alone_missing(make_scene):
    scene = make_scene(settings={"appraisal": custody.POLICY.model_copy(update={"simulation": False})})
    evidence = scene.attest()
    with scene.refuses("SIMULATED", AttestationError):
        scene.release(evidence=evidence)


@pytest.mark.parametrize("pinned", ["nothing", "Intel's root", "another installation's root"])
def test_the_pin_alone_missing(scene, pinned):
    roots = {
        "nothing": (),
        "Intel's root": (INTEL_ROOT,),
        "another installation's root": (Platform(create_keys(factories.NOW - factories.DAY)).root,),
    }[pinned]
    scene.settings = replace(scene.settings, roots=roots)
    scene.restart()
    evidence = scene.attest()
    with scene.refuses("ROOT_UNKNOWN", AttestationError):
        scene.release(evidence=evidence)


def test_a_pin_that_does_not_say_simulated_is_no_pin(scene):
    der = scene.platform.root.certificate_der
    for simulated, root in ((False, der), (True, INTEL_ROOT.certificate_der)):
        trust = Trust(hardware_roots=(HardwareRootPin.from_der(root, simulated=simulated),))
        with pytest.raises(DocumentError) as caught:
            trust.roots()
        assert caught.value.code == "TRUST"
    assert Trust(hardware_roots=(HardwareRootPin.from_der(der, simulated=True),)).roots() == (scene.platform.root,)


@pytest.mark.parametrize("owner", [0, 1, 2])
def test_one_dataset_policy_alone_missing(scene, owner):
    agree(scene, owner, simulation=False)
    evidence = scene.attest()
    with scene.refuses("TERMS_SIMULATION", AccessDenied):
        scene.release(evidence=evidence)
