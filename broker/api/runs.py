"""Runs, as partners see them: starting one, watching it, fetching its result."""

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from broker.api.access import Analyst, Caller, Member
from broker.api.messages import RunAnswer, body_schema, canonical_response, small_body
from broker.context import Broker, broker_of
from broker.contracts import load_study, parties, require_approved
from broker.storage.datasets import get_dataset
from broker.storage.runs import Run, all_runs, create_run, get_run
from broker.storage.studies import get_contract
from protocol.documents.attested import RunId
from protocol.documents.study import Contract
from protocol.dsse import Unverified, load_document
from protocol.errors import AccessDenied, StorageError
from protocol.types import Digest, Document, Key, format_time

__all__ = ["RunRequest", "result_key", "router", "run_answer"]

router = APIRouter(prefix="/v1/runs", tags=["runs"])
_MAX_REQUEST = 1024


class RunRequest(Document):
    """Asks for a run of an approved contract."""

    contract: Digest


def result_key(run: str, digest: Digest) -> str:
    """Return the key of a result bundle in the object store."""
    return f"results/{run}/{digest}"


@router.post("", status_code=201, response_model=RunAnswer, openapi_extra=body_schema(RunRequest))
def post(request: Request, caller: Analyst, body: Annotated[bytes, Depends(small_body)]) -> Response:
    """Start a run; an enclave host will take it."""
    broker = broker_of(request)
    wanted = load_document(RunRequest, body, limit=_MAX_REQUEST)
    now = broker.now()
    with broker.database.reading() as connection:
        study = load_study(connection, wanted.contract)
        starters = {study.contract.proposer} | _recipients(study.contract)
        if caller.root not in starters:
            raise AccessDenied("STRANGER", "A run is started by an analyst of the proposer or of a recipient.")
        require_approved(study, now)
        _require_complete(connection, study.contract)
    # What is revoked or withdrawn from here on is found when a host claims the run: every study is judged anew there.
    with broker.database.writing() as connection:
        run = create_run(
            connection,
            contract=wanted.contract,
            profile=study.contract.profile,
            max_runs=study.contract.max_runs,
            created=format_time(now),
        )
    return canonical_response(run_answer(broker, run), 201)


@router.get("", response_model=list[RunAnswer])
def get_all(request: Request, caller: Member) -> Response:
    """List the runs of contracts that the caller's institution is a party of."""
    broker = broker_of(request)
    with broker.database.reading() as connection:
        found = [run for run in all_runs(connection) if caller.root in parties(_contract(connection, run))]
    return canonical_response([run_answer(broker, run).model_dump(mode="json") for run in found])


@router.get("/{run}", response_model=RunAnswer)
def get_one(request: Request, run: RunId, caller: Member) -> Response:
    """Return the state of a run."""
    broker = broker_of(request)
    with broker.database.reading() as connection:
        return canonical_response(run_answer(broker, _get_as_party(connection, run, caller)))


@router.get("/{run}/result", response_class=StreamingResponse)
def get_result(request: Request, run: RunId, caller: Member) -> Response:
    """Return the result bundle, to members of the owners' and the recipients' institutions."""
    broker = broker_of(request)
    with broker.database.reading() as connection:
        found = _get_as_party(connection, run, caller)
        contract = _contract(connection, found)
    if caller.root not in {*contract.owners} | _recipients(contract):
        raise AccessDenied("STRANGER", "A result is given to members of its owners' and recipients' institutions.")
    if found.result is None:
        raise StorageError("RESULT_MISSING", f"The run is {found.state_at(broker.now().timestamp())}: no result yet.")
    key = result_key(run, found.result)
    size = broker.objects.size(key)
    if size is None:
        raise StorageError("OBJECT_MISSING", "The result bundle is missing from the object store. Tell the operator.")
    headers = {"Content-Length": str(size)}
    return StreamingResponse(broker.objects.read(key), media_type="application/json", headers=headers)


def _get_as_party(connection: Connection, run: str, caller: Caller) -> Run:
    found = get_run(connection, run)
    if caller.root not in parties(_contract(connection, found)):
        raise AccessDenied("STRANGER", "A run is shown to members of the institutions that its contract names.")
    return found


def _contract(connection: Connection, run: Run) -> Contract:
    return Unverified.parse(get_contract(connection, run.contract), Contract).claimed


def _recipients(contract: Contract) -> set[Key]:
    return {recipient.institution for output in contract.outputs for recipient in output.recipients}


def _require_complete(connection: Connection, contract: Contract) -> None:
    for binding in contract.datasets:
        if get_dataset(connection, binding.dataset).state != "complete":
            raise StorageError(
                "DATASET_INCOMPLETE", f"The dataset in slot {binding.slot} is not uploaded completely. Ask its owner."
            )


def run_answer(broker: Broker, run: Run) -> RunAnswer:
    """Return a run as it is now."""
    return RunAnswer(
        run=run.run,
        contract=run.contract,
        state=run.state_at(broker.now().timestamp()),
        created=run.created,
        code=run.code,
        detail=run.detail,
    )
