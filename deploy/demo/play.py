"""Playing the week: customers ask, carriers scan, the dock opens and judges, time passes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.demo.api import Api
from deploy.demo.documents import Case, Order, ReturnLine
from deploy.demo.examples import Outcome
from deploy.demo.outside import Carrier, Clock, Dock, Finance, Processor
from deploy.demo.shop import Parcel, Shop
from deploy.local.facts import StackFacts

_CARRIER = "demo-post"


@dataclass(frozen=True, slots=True)
class Parties:
    """Everybody who talks to the service, each with an own key and nothing else."""

    shop: Shop
    carrier: Carrier
    dock: Dock
    finance: Finance
    clock: Clock
    processor: Processor

    @classmethod
    def of(cls, facts: StackFacts) -> "Parties":
        token = facts.tokens
        return cls(
            Shop(Api(facts.gateway, token["store"])),
            Carrier(Api(facts.gateway), facts.webhook_secrets["carrier"]),
            Dock(Api(facts.gateway, token["warehouse"])),
            Finance(Api(facts.gateway, token["finance"])),
            Clock(Api(facts.gateway, token["ops"])),
            Processor(Api(facts.sandbox)),
        )

    async def part(self) -> None:
        """Close every connection."""
        for party in (self.shop, self.carrier, self.dock, self.finance, self.clock, self.processor):
            await party.api.close()


async def deliver(parties: Parties, order: Order, delivered_at: datetime) -> None:
    """Sell an order, send it, and have the carrier hand it over."""
    await parties.shop.sell(order)
    sent_at = order.placed_at + (delivered_at - order.placed_at) / 2
    parcel = Parcel(_CARRIER, f"OUT-{order.order_id}", sent_at)
    await parties.shop.ship(order, parcel)
    await parties.carrier.scan(parcel.carrier, parcel.tracking_number, "delivered", delivered_at)


@dataclass(frozen=True, slots=True)
class Wish:
    """A return that a customer asks for, and how it is going to go; ``key`` makes it once."""

    key: str
    order_id: str
    lines: Sequence[ReturnLine]
    goes: Outcome = "refunded"

    @property
    def units(self) -> dict[str, int]:
        return {line.line_id: line.quantity for line in self.lines}


async def play(parties: Parties, wish: Wish) -> Case:
    """Open a return and carry it to its end; a repeat of one that has ended only reads it.

    Raises:
        Refused, Unavailable: If the service does not do its part.
        NotThere: If the case does not get on.
    """
    case = await parties.shop.open_return(wish.order_id, wish.lines, key=wish.key)
    if case.status == "closed":
        return case
    match wish.goes:
        case "denied":
            await _time_passes(parties, case.case_id, "escalate")
        case "expired":
            await _time_passes(parties, case.case_id, "send_parcel")
        case "rejected":
            await _goods_come(parties, case.case_id, wish.units, accepted=False)
            case = await parties.shop.follow(case.case_id, lambda c: c.phase == "inspection_rejected")
            await parties.shop.choose(case.case_id, "dispose")
        case "refunded":
            await _goods_come(parties, case.case_id, wish.units, accepted=True)
    return await parties.shop.follow(case.case_id, lambda c: c.status == "closed")


async def _time_passes(parties: Parties, case_id: str, action: str) -> None:
    """Let the deadline pass by which the customer would have had to act."""
    waits = await parties.shop.follow(
        case_id, lambda c: c.waiting_on is not None and c.waiting_on.action == action
    )
    await parties.clock.advance_past(waits)


async def _goods_come(parties: Parties, case_id: str, units: dict[str, int], *, accepted: bool) -> None:
    """Bring the goods back: with the label that the case gave, or by the customer's own parcel."""
    approved = await parties.shop.follow(case_id, lambda c: c.authorisation is not None)
    assert approved.authorisation is not None
    rma = approved.authorisation.rma
    carrier, number = await parties.dock.parcel_of(rma) or (_CARRIER, f"BACK-{rma}")
    if approved.authorisation.label_url is None:
        await parties.shop.tell_parcel(case_id, Parcel(carrier, number, datetime.now(UTC)))
    # Only what the carrier sees once the return is expected is of its parcel.
    await parties.carrier.scan(carrier, number, "in_transit", datetime.now(UTC))
    await parties.carrier.scan(carrier, number, "delivered", datetime.now(UTC))
    await parties.dock.receive(number, units)
    await parties.dock.judge(rma, units, accepted=accepted)
