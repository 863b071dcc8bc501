"""One return from the sale to its very end, told while processes die, and what must be true of it then."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx2
from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHistory

from services.domain.ids import derived_id
from tests.chaos.fate import Death, Fates, Step
from tests.e2e.outside import Outside
from tests.e2e.purchases import Purchase, Return

Answer = TypeVar("Answer")
Sight = TypeVar("Sight")

_ASK_AGAIN: Final = frozenset({429, 502, 503, 504})
_PATIENCE_SECONDS: Final = 240.0
_PAUSE_SECONDS: Final = 0.3
# Longer than the follow-up of a closed return lasts, whatever the policy.
_TO_THE_END: Final = 60 * 24 * 3600
# Time enough that a refund whose outcome nobody knows is asked about once more.
_UNTIL_ASKED_AGAIN: Final = 10 * 60
# What a return tells its customer.
_LETTERS: Final = ("return_approved", "refunded-1", "satisfaction_question")


class Persistent(Outside):
    """Asks again for as long as nobody answers, or is told to."""

    async def call(self, method: str, path: str, body: object = None, **more: Any) -> httpx2.Response:
        return await _answered(lambda: Outside.call(self, method, path, body, **more))

    async def carrier_says(self, number: str, status: str, at: str, event_id: str = "") -> httpx2.Response:
        return await _answered(lambda: Outside.carrier_says(self, number, status, at, event_id))

    async def moved(self, payment_id: str) -> list[dict[str, Any]]:
        return await _answered(lambda: Outside.moved(self, payment_id))


async def _answered(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while True:
        seen: object
        try:
            answer = await ask()
        except httpx2.TransportError as error:
            seen = error
        else:
            if not isinstance(answer, httpx2.Response) or answer.status_code not in _ASK_AGAIN:
                return answer
            seen = answer.text
        assert time.monotonic() < give_up_at, f"no answer: {seen!r}"
        await asyncio.sleep(_PAUSE_SECONDS)


async def _seen(look: Callable[[], Awaitable[Sight]], is_it: Callable[[Sight], bool]) -> None:
    """Look now and then until it is so; many stories are told at once, and looking costs them time."""
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while not is_it(sight := await look()):
        assert time.monotonic() < give_up_at, f"never came about; last seen: {sight}"
        await asyncio.sleep(_PAUSE_SECONDS)


@dataclass
class Story:
    """A return of two lanterns that came broken, so that the shop buys the label."""

    outside: Outside
    fates: Fates
    temporal: Client
    death: Death | None = None
    purchase: Purchase = field(init=False)
    back: Return = field(init=False)

    def __post_init__(self) -> None:
        self.purchase = Purchase(self.outside)

    async def play(self) -> "Story":
        """Play it to the end of its workflow, and check what came of it.

        Raises:
            AssertionError: If anything is not as if nobody had died.
        """
        try:
            await self._play()
            await self._check()
        except Exception as error:
            error.add_note(f"order {self.purchase.order_id}, {self.death}")
            raise
        return self

    async def _play(self) -> None:
        await self.purchase.arrive()
        order_id = self.purchase.order_id
        self.fates.decree(order_id, self.death)
        answer = await self.purchase.ask_back(2, "defective")
        assert answer.is_success, answer.text
        self.back = Return(self.purchase, answer.json())
        await _seen(self.back.now, lambda case: case["return"] is not None)
        await self.back.receive(2)
        await _seen(self.back.now, lambda case: case["phase"] == "inspecting")
        await self.back.inspect(accepted=2)
        await _seen(self._being_refunded, lambda case: case["phase"] == "refunded")
        await self._end()
        await _seen(self._letters_left, lambda left: not left)
        self.fates.lift(order_id)

    @property
    def has_struck(self) -> bool:
        return self.fates.has_struck(self.purchase.order_id)

    async def _being_refunded(self) -> dict[str, Any]:
        """Return the case as it stands.

        The payment service may have been down for each try: then the case asks again after minutes of its
        own time, which pass at once here.
        """
        case = await self.back.now()
        has_unknown = any(refund["status"] == "pending" for refund in case["refunds"])
        if has_unknown and not (await self._handle.describe()).raw_description.pending_activities:
            await self._pass(_UNTIL_ASKED_AGAIN)
        return case

    async def _pass(self, seconds: int) -> None:
        body = {"case_id": self.back.case_id, "seconds": seconds}
        answer = await self.outside.call("POST", "/v1/test-clock/advance", body, role="ops")
        assert answer.is_success or answer.json()["code"] in {"case_closed", "conflict"}, answer.text

    async def _end(self) -> None:
        """Let all the time pass that the case may still take."""
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while await self._status() is WorkflowExecutionStatus.RUNNING:
            assert time.monotonic() < give_up_at, f"{self.back.case_id} does not end"
            await self._pass(_TO_THE_END)

    async def _status(self) -> WorkflowExecutionStatus | None:
        return (await self._handle.describe()).status

    @property
    def _handle(self) -> Any:
        return self.temporal.get_workflow_handle(f"return/{self.back.case_id}")

    async def _check(self) -> None:
        back = self.back
        case = await back.now()
        assert (case["status"], case["outcome"]) == ("closed", "refunded")
        assert await self._status() is WorkflowExecutionStatus.COMPLETED
        await self._check_money(case)
        await self._check_goods()
        assert await self._bugs() == []

    async def _check_money(self, case: dict[str, Any]) -> None:
        """Exactly one refund, at the provider, in the books and in the case."""
        assert await self.back.moved() == [(510, "succeeded")]
        refunds = [(refund["amount"]["amount"], refund["status"]) for refund in case["refunds"]]
        assert refunds == [(510, "succeeded")]
        payment = await self.outside.get(f"/v1/payments/{self.purchase.payment_id()}", "finance")
        booked = {name: payment[name]["amount"] for name in ("captured", "refunded", "pending", "refundable")}
        assert booked == {"captured": 1530, "refunded": 510, "pending": 0, "refundable": 1020}

    async def _check_goods(self) -> None:
        """On the shelf once, given back in the order once, expected no more."""
        stock = await self.back.stock()
        assert (stock["on_hand"], stock["quarantined"]) == (2, 0)
        (line,) = (await self.outside.get(f"/v1/orders/{self.purchase.order_id}"))["lines"]
        units = {name: line[name] for name in ("returned", "refunded", "in_case", "remaining")}
        assert units == {"returned": 2, "refunded": 2, "in_case": 0, "remaining": 4}
        inbound = await self.outside.get("/v1/warehouse/inbound", "warehouse", scan=self.back.rma)
        assert (inbound["is_open"], len(inbound["receipts"]), len(inbound["inspections"])) == (False, 1, 1)

    async def _bugs(self) -> list[str]:
        """Return why workflow tasks failed, but for what a death excuses."""
        history = await self.history()
        failed = [
            event.workflow_task_failed_event_attributes
            for event in history.events
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
        ]
        excused = {
            WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
            WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_STICKY_TASK_QUEUE,
            WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
        }
        return [str(each) for each in failed if each.cause not in excused]

    @property
    def letters(self) -> set[str]:
        """The ids of all that the customer is to be told."""
        return {derived_id(self.back.case_id, "message", fact) for fact in _LETTERS}

    async def told(self) -> Counter[str]:
        """Return the ids of what the customer was told, and how often."""
        mail = await self.back.mail("")
        return Counter(str(each["Message-ID"]).strip("<>").partition("@")[0] for each in mail)

    def unconfirmed(self) -> set[str]:
        """Return the letters of all cases of which the sender says that nobody knows whether they arrived."""
        lines = (Path(self.outside.facts.logs) / "notification.log").read_text().splitlines()
        records = [json.loads(line) for line in lines if '"status": "unconfirmed"' in line]
        return {record["message_id"] for record in records}

    async def _letters_left(self) -> set[str]:
        """Return what the customer has still to be told."""
        return self.letters - (await self.told()).keys() - self.unconfirmed()

    async def history(self) -> WorkflowHistory:
        found: WorkflowHistory = await self._handle.fetch_history()
        return found

    def steps(self) -> list[Step]:
        return self.fates.steps(self.purchase.order_id)
