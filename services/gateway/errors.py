"""Errors as RFC 9457 problems: one shape for everything that is refused, from the one table of errors."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from temporalio.exceptions import ApplicationError

from services.domain.errors import (
    ERROR_KINDS,
    DependencyUnavailable,
    FieldProblem,
    RecourseError,
    error_for_reason,
)
from services.platform.grpc_errors import ServiceFault

log = structlog.get_logger()

MEDIA_TYPE: Final = "application/problem+json"
_RETRY_SECONDS: Final = {429: "1", 503: "2"}

# What HTTP itself refuses, before any of our rules is asked.
_HTTP_CODES: Final[Mapping[int, str]] = {
    400: "invalid_argument",
    401: "unauthenticated",
    404: "route_not_found",
    405: "method_not_allowed",
    411: "length_required",
    413: "payload_too_large",
    414: "uri_too_long",
    415: "unsupported_media_type",
    429: "resource_exhausted",
    431: "headers_too_large",
}

# Pydantic's names for what is wrong with a member, and ours; others stay as they are.
_FIELD_CODES: Final[Mapping[str, str]] = {
    "missing": "required",
    "extra_forbidden": "unknown_member",
    "enum": "unknown_value",
    "literal_error": "unknown_value",
    "int_type": "not_an_integer",
    "int_parsing": "not_an_integer",
    "int_from_float": "not_an_integer",
    "int_parsing_size": "out_of_range",
    "bool_type": "not_a_boolean",
    "bool_parsing": "not_a_boolean",
    "string_type": "not_a_string",
    "string_unicode": "malformed",
    "string_pattern_mismatch": "malformed",
    "string_too_long": "too_long",
    "string_too_short": "too_short",
    "too_long": "too_many",
    "too_short": "too_few",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
    "model_attributes_type": "not_an_object",
    "model_type": "not_an_object",
    "list_type": "not_an_array",
    "json_invalid": "malformed",
}


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    problems: tuple[FieldProblem, ...] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return a problem document."""
    body: dict[str, Any] = {
        "type": f"urn:recourse:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    if problems:
        body["errors"] = [{"pointer": p.pointer, "code": p.code, "detail": p.detail} for p in problems]
    told = dict(headers or {})
    if status in _RETRY_SECONDS:
        told.setdefault("Retry-After", _RETRY_SECONDS[status])
    if status == HTTPStatus.UNAUTHORIZED:
        told.setdefault("WWW-Authenticate", "Bearer")
    return JSONResponse(body, status, headers=told, media_type=MEDIA_TYPE)


def problem_of(error: RecourseError, headers: Mapping[str, str] | None = None) -> Response:
    """Return an expected error as a problem."""
    status = ERROR_KINDS[error.kind].http_status
    detail = error.detail
    if isinstance(error, DependencyUnavailable):
        log.warning("request.unserved", detail=detail)
        detail = "a service needed for this cannot be reached right now; ask again"
    return problem(status, error.reason.lower(), detail, problems=error.problems, headers=headers)


def _of_expected(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RecourseError)
    return problem_of(error)


def _of_application_error(request: Request, error: Exception) -> Response:
    """An expected error that comes out of code shared with workflows."""
    assert isinstance(error, ApplicationError)
    known = error_for_reason(error.type or "")
    return problem_of(known(error.message)) if known else _of_bug(request, error)


def _of_validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = tuple(_field_problem(item) for item in error.errors())
    return problem(400, "invalid_argument", "the request is malformed", problems=problems)


def _field_problem(item: Mapping[str, Any]) -> FieldProblem:
    where, *path = item["loc"]
    if item["type"] == "json_invalid":
        path = []
    if where == "header":
        path = [str(name).lower() for name in path]
    parts = path if where == "body" else [where, *path]
    pointer = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)
    code = _FIELD_CODES.get(item["type"], item["type"])
    return FieldProblem(pointer, code, str(item["msg"]))


def _of_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, "http_error")
    return problem(error.status_code, code, str(error.detail), headers=error.headers)


def _of_fault(_request: Request, error: Exception) -> Response:
    log.error("service.fault", error=str(error))
    return problem(500, "internal", "something went wrong on our side")


def _of_bug(_request: Request, error: Exception) -> Response:
    log.error("request.failed", exc_info=error)
    return problem(500, "internal", "something went wrong on our side")


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` with a problem."""
    handlers: dict[type[Exception], Callable[[Request, Exception], Response | Awaitable[Response]]] = {
        RecourseError: _of_expected,
        ApplicationError: _of_application_error,
        RequestValidationError: _of_validation,
        HTTPException: _of_http,
        ServiceFault: _of_fault,
    }
    for error, handler in handlers.items():
        app.add_exception_handler(error, handler)
    app.add_exception_handler(Exception, _of_bug)
