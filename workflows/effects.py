"""How a case has something done: quickly within the workflow task if the service is up, patiently if not."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

from workflows.options import PATIENT, QUICK

Subject = TypeVar("Subject")
Argument = TypeVar("Argument")
Result = TypeVar("Result")


async def quickly(
    activity: Callable[[Subject, Argument], Coroutine[Any, Any, Result]],
    argument: Argument,
    *,
    patiently: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> Result:
    """Run an idempotent activity locally; when its service does not answer, as a patient regular one.

    What ``patiently`` returns surrounds the patient one: a case says there that it waits.

    Raises:
        FailureError: Only if the service refuses (see ``refusal``).
    """
    try:
        return await workflow.execute_local_activity_method(activity, argument, **QUICK)
    except FailureError as error:
        if refusal(error) is not None:
            raise
    async with patiently():
        return await workflow.execute_activity_method(activity, argument, **PATIENT)


async def at_once(
    activity: Callable[[Subject, Argument], Coroutine[Any, Any, None]], argument: Argument
) -> bool:
    """Run an idempotent effect locally; False when its service does not answer.

    Raises:
        FailureError: Only if the service refuses (see ``refusal``).
    """
    try:
        await workflow.execute_local_activity_method(activity, argument, **QUICK)
    except FailureError as error:
        if refusal(error) is not None:
            raise
        return False
    return True


async def if_possible(
    activity: Callable[[Subject, Argument], Coroutine[Any, Any, Result]], argument: Argument
) -> Result | None:
    """Run a read locally; None when its service does not answer, for whoever can do without."""
    try:
        return await workflow.execute_local_activity_method(activity, argument, **QUICK)
    except FailureError:
        return None


def refusal(error: FailureError) -> ApplicationError | None:
    """Return the service's refusal behind ``error``, or None when it merely could not be reached.

    A regular activity's failure comes wrapped in an ``ActivityError``, a local one's does not.
    """
    cause = error.cause if isinstance(error, ActivityError) else error
    return cause if isinstance(cause, ApplicationError) and cause.non_retryable else None
