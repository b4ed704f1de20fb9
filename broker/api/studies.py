"""Recipes and contracts: proposing them, reading them, and gathering the documents of a study."""

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from broker.api.access import Analyst, Member
from broker.api.messages import ContractAnswer, body_schema, canonical_response, contract_body, recipe_body
from broker.api.pages import Page, page_response
from broker.context import Broker, broker_of
from broker.contracts import assemble, judge, load_study
from broker.storage.institutions import require_unchanged
from broker.storage.studies import contracts_after, get_recipe, put_contract, put_recipe, recipes_after
from protocol.documents.receipt import StudyPack
from protocol.documents.study import Contract
from protocol.dsse import Envelope, Unverified
from protocol.governance import require_current, require_span, verify_proposal, verify_recipe
from protocol.types import Digest

__all__ = ["answer_of", "contracts", "recipes"]

recipes = APIRouter(prefix="/v1/recipes", tags=["studies"])
contracts = APIRouter(prefix="/v1/contracts", tags=["studies"])


@recipes.post("", status_code=201, response_model=Envelope, openapi_extra=body_schema(Envelope))
def post_recipe(request: Request, caller: Analyst, body: Annotated[bytes, Depends(recipe_body)]) -> Response:
    """Store a recipe."""
    broker = broker_of(request)
    recipe = verify_recipe(Envelope.from_bytes(body), {caller.root: caller.institution})
    require_span("recipe", recipe.document.created, None, broker.now())
    with broker.database.writing() as connection:
        put_recipe(connection, recipe, broker.settings.limits.recipes)
    return canonical_response(recipe.envelope, 201)


@recipes.get("", response_model=list[Envelope])
def get_recipes(request: Request, _caller: Member, page: Page) -> Response:
    """List a page of recipes in the order of their names."""
    with broker_of(request).database.reading() as connection:
        return page_response(recipes_after(connection, page.after, page.limit))


@recipes.get("/{name}", response_model=Envelope)
def get_one_recipe(request: Request, name: Digest, _caller: Member) -> Response:
    """Return a recipe."""
    with broker_of(request).database.reading() as connection:
        return canonical_response(get_recipe(connection, name))


@contracts.post("", status_code=201, response_model=ContractAnswer, openapi_extra=body_schema(Envelope))
def post_contract(request: Request, caller: Analyst, body: Annotated[bytes, Depends(contract_body)]) -> Response:
    """Store a contract after all checks that need no approval: signers, recipe, datasets, owners' terms, recipients.

    It is verified before the write lock is taken, which nobody may hold for long.
    """
    broker = broker_of(request)
    envelope = Envelope.from_bytes(body)
    caller.require_signer(Unverified.parse(envelope, Contract).claimed.proposer, "contract")
    with broker.database.reading() as connection:
        pack = assemble(connection, envelope)
    study = verify_proposal(pack)
    require_current(study, broker.now())
    with broker.database.writing() as connection:
        require_unchanged(connection, study.institutions)
        put_contract(connection, study.contract, broker.settings.limits.contracts)
    with broker.database.reading() as connection:
        return canonical_response(answer_of(broker, connection, study.contract.name), 201)


@contracts.get("", response_model=list[ContractAnswer])
def get_contracts(request: Request, _caller: Member, page: Page) -> Response:
    """List a page of contracts with their states and votes, in the order of their names."""
    broker = broker_of(request)
    with broker.database.reading() as connection:
        names = contracts_after(connection, page.after, page.limit)
        return page_response(answer_of(broker, connection, name) for name in names)


@contracts.get("/{name}", response_model=ContractAnswer)
def get_one_contract(request: Request, name: Digest, _caller: Member) -> Response:
    """Return a contract with its state and votes."""
    broker = broker_of(request)
    with broker.database.reading() as connection:
        return canonical_response(answer_of(broker, connection, name))


@contracts.get("/{name}/study", response_model=StudyPack)
def get_study(request: Request, name: Digest, _caller: Member) -> Response:
    """Return every document of a contract's study, with those approvals that count today."""
    with broker_of(request).database.reading() as connection:
        return canonical_response(load_study(connection, name).pack)


def answer_of(broker: Broker, connection: Connection, name: Digest) -> ContractAnswer:
    """Return a contract as it is now, every document verified anew."""
    study = load_study(connection, name)
    state, _reason = judge(study, broker.now())
    return ContractAnswer(
        name=study.name,
        state=state,
        envelope=study.envelope,
        approvals=list(study.approvals),
        revocations=list(study.revocations),
    )
