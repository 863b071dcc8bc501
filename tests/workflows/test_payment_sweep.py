"""The sweep of payments as it runs: a Schedule of a real Temporal server, over the real services."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from temporalio.client import (
    Client,
    ScheduleActionExecutionStartWorkflow,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from services.casework.__main__ import composition as compose_casework
from services.clients.casework import CaseworkClient
from services.clients.payment import PaymentClient
from services.domain.amounts import payments_of
from services.domain.case import Actor, ActorKind, CaseStatus, TaskState
from services.domain.errors import DependencyUnavailable
from services.domain.ids import PaymentId
from services.domain.inbox import InboxTask, TaskFilter
from services.domain.money import Money
from services.domain.order import Payment
from services.payment.__main__ import composition as compose_payment
from services.platform.process import serving
from services.platform.settings import ServiceSettings
from tests.builders import NOW, STORE, an_intent, an_order
from tests.casework.papers import a_case_task, a_snapshot
from tests.fixtures.sandbox import Outside
from tests.fixtures.services import OpenDatabase, free_port, patient_channel
from tests.fixtures.temporal import a_secrets
from workflows.activities.mending import BooksReport
from workflows.sweeps.payment_sweep import PaymentReport, PaymentSweep
from workflows.sweeps.schedules import ensure_schedules
from workflows.worker import work

PAYMENT = "pay_536365"
PAUSED = "acts when a test says so"
SUBJECT = an_intent().refund_id
FINANCE = Actor(ActorKind.STAFF, "finance-1", ("finance",))
AGED = """
ALTER TABLE ledger_entries DISABLE TRIGGER USER;
UPDATE ledger_entries SET posted_at = now() - interval '61 minutes'
"""


# What nobody but a person sees to: a refund that has been waiting for its credit note.
BREAK = """
INSERT INTO document_dues (refund_id, due_at, try_at)
SELECT refund_id, now() - interval '61 minutes', now() + interval '1 day' FROM refunds
"""
MEND = "UPDATE document_dues SET done_at = now() WHERE done_at IS NULL"
Plant = Callable[[str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Shop:
    """What a worker found running when it started, and the schedule that it made."""

    temporal: Client
    payments: PaymentClient
    casework: CaseworkClient
    schedule: ScheduleHandle

    async def sell(self, method: str = "card", number: int = 536365) -> None:
        tender = Payment(PaymentId(f"pay_{number}"), "sandbox", method, 1530, NOW)
        await self.payments.register(payments_of(an_order(order_id=str(number), payments=(tender,))))

    async def sweep(self) -> PaymentReport:
        """Have the schedule act now, and return what its run reports."""
        before = (await self.schedule.describe()).info.num_actions
        await self.schedule.trigger(overlap=ScheduleOverlapPolicy.BUFFER_ONE)
        while (await self.schedule.describe()).info.num_actions == before:
            await asyncio.sleep(0.1)
        (*_, last) = (await self.schedule.describe()).info.recent_actions
        assert isinstance(last.action, ScheduleActionExecutionStartWorkflow)
        handle = self.temporal.get_workflow_handle_for(PaymentSweep.run, last.action.workflow_id)
        return await handle.result()

    async def asked(self, state: TaskState | None = None) -> list[InboxTask]:
        """Return what finance is asked, or (by its state) was."""
        wanted = TaskFilter(STORE, queue="finance", state=state)
        return (await self.casework.tasks(wanted, "", 100))[0]


@pytest.fixture
async def shop(  # noqa: PLR0913, PLR0917 — a stack of its own
    temporal_server, temporal, payment_settings, casework_settings, secrets, fresh_database, tmp_path
) -> AsyncIterator[Shop]:
    """The worker as its process runs it, with the payment and the casework service, and nothing else."""
    (tmp_path / "secrets.json").write_text(_as_file())
    # Nobody listens at the others' addresses, whatever else runs on this machine.
    services = ("order", "warehouse", "payment", "notification", "casework")
    settings = ServiceSettings(
        temporal_address=temporal_server.address,
        secrets_file=tmp_path / "secrets.json",
        **{f"{name}_address": f"127.0.0.1:{free_port()}" for name in services},
    )
    async with AsyncExitStack() as stack:
        for service, own, compose in (
            ("payment", payment_settings, compose_payment(payment_settings, secrets)),
            ("casework", casework_settings, compose_casework(casework_settings)),
        ):
            await fresh_database(service)
            address = getattr(settings, f"{service}_address")
            await stack.enter_async_context(serving(own, service, address, compose))
        channels = [patient_channel(settings.payment_address), patient_channel(settings.casework_address)]
        for channel in channels:
            stack.push_async_callback(channel.close)
        working = asyncio.create_task(work(settings))
        schedules = [temporal.get_schedule_handle(name) for name in ("sweep-payments", "sweep-register")]
        try:
            await _made(schedules, working)
            # They act when a test says so, and not when the hour is full.
            for schedule in schedules:
                await schedule.pause(note=PAUSED)
            yield Shop(temporal, PaymentClient(channels[0]), CaseworkClient(channels[1]), schedules[0])
        finally:
            for schedule in schedules:
                await schedule.delete()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


@pytest.fixture
async def planted(shop: Shop, database: OpenDatabase) -> Plant:
    """Change the payment service's tables behind its back, once it is up."""
    assert shop
    connection = await database("payment")
    return connection.execute


def _as_file() -> str:
    """Return the secrets as a process reads them: those under seal written out."""
    told = a_secrets().model_dump()
    return json.dumps(told, default=lambda sealed: sealed.get_secret_value())


async def _made(schedules: list[ScheduleHandle], working: "asyncio.Task[None]") -> None:
    """Wait until a worker that starts has made its schedules."""
    async with asyncio.timeout(60):
        while True:
            found = await asyncio.gather(*(one.describe() for one in schedules), return_exceptions=True)
            if not any(isinstance(one, BaseException) for one in found):
                return
            assert not working.done()
            await asyncio.sleep(0.1)


async def test_a_worker_makes_the_schedules_that_the_sweeps_have(shop: Shop) -> None:
    """Every hour, never beside itself, and what was missed is not made up for."""
    made = (await shop.schedule.describe()).schedule

    assert [one.every for one in made.spec.intervals] == [timedelta(hours=1)]
    assert made.policy.overlap is ScheduleOverlapPolicy.SKIP
    assert made.policy.catchup_window == timedelta(minutes=1)


async def test_a_deploy_changes_the_schedule_and_leaves_it_paused(shop: Shop) -> None:
    """An older version ran every five hours, and somebody has paused it."""

    def older(known: ScheduleUpdateInput) -> ScheduleUpdate:
        known.description.schedule.spec.intervals = [ScheduleIntervalSpec(timedelta(hours=5))]
        return ScheduleUpdate(known.description.schedule)

    await shop.schedule.update(older)
    await ensure_schedules(shop.temporal)

    made = (await shop.schedule.describe()).schedule
    assert [one.every for one in made.spec.intervals] == [timedelta(hours=1)]
    assert (made.state.paused, made.state.note) == (True, PAUSED)


async def test_a_sweep_repairs(shop: Shop, planted: Plant) -> None:
    """A refund whose answer was lost, that nobody asks about any more, and that its provider has moved."""
    await shop.sell("card_answer_lost")
    with pytest.raises(DependencyUnavailable):
        await shop.payments.issue(an_intent())
    await planted(AGED)
    report = await shop.sweep()

    assert report.mended.repaired == (an_intent().refund_id,)
    assert (report.mended.is_done, report.books) == (True, BooksReport(stores=1))
    assert (await shop.payments.balance(STORE, PAYMENT)).refunded == Money(255, "GBP")
    assert (await shop.sweep()).mended.repaired == ()


async def test_what_is_in_doubt_is_asked_about_once(shop: Shop, planted: Plant) -> None:
    """However often it is looked at: a refund that was promised and never reached its provider."""
    await shop.sell("card_down")
    with pytest.raises(DependencyUnavailable):
        await shop.payments.issue(an_intent())
    await shop.sell(number=536366)
    await planted("UPDATE payments SET provider_ref = 'pi_1' WHERE payment_id = 'pay_536365'")
    await planted(AGED)
    reports = [await shop.sweep() for _ in range(2)]

    assert [report.mended.doubtful for report in reports] == [(an_intent().refund_id,)] * 2
    (task,) = [task for task in await shop.asked() if task.kind == "refund_doubtful"]
    assert task.context["why"] == "refund_never_arrived"


@pytest.fixture
async def doubted(shop: Shop, planted: Plant, sandbox: Outside) -> None:
    """A refund that was promised over an hour ago and never reached its provider, which answers by now."""
    await shop.sell("card_down")
    with pytest.raises(DependencyUnavailable):
        await shop.payments.issue(an_intent())
    await sandbox.behave(PAYMENT, "card")
    await planted(AGED)


@pytest.mark.usefixtures("doubted")
async def test_a_doubt_about_a_refund_that_has_moved_is_taken_back(shop: Shop) -> None:
    """Whoever pays because of it would pay twice."""
    await shop.sweep()
    (task,) = await shop.asked()
    await shop.payments.issue(an_intent())
    await shop.sweep()

    (closed,) = await shop.asked(TaskState.COMPLETED)
    assert (closed.task_id, closed.outcome, closed.assignee) == (task.task_id, "clean_again", "sweep")
    assert await shop.asked() == []


@pytest.mark.usefixtures("doubted")
async def test_a_doubt_that_somebody_has_taken_stays_theirs(shop: Shop) -> None:
    """The refund has moved meanwhile; they may be paying at this moment, and see for themselves."""
    await shop.sweep()
    (task,) = await shop.asked()
    await shop.casework.claim_task(STORE, task.task_id, FINANCE)
    await shop.payments.issue(an_intent())
    await shop.sweep()

    assert [(one.task_id, one.assignee) for one in await shop.asked()] == [(task.task_id, "finance-1")]


@pytest.mark.usefixtures("doubted")
async def test_a_refund_that_its_case_follows_is_asked_about_by_its_case_alone(shop: Shop) -> None:
    """Once the case has ended without it, nobody else asks."""
    case = a_snapshot(case_id=an_intent().case_id)
    await shop.casework.publish(case)
    report = await shop.sweep()
    assert (report.mended.doubtful, await shop.asked()) == ((SUBJECT,), [])

    await shop.casework.publish(replace(case, sequence=2, status=CaseStatus.CLOSED, closed_at=NOW))
    await shop.sweep()
    (task,) = await shop.asked()
    assert task.context == {
        "payment_id": PAYMENT,
        "refund_id": SUBJECT,
        "why": "refund_never_arrived",
        "case_id": case.case_id,
    }


@pytest.mark.usefixtures("doubted")
@pytest.mark.parametrize("answer", ["settled_outside", "already_paid"])
async def test_a_doubt_says_that_finance_has_paid_in_another_way(shop: Shop, answer: str) -> None:
    """The case, open for another reason, has it from finance; what holds the money is still to be seen to."""
    case_id = an_intent().case_id
    stuck = a_case_task(
        case=case_id,
        queue="finance",
        kind="refund_stuck",
        outcomes=("retry", answer),
        context={"refund_id": SUBJECT},
    )
    await shop.casework.publish(a_snapshot(case_id=case_id, tasks=(stuck,)))
    await shop.sweep()
    assert [task.kind for task in await shop.asked()] == ["refund_stuck"]

    answered = replace(stuck, state=TaskState.COMPLETED, outcome=answer, completed_by=FINANCE)
    await shop.casework.publish(a_snapshot(case_id=case_id, sequence=2, tasks=(answered,)))
    await shop.sweep()
    (task,) = await shop.asked()
    assert (task.kind, task.context["case_says"]) == ("refund_doubtful", answer)


async def test_a_broken_invariant_is_asked_about_until_it_holds(shop: Shop, planted: Plant) -> None:
    """Once; taken back by itself when it holds again; and asked anew when it breaks anew."""
    await shop.sell()
    await shop.payments.issue(an_intent())
    await planted(BREAK)
    reports = [await shop.sweep() for _ in range(2)]
    (task,) = await shop.asked()
    assert reports[0].books == reports[1].books == BooksReport(1, (f"refunds_have_their_notes: {SUBJECT}",))
    assert (task.kind, task.title) == (
        "invariant_broken",
        f"The books disagree: refunds_have_their_notes is broken by {SUBJECT}",
    )
    assert task.context == {"invariant": "refunds_have_their_notes", "subject": SUBJECT, "violations": "1"}

    await planted(MEND)
    await shop.sweep()
    (closed,) = await shop.asked(TaskState.COMPLETED)
    assert (closed.outcome, closed.assignee, await shop.asked()) == ("clean_again", "sweep", [])

    await planted(BREAK)
    await shop.sweep()
    (anew,) = await shop.asked()
    assert anew.task_id != task.task_id


async def test_what_finance_has_answered_is_not_asked_again(shop: Shop, planted: Plant) -> None:
    """It may stay broken for months: a chargeback after a refund, until it is won."""
    await shop.sell()
    await shop.payments.issue(an_intent())
    await planted(BREAK)
    await shop.sweep()
    (task,) = await shop.asked()
    await shop.casework.complete_task(STORE, task.task_id, FINANCE, "done", "")

    assert (await shop.sweep()).books.broken
    assert await shop.asked() == []


async def test_a_question_that_somebody_has_taken_stays_theirs(shop: Shop, planted: Plant) -> None:
    """They see for themselves that it holds again."""
    await shop.sell()
    await shop.payments.issue(an_intent())
    await planted(BREAK)
    await shop.sweep()
    (task,) = await shop.asked()
    await shop.casework.claim_task(STORE, task.task_id, FINANCE)
    await planted(MEND)
    await shop.sweep()

    assert [(one.task_id, one.assignee) for one in await shop.asked()] == [(task.task_id, "finance-1")]
