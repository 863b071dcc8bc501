"""Delivery: queued messages leave in the background, each at most once, whatever dies.

    queued ──claim──▶ sending ──(hand over)──▶ sent
      ▲                  │                  ├─▶ failed        the mail server said no, for good
      └──────────────────┴── not accepted   └─▶ unconfirmed   it did not answer, or we died before it did

A mail server has taken a message when it answers the end of its text, and not before. So ``handed_at`` is
stored just before the text is sent. Whoever dies earlier has sent nothing, and the message is sent by the
next sender. Whoever dies later may have delivered it: sending it again could tell the customer twice, not
sending it could tell nothing, and nobody can know which. The promise is *at most once*: such a message is
left ``unconfirmed``, for people to see, and not sent again. The window is one command long. Should a twin
leave all the same (an administrator replays the queue), its ``Message-ID`` is made of ``message_id``, by
which mailboxes drop it. What the mail server refuses in plain words was not taken, and is tried again
later or, refused for good, told to the case as a bounce.

Nothing here holds up a case: a message was accepted long before, and a mail server that is down only
makes it late.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog

from services.domain.facts import Fact, FactKind, MessageBounced
from services.domain.ids import EventId, StoreId, derived_id
from services.domain.message import Message, MessageStatus
from services.notification.wording import Letter, Voice, Wording

log = structlog.get_logger()

HandOver = Callable[[], Awaitable[None]]


class Refused(Exception):
    """The mail server said no, so it has not taken the message; ``is_final``: and will not.

    ``failure`` is its codes alone: its words quote the address.
    """

    def __init__(self, failure: str, *, is_final: bool) -> None:
        super().__init__(failure)
        self.failure = failure
        self.is_final = is_final


class NoAnswer(Exception):
    """The mail server cannot be reached, or went silent."""

    def __init__(self, failure: str) -> None:
        super().__init__(failure)
        self.failure = failure


class LeaseLost(Exception):
    """Another sender has taken the message over; this one must not send it."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message in the hands of one sender; ``age`` is how long ago it was accepted."""

    message: Message
    attempt: int
    accepted_at: datetime
    age: timedelta


@dataclass(frozen=True, slots=True)
class Mail:
    """A letter ready to leave; ``dated`` is when it was accepted, so that a late one says so."""

    message_id: str
    sender: str
    recipient: str
    dated: datetime
    letter: Letter


@dataclass(frozen=True, slots=True)
class Pace:
    """How delivery is timed.

    A lease covers reaching the mail server, and then once more the sending of the text. Retries double
    from ``first_retry`` to ``longest_retry`` and end after ``give_up_after`` (RFC 5321, 4.5.4.1: 4 days or
    more).
    """

    at_once: int = 4
    lease: timedelta = timedelta(minutes=2)
    look: timedelta = timedelta(seconds=1)
    first_retry: timedelta = timedelta(seconds=15)
    longest_retry: timedelta = timedelta(hours=1)
    give_up_after: timedelta = timedelta(days=4)
    grace: timedelta = timedelta(seconds=5)

    def delay(self, attempt: int) -> timedelta:
        """Return how long to wait after the ``attempt``-th try (from 1) failed."""
        delay = self.first_retry
        for _ in range(attempt - 1):
            if delay >= self.longest_retry:
                break
            delay *= 2
        return min(delay, self.longest_retry)


class Queue(Protocol):
    """The messages to be sent; every method is one transaction.

    All but ``claim`` and ``expire`` do nothing when another sender has taken the message over.
    """

    async def claim(self, limit: int, lease: timedelta) -> list[Claimed]: ...
    async def hand_over(self, claimed: Claimed, lease: timedelta) -> bool: ...
    async def sent(self, claimed: Claimed) -> None: ...
    async def put_back(self, claimed: Claimed, failure: str, delay: timedelta) -> None: ...
    async def fail(self, claimed: Claimed, failure: str) -> None: ...
    async def leave_unconfirmed(self, claimed: Claimed, failure: str) -> None: ...
    async def expire(self) -> list[tuple[str, MessageStatus]]: ...


class News(Protocol):
    async def watch(self, on_arrival: Callable[[], None]) -> None: ...


class Channel(Protocol):
    """The way to the customer."""

    async def deliver(self, mail: Mail, hand_over: HandOver) -> None:
        """Send ``mail``, calling ``hand_over`` once, right before it can be taken; return when it was.

        Raises:
            Refused: If it was not taken.
            NoAnswer: If that is not known (before ``hand_over``: if it was not taken).
        """


class Sender:
    """Sends what is queued; several, in several processes, share the work."""

    def __init__(
        self,
        queue: Queue,
        news: News,
        channel: Channel,
        wording: Wording,
        voice_of: Callable[[StoreId], Voice],
        pace: Pace,
    ) -> None:
        self._queue = queue
        self._news = news
        self._channel = channel
        self._wording = wording
        self._voice_of = voice_of
        self._pace = pace
        self._wake = asyncio.Event()
        self._may_be_more = False
        self._expire_at = 0.0
        self._under_way: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send for as long as the block lasts; what is under way then is finished, for a moment."""
        looking = asyncio.create_task(self._run())
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.wait([looking])
            if self._under_way:
                _, left = await asyncio.wait(self._under_way, timeout=self._pace.grace.total_seconds())
                for task in left:
                    task.cancel()
                await asyncio.gather(*left, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._round()
            except Exception as error:  # noqa: BLE001 — whatever it is, the next round may do better
                log.warning("sender.stumbled", error=type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._pace.look.total_seconds())

    async def _round(self) -> None:
        await self._news.watch(self._wake.set)
        await self._expire()
        free = self._pace.at_once - len(self._under_way)
        if free <= 0:
            return
        claims = await self._queue.claim(free, self._pace.lease)
        self._may_be_more = len(claims) == free
        for claimed in claims:
            task = asyncio.create_task(self._deliver(claimed))
            self._under_way.add(task)
            task.add_done_callback(self._on_done)

    async def _expire(self) -> None:
        """Take messages from senders that died; every look, not with every message."""
        now = asyncio.get_running_loop().time()
        if now < self._expire_at:
            return
        self._expire_at = now + self._pace.look.total_seconds()
        for message_id, status in await self._queue.expire():
            log.warning("message.sender_lost", message_id=message_id, status=status)

    def _on_done(self, task: "asyncio.Task[None]") -> None:
        self._under_way.discard(task)
        if self._may_be_more:
            self._wake.set()

    async def _deliver(self, claimed: Claimed) -> None:
        message = claimed.message
        bound = log.bind(message_id=message.message_id, case_id=message.case_id, template=message.template)
        try:
            status = await self._try(claimed)
            bound.info("message.tried", status=status, attempt=claimed.attempt)
        except LeaseLost:
            bound.warning("message.lease_lost", attempt=claimed.attempt)
        except Exception as error:  # noqa: BLE001 — a bug: the lease runs out and the message is tried again
            # Neither the error's words nor the traceback's: they may quote the customer.
            bound.error("message.broke", error=type(error).__name__, at=_where(error))

    async def _try(self, claimed: Claimed) -> MessageStatus:
        """Try once to deliver, and store what came of it."""
        is_handed = False
        seconds = self._pace.lease.total_seconds()
        voice = self._voice_of(claimed.message.store_id)
        mail = Mail(
            message_id=claimed.message.message_id,
            sender=voice.sender,
            recipient=claimed.message.recipient,
            dated=claimed.accepted_at,
            letter=self._wording.letter(claimed.message, voice.zone),
        )

        async def hand_over() -> None:
            nonlocal is_handed
            if not await self._queue.hand_over(claimed, self._pace.lease):
                raise LeaseLost
            is_handed = True
            timer.reschedule(asyncio.get_running_loop().time() + seconds)

        try:
            async with asyncio.timeout(seconds) as timer:
                await self._channel.deliver(mail, hand_over)
        except Refused as refused:
            return await self._not_accepted(claimed, refused.failure, is_final=refused.is_final)
        except (NoAnswer, TimeoutError) as error:
            failure = error.failure if isinstance(error, NoAnswer) else "timeout"
            if is_handed:
                await self._queue.leave_unconfirmed(claimed, failure)
                return MessageStatus.UNCONFIRMED
            return await self._not_accepted(claimed, failure, is_final=False)
        await self._queue.sent(claimed)
        return MessageStatus.SENT

    async def _not_accepted(self, claimed: Claimed, failure: str, *, is_final: bool) -> MessageStatus:
        delay = self._pace.delay(claimed.attempt)
        if is_final or claimed.age + delay > self._pace.give_up_after:
            await self._queue.fail(claimed, failure)
            return MessageStatus.FAILED
        await self._queue.put_back(claimed, failure, delay)
        return MessageStatus.QUEUED


def bounce_fact(message: Message, at: datetime) -> Fact:
    """Return what the case is told of a message that will not arrive."""
    return Fact(
        event_id=EventId(derived_id("bounce", message.message_id)),
        kind=FactKind.MESSAGE_BOUNCED,
        occurred_at=at,
        store_id=message.store_id,
        case_id=message.case_id,
        order_id=message.order_id,
        bounce=MessageBounced(message.message_id, message.template),
    )


def _where(error: BaseException) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else "unknown"
