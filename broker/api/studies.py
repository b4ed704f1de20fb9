"""Recipes and contracts: proposing them, reading them, and gathering the documents of a study."""

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from broker.api.access import Analyst, Member
from broker.api.messages import ContractAnswer, body_schema, canonical_response, document_body
from broker.context import Broker, broker_of
from broker.contracts import StoredStudy, assemble, judge, load_study
from broker.storage.studies import all_contracts, all_recipes, get_recipe, put_contract, put_recipe
from protocol.documents.receipt import StudyPack
from protocol.documents.study import Contract
from protocol.dsse import Envelope, Unverified
from protocol.governance import require_current, require_span, verify_proposal, verify_recipe
from protocol.types import Digest

__all__ = ["contract_answer", "contracts", "recipes"]

recipes = APIRouter(prefix="/v1/recipes", tags=["studies"])
contracts = APIRouter(prefix="/v1/contracts", tags=["studies"])


@recipes.post("", status_code=201, response_model=Envelope, openapi_extra=body_schema(Envelope))
def post_recipe(request: Request, caller: Analyst, body: Annotated[bytes, Depends(document_body)]) -> Response:
    """Store a recipe."""
    broker = broker_of(request)
    recipe = verify_recipe(Envelope.from_bytes(body), {caller.root: caller.institution})
    require_span("recipe", recipe.document.created, None, broker.now())
    with broker.database.writing() as connection:
        put_recipe(connection, recipe)
    return canonical_response(recipe.envelope, 201)


@recipes.get("", response_model=list[Envelope])
def get_recipes(request: Request, _caller: Member) -> Response:
    """List all recipes."""
    with broker_of(request).database.reading() as connection:
        return canonical_response([envelope.model_dump(mode="json") for envelope in all_recipes(connection)])


@recipes.get("/{name}", response_model=Envelope)
def get_one_recipe(request: Request, name: Digest, _caller: Member) -> Response:
    """Return a recipe."""
    with broker_of(request).database.reading() as connection:
        return canonical_response(get_recipe(connection, name))


@contracts.post("", status_code=201, response_model=ContractAnswer, openapi_extra=body_schema(Envelope))
def post_contract(request: Request, caller: Analyst, body: Annotated[bytes, Depends(document_body)]) -> Response:
    """Store a contract after all checks that need no approval: signers, recipe, datasets, owners' terms, recipients."""
    broker = broker_of(request)
    envelope = Envelope.from_bytes(body)
    caller.require_signer(Unverified.parse(envelope, Contract).claimed.proposer, "contract")
    with broker.database.writing() as connection:
        study = verify_proposal(assemble(connection, envelope))
        require_current(study, broker.now())
        put_contract(connection, study.contract)
        answer = contract_answer(broker, load_study(connection, study.contract.name))
    return canonical_response(answer, 201)


@contracts.get("", response_model=list[ContractAnswer])
def get_contracts(request: Request, _caller: Member) -> Response:
    """List all contracts with their states and votes."""
    broker = broker_of(request)
    with broker.database.reading() as connection:
        found = [_answer(broker, connection, name).model_dump(mode="json") for name in all_contracts(connection)]
    return canonical_response(found)


@contracts.get("/{name}", response_model=ContractAnswer)
def get_one_contract(request: Request, name: Digest, _caller: Member) -> Response:
    """Return a contract with its state and votes."""
    broker = broker_of(request)
    with broker.database.reading() as connection:
        return canonical_response(_answer(broker, connection, name))


@contracts.get("/{name}/study", response_model=StudyPack)
def get_study(request: Request, name: Digest, _caller: Member) -> Response:
    """Return every document of a contract's study, with those approvals that count today."""
    with broker_of(request).database.reading() as connection:
        return canonical_response(load_study(connection, name).pack)


def contract_answer(broker: Broker, study: StoredStudy) -> ContractAnswer:
    """Return a contract as it is now."""
    state, _reason = judge(study, broker.now())
    return ContractAnswer(
        name=study.name,
        state=state,
        envelope=study.envelope,
        approvals=list(study.approvals),
        revocations=list(study.revocations),
    )


def _answer(broker: Broker, connection: Connection, name: Digest) -> ContractAnswer:
    return contract_answer(broker, load_study(connection, name))
