"""Goods coming back: authorised, on their way, received, judged.

Deadlines fall to whoever is waited for: the customer who has not sent, the carrier who has not delivered,
the dock that has recorded nothing, the inspector who has not looked. Each has its own end.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from temporalio import workflow
from temporalio.exceptions import FailureError

from services.domain.case import Action, Party, ReturnAuthorisation, Then, WaitingOn, at_dock
from services.domain.facts import Fact, FactKind
from services.domain.goods import ReturnedGoods
from services.domain.ids import LineId, rma_for
from services.domain.logistics import ExpectedLine, ExpectedReturn, Receipt
from services.domain.parcel import Parcel
from services.domain.policy import RefundCapStart
from services.domain.return_phases import ReturnPhase as P
from workflows.activities.warehouse import CloseReturn, FollowParcel, WarehouseActivities
from workflows.effects import refusal
from workflows.messages import RegisterParcel
from workflows.options import FIRST_TRY, MOVE_GOODS, with_summary
from workflows.tasks import Ask
from workflows.waiting import Reminder

if TYPE_CHECKING:
    from workflows.cases.return_case import ReturnCase

INSPECTION_ACCEPTED = "inspection_accepted"


class Inbound:
    """The goods of one return; ``cause`` says who or what made the present ones acceptable."""

    def __init__(self, case: "ReturnCase") -> None:
        self._case = case
        self.goods = ReturnedGoods(())
        self.parcel = Parcel()
        self.cause = INSPECTION_ACCEPTED
        self._authorising: asyncio.Task[None] | None = None
        self._has_been_tried = False
        self._is_followed = True
        self._send_by: datetime | None = None
        self._label_moves_to: datetime | None = None
        self._searched: set[str] = set()
        self._received_at: datetime | None = None

    # Authorising: the dock expects the goods, and the customer gets a label.

    @property
    def is_authorised(self) -> bool:
        return self._case.file.return_ is not None

    @property
    def is_authorising(self) -> bool:
        """Whether the first try still runs; a warehouse that is down does not hold up the opening."""
        return self._authorising is not None and not self._has_been_tried

    def authorise(self) -> None:
        """Expect the goods, beside whatever the case waits for; caught up with when the warehouse is down."""
        self._case.undo.push("close the return at the dock", self._expect_no_more)
        self._send_by = self._case.asked.due(days=self._case.asked.timers.send_parcel_days)
        self._authorising = asyncio.create_task(self._authorise())

    async def _authorise(self) -> None:
        request = self._case.request
        expected = ExpectedReturn(
            rma=rma_for(request.case_id),
            case_id=request.case_id,
            store_id=request.store_id,
            order_id=request.order_id,
            lines=tuple(ExpectedLine(line.line_id, line.sku, line.requested) for line in self.goods.lines),
            expected_at=workflow.now(),
            prepaid_label=self._case.asked.label_is_prepaid,
        )
        try:
            made = await self._ask_for_label(expected)
            is_late = self._has_been_tried
        finally:
            self._has_been_tried = True
            self._case.news()
        if made is not None and made.ship_to is not None:
            self._case.file.return_ = ReturnAuthorisation(made.rma, made.label_url, made.ship_to)
            self._case.record("return_authorised", detail=made.rma)
            self._count_from_label(is_late=is_late)
            if self._case.is_wanted and not self.goods.has_come:
                await self._tell_approved(made)

    def _count_from_label(self, *, is_late: bool) -> None:
        """Keep to the deadline in force; one that ran without a label begins with it."""
        if self._case.file.phase == P.AWAITING_PARCEL and self._case.waiting.deadline is not None:
            self._send_by = self._case.waiting.deadline
        if is_late and self._send_by is not None:
            due = self._case.asked.due(days=self._case.asked.timers.send_parcel_days)
            self._send_by = self._label_moves_to = max(self._send_by, due)

    async def _tell_approved(self, made: ExpectedReturn) -> None:
        quote, until = self._case.file.quote, self._send_by
        if quote is None or until is None:
            return
        values = {
            "send_by": until.isoformat(),
            "rma": made.rma,
            "label_url": made.label_url or "",
            "amount": f"{quote.refund.currency} {quote.refund.minor_units}",
        }
        await self._case.tell("return_approved", values)

    async def _ask_for_label(self, expected: ExpectedReturn) -> ExpectedReturn | None:
        """Return the return as the dock expects it, or None when it refuses, at once or later."""
        try:
            return await self._ask_dock(expected)
        except FailureError as error:
            refused = refusal(error)
            if refused is None:
                raise
            self._case.record("return_not_authorised", detail=refused.type or "refused")
            self._case.later(Ask("authorise_return", "supervisor", "The dock refused a return", ("done",)))
            return None

    async def _ask_dock(self, expected: ExpectedReturn) -> ExpectedReturn:
        act = WarehouseActivities.authorize_return
        try:
            return await workflow.execute_activity_method(
                act, expected, **with_summary(FIRST_TRY, expected.rma)
            )
        except FailureError as error:
            if refusal(error) is not None:
                raise
        self._has_been_tried = True
        self._case.news()
        return await workflow.execute_activity_method(act, expected, **with_summary(MOVE_GOODS, expected.rma))

    async def _expect_no_more(self) -> None:
        """Close the RMA; while it is still being made, as soon as it is."""
        close = CloseReturn(rma_for(self._case.request.case_id), workflow.now())
        await self._case.errands.run(WarehouseActivities.close_return, close, after=self._authorising)

    # Facts.

    def take(self, fact: Fact) -> None:
        """Count what came and what was judged, and follow the parcel."""
        if fact.kind is FactKind.GOODS_RECEIVED and fact.receipt:
            self._receive(fact.receipt)
        elif fact.kind is FactKind.GOODS_INSPECTED and fact.inspection:
            self.goods = self.goods.inspect(fact.inspection)
            by = at_dock(fact.inspection.inspected_by)
            self._case.record("goods_inspected", by, fact.inspection.inspection_id)
        elif fact.kind is FactKind.PARCEL_TRACKED and fact.parcel:
            self.parcel = self.parcel.scanned(fact.parcel.event, workflow.now())
            self._case.record("parcel_tracked", detail=fact.parcel.event.status)
        if not self.goods.uninspected:
            self._received_at = None
        elif self._received_at is None:
            self._received_at = workflow.now()

    def _receive(self, receipt: Receipt) -> None:
        before = self.goods
        self.goods = self.goods.receive(receipt)
        units = sum(item.quantity for item in receipt.lines)
        by = at_dock(receipt.received_by)
        self._case.record("goods_received", by, f"{units} units, receipt {receipt.receipt_id}")
        extras = len(self.goods.extras) > len(before.extras)
        if extras or not receipt.lines:
            self._case.later(self._ask_about(receipt, is_empty=not receipt.lines))

    def _ask_about(self, receipt: Receipt, *, is_empty: bool) -> Ask:
        title = "An empty box came" if is_empty else "Goods came that nobody expected"
        kind = "empty_box" if is_empty else "extra_goods"
        return Ask(kind, "agent", title, ("done",), {"receipt_id": receipt.receipt_id})

    def register(self, command: RegisterParcel, at: datetime) -> None:
        """Note the customer's own parcel; its scans are followed once the dock knows the return."""
        self.parcel = self.parcel.registered(command.carrier, command.tracking_number, at)
        self._is_followed = False

    async def _follow(self) -> None:
        if self._is_followed:
            return
        self._is_followed = True
        wanted = FollowParcel(
            rma_for(self._case.request.case_id), self.parcel.carrier, self.parcel.tracking_number
        )
        await self._case.errands.run(WarehouseActivities.follow_parcel, wanted, after=self._authorising)

    # Waiting for the goods.

    async def goods_come(self) -> bool:
        """Wait until something has been received, or is deemed to be; False when nothing was sent in time."""
        while not self.goods.has_come:
            await self._follow()
            if self.parcel.delivered_at is not None:
                await self._await_receipt(self.parcel.delivered_at)
            elif self.parcel.is_on_its_way:
                if not await self._await_delivery():
                    return False
            elif not await self._await_parcel():
                return False
        return True

    def _moved_on(self, parcel: Parcel) -> Callable[[], bool]:
        """Return whether goods have come, or the parcel is no longer where ``parcel`` has it."""
        return lambda: (
            self.goods.has_come
            or (self.parcel.delivered_at is None) != (parcel.delivered_at is None)
            or self.parcel.is_on_its_way != parcel.is_on_its_way
            or not self._is_followed
        )

    async def _await_parcel(self) -> bool:
        timers = self._case.asked.timers
        until = self._send_by or self._case.asked.due(days=timers.send_parcel_days)
        self._case.enter(P.AWAITING_PARCEL)
        before = timedelta(days=timers.parcel_reminder_days_before)
        reminders = (Reminder(before, self._remind),) if until - before > workflow.now() else ()
        wanted = WaitingOn(Party.CUSTOMER, Action.SEND_PARCEL, until, Then.CLOSE_UNRETURNED)
        has_gone = self._moved_on(self.parcel)
        has_news = await self._case.wait(wanted, lambda: has_gone() or self._is_moved_by_label, reminders)
        self._send_by = self._case.waiting.ended_at
        if self._send_by is not None and self._label_moves_to is not None:
            self._send_by, self._label_moves_to = max(self._send_by, self._label_moves_to), None
        elif not has_news and self._waits_for_label:
            # Nobody can be late who was not told where to send it.
            self._send_by = self._case.asked.due(days=timers.send_parcel_days)
            return True
        return has_news

    @property
    def _is_moved_by_label(self) -> bool:
        """Whether the wait begins anew for a late label; what staff have paused stays so."""
        return self._label_moves_to is not None and not self._case.waiting.is_paused

    @property
    def _waits_for_label(self) -> bool:
        return self._authorising is not None and not self._authorising.done() and not self.is_authorised

    async def _remind(self) -> None:
        current = self._case.waiting.current
        if current is not None and not self._waits_for_label:
            values = {"send_by": current.until.isoformat(), "rma": rma_for(self._case.request.case_id)}
            await self._case.tell("parcel_reminder", values)

    async def _await_delivery(self) -> bool:
        """Follow the parcel: no scan for days is asked about, none for longer decides a supervisor."""
        timers = self._case.asked.timers
        self._case.enter(P.IN_TRANSIT)
        seen_at = self.parcel.learned_at or self.parcel.registered_at or workflow.now()
        stalled_at = seen_at + timedelta(days=timers.stalled_scan_days)
        lost_at = seen_at + timedelta(days=timers.lost_parcel_days)
        known = self.parcel

        def news() -> bool:
            return self._moved_on(known)() or self.parcel.learned_at != known.learned_at

        stalled = WaitingOn(Party.CARRIER, Action.DELIVER_PARCEL, stalled_at, Then.SEARCH_CARRIER)
        if await self._case.wait(stalled, news, name="stalled"):
            return True
        await self._have_searched(lost_at)
        lost = WaitingOn(Party.CARRIER, Action.DELIVER_PARCEL, lost_at, Then.ASK_SUPERVISOR)
        if await self._case.wait(lost, news, name="lost"):
            return True
        return await self._decide_on_lost(news, self._case.waiting.ended_at or lost_at)

    async def _have_searched(self, due_at: datetime) -> None:
        """Ask an agent to look for the parcel, once for each that was named."""
        if self.parcel.tracking_number in self._searched:
            return
        self._searched.add(self.parcel.tracking_number)
        search = Ask("search_parcel", "agent", "A return's parcel has stopped moving", ("done",))
        await self._case.leave_task(search, due_at)

    async def _decide_on_lost(self, news: Callable[[], bool], lost_at: datetime) -> bool:
        """Silence counts as received what a carrier has; a number nobody ever scanned proves nothing."""
        answer_days = self._case.asked.timers.discretion_answer_days
        # However often another parcel is named meanwhile.
        until = self._case.asked.due(days=answer_days, start=lost_at)
        ask = Ask("parcel_lost", "supervisor", "A return's parcel is lost", ("refund", "close"))
        then = Then.DEEM_RECEIVED if self.parcel.is_handed_over else Then.CLOSE_UNRETURNED
        wanted = WaitingOn(Party.MERCHANT, Action.REVIEW, until, then)
        answer = await self._case.ask(ask, wanted, unless=news)
        if news():
            return True
        if (answer is None and not self.parcel.is_handed_over) or (answer and answer[0] == "close"):
            return False
        self._deem_received(answer[1] if answer else "timer:parcel_lost")
        return True

    async def _await_receipt(self, delivered_at: datetime) -> None:
        """The carrier says it is there: what nobody records is deemed received in full."""
        self._case.enter(P.AWAITING_RECEIPT)
        until = self._case.asked.due(days=self._case.asked.timers.deemed_received_days, start=delivered_at)
        wanted = WaitingOn(Party.WAREHOUSE, Action.RECORD_RECEIPT, until, Then.DEEM_RECEIVED)
        if not await self._case.wait(wanted, self._moved_on(self.parcel), name="receipt"):
            self._deem_received("timer:deemed_received")

    def _deem_received(self, by: str) -> None:
        self.goods = self.goods.deem_received().deem_accepted()
        self.cause = by
        self._case.record("deemed_received", detail=f"by {by}")

    # Judging.

    async def expect_no_more(self) -> None:
        """Tell the dock that the return is done with; what comes all the same is still recorded there."""
        if self.is_authorised:
            await self._expect_no_more()

    async def is_judged(self) -> None:
        """Wait until some of what came has been judged; what nobody judges in time is deemed accepted."""
        self._case.enter(P.INSPECTING)
        known = self.goods
        received_at = self._received_at or workflow.now()
        asked = self._case.asked

        def judged() -> bool:
            return self.goods.judged > known.judged

        inspect_by = asked.due(hours=asked.timers.inspection_hours, start=received_at)
        cap = self._refund_cap(received_at)
        if cap > workflow.now():
            # Goods that came when the law's time was over already are looked at all the same.
            inspect_by = min(inspect_by, cap)
        looking = WaitingOn(Party.WAREHOUSE, Action.INSPECT_GOODS, inspect_by, Then.ASK_SUPERVISOR)
        polls = self._case.money.polls()
        in_time = await self._case.wait(looking, judged, polls, latest=max(cap, inspect_by))
        if in_time or await self._supervisor_waits(cap, judged):
            self.cause = INSPECTION_ACCEPTED
        if not self.goods.uninspected:
            self._received_at = None

    def _refund_cap(self, received_at: datetime) -> datetime:
        """Return the last instant the law gives for the refund."""
        timers = self._case.asked.timers
        start = received_at
        if timers.refund_cap_from is RefundCapStart.NOTICE:
            start = max(self._case.file.opened_at, received_at - timedelta(days=timers.refund_cap_days))
        elif timers.refund_cap_from is RefundCapStart.RECEIPT_OR_PROOF and self.parcel.handed_over_at:
            start = min(received_at, self.parcel.handed_over_at)
        return max(start + timedelta(days=timers.refund_cap_days), workflow.now())

    async def _supervisor_waits(self, cap: datetime, judged: Callable[[], bool]) -> bool:
        """Ask a supervisor; True when an inspection came first, False when the goods count as accepted."""
        ask = Ask(
            "inspection_overdue", "supervisor", "Goods wait for inspection too long", ("accept_goods", "wait")
        )
        wanted = WaitingOn(Party.MERCHANT, Action.INSPECT_GOODS, cap, Then.DEEM_ACCEPTED)
        polls = self._case.money.polls()
        answer = await self._case.ask(ask, wanted, unless=judged, reminders=polls, latest=cap)
        if answer is not None and answer[0] == "wait" and not judged():
            still = WaitingOn(Party.WAREHOUSE, Action.INSPECT_GOODS, cap, Then.DEEM_ACCEPTED)
            await self._case.wait(still, judged, self._case.money.polls(), latest=cap)
            answer = None
        if judged():
            return True
        self.cause = answer[1] if answer else "timer:deemed_accepted"
        self.goods = self.goods.deem_accepted()
        self._case.record("deemed_accepted", detail=f"by {self.cause}")
        return False

    @property
    def awaits_rest(self) -> bool:
        """Whether units that were asked back may still come in time."""
        until = self._send_by
        return bool(self.goods.missing) and until is not None and until > workflow.now()

    async def rest_comes(self) -> bool:
        """Wait, until the parcel deadline, for units that were asked back and have not come.

        True as soon as there is something to do: goods that came, or money that came back.
        """
        until = self._send_by
        if self._case.has_work:
            return True
        if not self.awaits_rest or until is None:
            return False
        self._case.enter(P.AWAITING_PARCEL)
        await self._follow()
        wanted = WaitingOn(Party.CUSTOMER, Action.SEND_PARCEL, until, Then.CLOSE_UNRETURNED)
        polls = self._case.money.polls()
        more = await self._case.wait(wanted, lambda: self._case.has_work or not self._is_followed, polls)
        self._send_by = self._case.waiting.ended_at
        return more

    def accept_rejected(self, standing: Mapping[LineId, int], by: str) -> None:
        """Take rejections back; ``standing`` ones stay."""
        self.goods = self.goods.accept_rejected(standing)
        self.cause = by
        self._case.record("rejection_overturned", detail=f"by {by}")

    async def leave_unclaimed(self) -> None:
        """Late goods that another case has taken meanwhile are a person's to sort out."""
        self.goods = self.goods.set_aside()
        self._received_at = None
        ask = Ask("late_goods", "supervisor", "Goods came late, and another case has their units", ("done",))
        await self._case.leave_task(ask, workflow.now() + timedelta(days=2))
