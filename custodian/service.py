"""The custodian as one object: what the broker embeds, and what a process of an institution's own would serve."""

from types import TracebackType
from typing import Self

from custodian import commit, deposit, endorsements, nonces, release, revoke, withdrawals
from custodian.context import Clock, Context
from custodian.keys import load_or_create
from custodian.settings import CustodianSettings
from custodian.store import Store
from custodian.withdrawals import HeldWithdrawals
from protocol.documents.dataset import CustodianKeys
from protocol.documents.exchange import CapsuleDeposit, NonceReply, ReleaseReply, ReleaseRequest
from protocol.documents.receipt import StudyPack
from protocol.documents.reference import MeasurementEndorsement
from protocol.dsse import Envelope, Verified
from protocol.types import Digest, Key

__all__ = ["Custodian"]


class Custodian:
    """Holds capsules and decides who gets their keys.

    Each method is one durable decision, safe to call from several threads and processes on one folder. All raise
    ``SealroomError`` only, and then nothing was changed.

    Parameters
    ----------
    settings
        Folder, passphrase file, appraisal policy, roots.
    clock
        Returns the time now, with a time zone. Whoever sets it decides what is expired.
    """

    def __init__(self, settings: CustodianSettings, clock: Clock) -> None:
        secrets = load_or_create(settings)
        self._context = Context(settings, secrets, Store(settings.database), clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._context.store.close()

    def keys(self) -> CustodianKeys:
        """Return the public keys: what owners pin and dataset manifests name."""
        return self._context.secrets.public

    def deposit(self, message: CapsuleDeposit) -> Digest:
        """Take in a capsule and return the name of its dataset manifest; see ``custodian.deposit``."""
        return deposit.deposit(self._context, message)

    def nonce(self, run: str, contract: Digest) -> NonceReply:
        """Give a nonce for one run of one contract; see ``custodian.nonces``."""
        return nonces.issue(self._context, run, contract)

    def release(self, run: str, fence: int, request: ReleaseRequest) -> ReleaseReply:
        """Release this custodian's data keys of a contract to an attested enclave; see ``custodian.release``."""
        return release.release(self._context, run, fence, request)

    def commit(self, run: str, fence: int, envelope: Envelope) -> Envelope:
        """Countersign the digest of a run's outputs; see ``custodian.commit``."""
        return commit.commit(self._context, run, fence, envelope)

    def revoke(self, pack: StudyPack, envelope: Envelope) -> None:
        """Take in a revocation; see ``custodian.revoke``."""
        revoke.revoke(self._context, pack, envelope)

    def put_withdrawals(self, envelope: Envelope) -> HeldWithdrawals:
        """Take in a publisher's withdrawal list; see ``custodian.withdrawals``."""
        return withdrawals.put_withdrawals(self._context, envelope)

    def held_withdrawals(self) -> tuple[HeldWithdrawals, ...]:
        """Return what is held of each publisher that the appraisal policy names."""
        return withdrawals.held_withdrawals(self._context)

    def withdrawals(self, publisher: Key) -> Envelope:
        """Return the withdrawal list that is held of a publisher."""
        return withdrawals.get_withdrawals(self._context, publisher)

    def put_endorsement(self, envelope: Envelope) -> Verified[MeasurementEndorsement]:
        """Take in an endorsement of a measurement; see ``custodian.endorsements``."""
        return endorsements.put_endorsement(self._context, envelope)

    def endorsements(self, measurement: Digest) -> tuple[Envelope, ...]:
        """Return the endorsements of a measurement that count here."""
        return endorsements.get_endorsements(self._context, measurement)
