"""How long each kind of effect may take, and how often it is tried: every activity call names one."""

from datetime import timedelta
from typing import Final

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityConfig, LocalActivityConfig

# A read or a small idempotent write at a service next door answers in milliseconds. Two tries within the
# workflow task; after that it becomes a PATIENT one, so that a case never holds a worker.
QUICK: Final = LocalActivityConfig(
    start_to_close_timeout=timedelta(seconds=2),
    schedule_to_close_timeout=timedelta(seconds=4),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        maximum_interval=timedelta(milliseconds=500),
        maximum_attempts=2,
    ),
)

# A service that is down comes back: nothing is lost by asking again, every effect has its own id.
PATIENT: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=15),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(minutes=1),
    ),
)

# Goods: a label may have to be bought from a carrier outside, which takes seconds.
MOVE_GOODS: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(minutes=5),
    ),
)

# One try at goods while somebody waits for the case to open; what it does not bring is asked for patiently.
FIRST_TRY: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=4),
    schedule_to_close_timeout=timedelta(seconds=5),
    retry_policy=RetryPolicy(maximum_attempts=1),
)

# Money: one provider call takes up to 30 s. After a few tries the outcome counts as unknown, which the case
# shows, and asks about on its own schedule with the same id.
MOVE_MONEY: Final = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=45),
    schedule_to_close_timeout=timedelta(minutes=2),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=3.0,
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=3,
    ),
)

# A look over everything takes minutes; who runs it shows life after every case.
SWEEP: Final = ActivityConfig(
    start_to_close_timeout=timedelta(minutes=30),
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=10), maximum_attempts=3),
)


# One step of the payment service's janitor; the next goes on where it stopped, and so does the next sweep.
MEND: Final = ActivityConfig(
    start_to_close_timeout=timedelta(minutes=6),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=10), maximum_attempts=3),
)


# A store's books are held against all that its providers list, which takes minutes; who runs it shows life
# before every store.
REVIEW: Final = ActivityConfig(
    start_to_close_timeout=timedelta(minutes=30),
    heartbeat_timeout=timedelta(minutes=6),
    retry_policy=RetryPolicy(initial_interval=timedelta(seconds=10), maximum_attempts=3),
)


def with_summary(options: ActivityConfig, summary: str) -> ActivityConfig:
    """Return ``options`` with what the Temporal UI says of the call: ids and amounts, no personal data."""
    return {**options, "summary": summary}
