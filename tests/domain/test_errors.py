"""Every expected error has one stable reason and one way over each boundary."""

from services.domain import errors, refund, return_phases
from services.domain.errors import ERROR_KINDS, ErrorKind, RecourseError, error_for_reason

LOADED = (errors, refund, return_phases)


def family(parent: type[RecourseError] = RecourseError) -> list[type[RecourseError]]:
    return [known for child in parent.__subclasses__() for known in (child, *family(child))]


def test_a_reason_names_one_error() -> None:
    """It crosses gRPC and Temporal alone, so it must lead back to its class."""
    reasons = [error.reason for error in family()]

    assert len(reasons) == len(set(reasons))
    assert all(error_for_reason(error.reason) is error for error in family())
    assert error_for_reason(RecourseError.reason) is None
    assert error_for_reason("NO_SUCH_REASON") is None


def test_every_kind_crosses_every_boundary_its_own_way() -> None:
    """A status tells the kind; only what may pass by itself is worth another try."""
    assert set(ERROR_KINDS) == set(ErrorKind)
    assert len({crossing.grpc_status for crossing in ERROR_KINDS.values()}) == len(ErrorKind)
    assert len({crossing.http_status for crossing in ERROR_KINDS.values()}) == len(ErrorKind)
    assert {error.kind for error in family() if error("").is_retryable} == {
        ErrorKind.EXHAUSTED,
        ErrorKind.UNAVAILABLE,
    }
    assert all(crossing.http_status < 500 or crossing.is_retryable for crossing in ERROR_KINDS.values())
