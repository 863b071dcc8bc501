"""What hosts cases: the activities, wired to the services, and a Temporal worker that runs both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from temporalio.client import Client
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from workflows.activities.casework import CaseworkActivities, Register
from workflows.activities.lapsing import LapsingActivities
from workflows.activities.mending import MendingActivities
from workflows.activities.notification import Contacts, Messages, NotificationActivities
from workflows.activities.opening import OpeningActivities, Orders, Payments, Policies
from workflows.activities.order import Claims, OrderActivities
from workflows.activities.payment import PaymentActivities
from workflows.activities.payment import Payments as Refunding
from workflows.activities.sweeping import SweepActivities
from workflows.activities.warehouse import Warehouse, WarehouseActivities
from workflows.names import TASK_QUEUE
from workflows.starter import WORKFLOWS
from workflows.sweeps.credit_sweep import CreditSweep
from workflows.sweeps.payment_sweep import PaymentSweep
from workflows.sweeps.register_sweep import RegisterSweep

# What is pure, or has no state of its own, is shared by all cases instead of loaded again for each.
_SHARED: Final = ("services", "workflows", "pydantic", "pydantic_core", "annotated_types", "zoneinfo")
_GRACE: Final = timedelta(seconds=8)


@dataclass(frozen=True, slots=True)
class World:
    """What activities act on: the services, or whatever keeps their promises."""

    orders: Orders
    claims: Claims
    contacts: Contacts
    policies: Policies
    balances: Payments
    refunds: Refunding
    warehouse: Warehouse
    register: Register
    messages: Messages
    sweeping: SweepActivities | None = None
    mending: MendingActivities | None = None
    lapsing: LapsingActivities | None = None


def activities(world: World) -> Sequence[Callable[..., Any]]:
    """Return every activity, wired to ``world``."""
    opening = OpeningActivities(world.orders, world.policies, world.balances)
    order = OrderActivities(world.claims)
    warehouse = WarehouseActivities(world.warehouse)
    payment = PaymentActivities(world.refunds)
    casework = CaseworkActivities(world.register)
    notification = NotificationActivities(world.contacts, world.messages)
    sweeps: list[Callable[..., Any]] = [world.sweeping.sweep_register] if world.sweeping else []
    sweeps += [world.mending.mend_payments, world.mending.review_books] if world.mending else []
    sweeps += [world.lapsing.lapse_credit] if world.lapsing else []
    return [
        *sweeps,
        opening.look_up,
        opening.look_again,
        order.claim_units,
        order.settle_units,
        warehouse.authorize_return,
        warehouse.close_return,
        warehouse.follow_parcel,
        payment.issue_refund,
        payment.check_refund,
        casework.publish_case,
        casework.open_task,
        notification.tell_customer,
    ]


def sandbox() -> SandboxedWorkflowRunner:
    """Return what keeps workflows deterministic: they reach nothing outside but what is shared."""
    return SandboxedWorkflowRunner(
        restrictions=SandboxRestrictions.default.with_passthrough_modules(*_SHARED)
    )


def case_worker(
    client: Client, world: World, *, task_queue: str = TASK_QUEUE, max_cached_workflows: int = 1000
) -> Worker:
    """Return a worker of all kinds of cases; without a cache every task replays, which tests use."""
    return Worker(
        client,
        task_queue=task_queue,
        workflows=[*WORKFLOWS.values(), RegisterSweep, PaymentSweep, CreditSweep],
        activities=activities(world),
        workflow_runner=sandbox(),
        max_cached_workflows=max_cached_workflows,
        max_concurrent_activities=100,
        max_concurrent_local_activities=100,
        graceful_shutdown_timeout=_GRACE,
    )
