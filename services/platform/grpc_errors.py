"""Expected errors across gRPC: a status from the one table, and the stable reason as ErrorInfo."""

from typing import Final

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from services.domain.errors import (
    ERROR_KINDS,
    Conflict,
    DependencyUnavailable,
    FieldProblem,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    RecourseError,
    ResourceExhausted,
    Unauthenticated,
    Unprocessable,
    error_for_reason,
)

_DOMAIN: Final = "recourse"
_STATUS_DETAILS: Final = "grpc-status-details-bin"
_UNREACHED: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
)
_BASES: Final[tuple[type[RecourseError], ...]] = (
    InvalidArgument,
    Unauthenticated,
    PermissionDenied,
    NotFound,
    Conflict,
    Unprocessable,
    ResourceExhausted,
)


class ServiceFault(Exception):
    """A service failed in a way nobody expected (a bug there); a later version of it may do better."""


def to_status(error: RecourseError) -> grpc.Status:
    """Return ``error`` as a rich gRPC status."""
    info = any_pb2.Any()
    info.Pack(error_details_pb2.ErrorInfo(reason=error.reason, domain=_DOMAIN))
    details = [info]
    if error.problems:
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=problem.pointer, reason=problem.code, description=problem.detail
            )
            for problem in error.problems
        ]
        bad_request = any_pb2.Any()
        bad_request.Pack(error_details_pb2.BadRequest(field_violations=violations))
        details.append(bad_request)
    code = grpc.StatusCode[ERROR_KINDS[error.kind].grpc_status]
    return rpc_status.to_status(status_pb2.Status(code=code.value[0], message=error.detail, details=details))


def from_rpc(error: grpc.aio.AioRpcError) -> Exception:
    """Return the expected error behind a failed call, of the class it had where it was raised.

    What could not be reached, or did not answer in time, is ``DependencyUnavailable``: the outcome may be
    unknown. What failed unexpectedly over there is ``ServiceFault``.
    """
    reason, problems = _details(error)
    detail = error.details() or "no detail"
    known = error_for_reason(reason) if reason else None
    if known is not None:
        return known(detail, problems=problems)
    code = error.code()
    if code in _UNREACHED:
        return DependencyUnavailable(f"{code.name.lower()}: {detail}")
    # A reason that a newer service knows and we do not still has its kind.
    base = next((base for base in _BASES if ERROR_KINDS[base.kind].grpc_status == code.name), None)
    if reason and base is not None:
        return base(f"{reason}: {detail}", problems=problems)
    return ServiceFault(f"{code.name}: {detail}")


def _details(error: grpc.aio.AioRpcError) -> tuple[str, tuple[FieldProblem, ...]]:
    reason = ""
    problems: tuple[FieldProblem, ...] = ()
    for key, value in error.trailing_metadata() or ():
        if key != _STATUS_DETAILS or not isinstance(value, bytes):
            continue
        for detail in status_pb2.Status.FromString(value).details:
            info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
            if detail.Unpack(info):
                reason = info.reason
            elif detail.Unpack(bad_request):
                problems = tuple(
                    FieldProblem(v.field, v.reason or "invalid", v.description)
                    for v in bad_request.field_violations
                )
    return reason, problems
