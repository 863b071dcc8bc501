"""Expected errors from services to workflows: the reason is the type, and says whether to try again."""

from collections.abc import Iterator
from contextlib import contextmanager

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from services.domain.errors import RecourseError

# Failures stay in a workflow's mutable state; long texts would stay there with them.
_LONGEST_DETAIL = 500


@contextmanager
def translated() -> Iterator[None]:
    """Raise what a service refused as an `ApplicationError`; anything else is a bug and passes through."""
    try:
        yield
    except RecourseError as error:
        raise ApplicationError(
            error.detail[:_LONGEST_DETAIL],
            type=error.reason,
            non_retryable=not error.is_retryable,
            category=ApplicationErrorCategory.BENIGN,
        ) from error
