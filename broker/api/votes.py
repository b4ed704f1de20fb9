"""Approvals and revocations: signed votes on a contract."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from broker import states
from broker.api.access import Approver
from broker.api.messages import ContractAnswer, body_schema, canonical_response, document_body
from broker.api.studies import answer_of
from broker.context import broker_of
from broker.contracts import assemble, institutions_of, judge, load_study
from broker.storage.runs import refuse_waiting
from broker.storage.studies import get_contract, put_vote
from protocol.documents.study import Approval, Contract, Revocation
from protocol.dsse import Envelope, Unverified
from protocol.errors import StorageError
from protocol.governance import require_span, verify_contract, verify_revocation, verify_vote

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["votes"])


@router.post("/approvals", status_code=201, response_model=ContractAnswer, openapi_extra=body_schema(Envelope))
def post_approval(request: Request, caller: Approver, body: Annotated[bytes, Depends(document_body)]) -> Response:
    """Store an approver's yes to a contract that is open to votes.

    What is decided on may change before it is stored: a vote counts for what it is worth whenever the contract is
    judged, so nothing is verified under the write lock.
    """
    broker = broker_of(request)
    envelope = Envelope.from_bytes(body)
    claimed = Unverified.parse(envelope, Approval).claimed
    caller.require_signer(claimed.institution, "approval")
    require_span("approval", claimed.time, None, broker.now())
    with broker.database.reading() as connection:
        study = load_study(connection, claimed.contract)
        institutions = institutions_of(connection, study.contract)
    state, reason = judge(study, broker.now())
    if "approved" not in states.CONTRACT[state] | {state}:
        raise reason or StorageError("STATE", f"The contract is {state} and takes no approval.")
    contract = verify_contract(study.envelope, institutions)
    approval = verify_vote(envelope, Approval, contract, institutions)
    with broker.database.writing() as connection:
        put_vote(connection, approval)
    with broker.database.reading() as connection:
        return canonical_response(answer_of(broker, connection, claimed.contract), 201)


@router.post("/revocations", status_code=201, response_model=ContractAnswer, openapi_extra=body_schema(Envelope))
def post_revocation(request: Request, caller: Approver, body: Annotated[bytes, Depends(document_body)]) -> Response:
    """Hand a revocation to the custodian, then store it: acknowledged, it stops key releases and commits.

    The custodian is first, so a crash in between leaves the contract stopped rather than running. Whatever state the
    contract is in, and whether or not other parties' documents verify today, a revocation is taken.
    """
    broker = broker_of(request)
    envelope = Envelope.from_bytes(body)
    claimed = Unverified.parse(envelope, Revocation).claimed
    caller.require_signer(claimed.institution, "revocation")
    require_span("revocation", claimed.time, None, broker.now())
    with broker.database.reading() as connection:
        pack = assemble(connection, get_contract(connection, claimed.contract))
    contract = Unverified.parse(pack.contract, Contract)
    revocation = verify_revocation(envelope, contract, {caller.root: caller.institution})
    broker.custodian.revoke(pack, envelope)
    with broker.database.writing() as connection:
        put_vote(connection, revocation)
        refuse_waiting(
            connection, claimed.contract, "REVOKED", "An owner withdrew consent before any host took the run."
        )
    with broker.database.reading() as connection:
        return canonical_response(answer_of(broker, connection, claimed.contract), 201)
