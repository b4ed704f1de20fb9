"""Receipts, bundles and the secret digests of outputs."""

from dataclasses import replace

import factories
import factories_bundle
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from enclave.custody import Custody
from enclave.receipt import make_bundle, outputs_digest, require_recipients, secret_seed
from protocol.documents import KeyRelease, ReleaseCommit, ReleasedOutput, TestStatistic
from protocol.documents.outputs import Refusal
from protocol.dsse import Unverified
from protocol.errors import DocumentError
from protocol.governance import verify_proposal
from sealroom.verification import VerificationFailed, verify_bundle

RUN = "01" * 16
OUTPUTS = (
    ReleasedOutput(output="log-rank", value=TestStatistic(label=0, statistic="10.33", df=1, p="0.0013")),
    ReleasedOutput(output="subjects", value=Refusal(refusal="POLICY")),
)


@pytest.fixture(scope="module")
def made():
    return factories_bundle.make_bundle()


@pytest.fixture(scope="module")
def study(made):
    return verify_proposal(made.study.pack)


@pytest.fixture(scope="module")
def data_keys(made):
    return {dataset.manifest.name: dataset.data_key for dataset in made.study.datasets}


@pytest.fixture
def custody(made, study, data_keys):
    key = study.manifests[0].document.custodian.signing
    releases = tuple(Unverified.parse(item, KeyRelease).verify(key) for item in made.parts.releases)
    return Custody(made.parts.evidence, releases, data_keys)


@pytest.fixture
def commits(made, study):
    key = study.manifests[0].document.custodian.signing
    return tuple(Unverified.parse(item, ReleaseCommit).verify(key) for item in made.parts.commits)


def test_the_seed_depends_on_every_data_key_and_on_the_recipe(made, study, data_keys):
    seed = secret_seed(data_keys, study)
    assert len(seed) == 32
    assert secret_seed(dict(reversed(data_keys.items())), study) == seed
    others = [secret_seed(data_keys | {name: bytes([key[0] ^ 1]) + key[1:]}, study) for name, key in data_keys.items()]
    recipe = factories.resign(
        study.recipe.document, made.study.parties[0].people["analyst"].contract, title="Another recipe"
    )
    others.append(secret_seed(data_keys, replace(study, recipe=recipe)))
    swapped = dict(zip(data_keys, list(data_keys.values())[::-1], strict=True))
    others.append(secret_seed(swapped, study))
    assert len({seed, *others}) == 6


def test_the_digest_of_outputs_depends_on_seed_run_and_every_output():
    seed = bytes(32)
    digest = outputs_digest(OUTPUTS, seed, RUN)
    assert outputs_digest(tuple(OUTPUTS), bytes(32), RUN) == digest
    assert len(digest) == 64
    others = {
        outputs_digest(OUTPUTS, b"\1" * 32, RUN),
        outputs_digest(OUTPUTS, seed, "02" * 16),
        outputs_digest(OUTPUTS[:1], seed, RUN),
        outputs_digest(OUTPUTS[::-1], seed, RUN),
    }
    assert len(others | {digest}) == 5


def test_a_bundle_verifies_and_names_all_that_is_in_it(made, study, custody, commits):
    bundle = make_bundle(made.study.pack, study, custody, commits, made.released, made.signing)
    verified = verify_bundle(bundle.to_bytes(), made.trust, now=made.now)
    assert verified.simulated
    assert verified.run == made.parts.evidence.claims.run
    assert [(item.output, item.recipient) for item in bundle.outputs] == [
        (output.output, recipient.key)
        for output in made.study.contract.document.outputs
        for recipient in output.recipients
    ]
    again = make_bundle(made.study.pack, study, custody, commits, made.released, made.signing)
    assert not {item.sealed for item in bundle.outputs} & {item.sealed for item in again.outputs}


def test_refused_outputs_are_as_long_as_released_ones(made, study, custody, commits):
    refused = tuple(ReleasedOutput(output=out.output, value=Refusal(refusal="SCHEMA")) for out in made.released)
    sizes = {
        tuple(
            len(item.sealed)
            for item in make_bundle(made.study.pack, study, custody, commits, out, made.signing).outputs
        )
        for out in (made.released, refused)
    }
    assert len(sizes) == 1


def test_a_receipt_by_a_key_that_no_quote_binds_does_not_verify(made, study, custody, commits):
    bundle = make_bundle(made.study.pack, study, custody, commits, made.released, Ed25519PrivateKey.generate())
    with pytest.raises(VerificationFailed) as caught:
        verify_bundle(bundle.to_bytes(), made.trust, now=made.now)
    assert caught.value.code == "SIGNATURE"


def test_outputs_that_do_not_fit_the_contract_are_not_sealed(made, study, custody, commits):
    with pytest.raises(ValueError, match="argument 2 is longer"):
        make_bundle(made.study.pack, study, custody, commits, made.released[:-1], made.signing)


def test_recipients_whose_keys_can_be_sealed_to(study):
    require_recipients(study)


def test_a_recipient_whose_key_is_no_key(study):
    class Broken:
        """A study whose recipient keys are garbage: no institution document is needed for that."""

        contract = study.contract

        def recipient_key(self, institution, member):
            return b"\xff" * 1216

    with pytest.raises(DocumentError) as caught:
        require_recipients(Broken())
    assert caught.value.code == "RECIPIENT_KEY"


def test_keys_do_not_show_where_custody_is_printed(custody, data_keys):
    shown = repr(custody)
    assert not any(key.hex() in shown or repr(key) in shown for key in data_keys.values())
