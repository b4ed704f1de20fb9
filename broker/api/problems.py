"""Every error leaves the broker as ``application/problem+json`` (RFC 9457), whoever raised it."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from broker.errors import BadRequest, MethodNotAllowed, NotAuthenticated, NotFound, TooSlow, Unexpected
from protocol.canonical import canonical_bytes
from protocol.errors import SealroomError

__all__ = ["PROBLEM_RESPONSES", "Problem", "problem_response", "register_problem_handlers"]

PROBLEM_TYPE = "application/problem+json"


class Problem(BaseModel):
    """An error: ``code`` for programs, ``detail`` for people."""

    type: str
    title: Annotated[str, Field(description="The family of errors")]
    status: int
    code: str
    detail: str


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "Any error",
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
}


def problem_response(error: SealroomError, headers: dict[str, str] | None = None) -> Response:
    """Return an error as a response."""
    extra = dict(headers or {})
    if isinstance(error, NotAuthenticated):
        extra["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooSlow):
        extra["Connection"] = "close"
    return Response(
        canonical_bytes(error.problem()), status_code=error.http_status, media_type=PROBLEM_TYPE, headers=extra
    )


def register_problem_handlers(app: FastAPI) -> None:
    """Answer all errors that routes, FastAPI and Starlette raise; what is left is caught by ``EdgeMiddleware``."""

    @app.exception_handler(SealroomError)
    def _sealroom(_request: Request, error: SealroomError) -> Response:
        return problem_response(error)

    @app.exception_handler(RequestValidationError)
    def _validation(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        return problem_response(BadRequest("REQUEST", f"The request's {where} is wrong: {first['msg']}."))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        match error.status_code:
            case 404:
                found: SealroomError = NotFound("ROUTE_UNKNOWN", "There is nothing at this address. See /v1/health.")
            case 405:
                message = (
                    f"This address does not take {request.method[:16]}; it takes {headers.get('Allow', 'another')}."
                )
                found = MethodNotAllowed("METHOD", message)
            case status if status < HTTPStatus.INTERNAL_SERVER_ERROR:
                found = BadRequest("REQUEST", "The request is malformed.")
            case _:
                found = Unexpected("UNEXPECTED", "The broker failed. Ask its operator to look into the log.")
        return problem_response(found, headers)
