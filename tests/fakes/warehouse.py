"""The warehouse service in memory, as far as a case calls it."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from services.domain.errors import IdempotencyConflict, ReturnNotFound
from services.domain.logistics import ExpectedReturn
from services.domain.order import Address
from tests.fakes.switchboard import Switchboard

RETURNS_DOCK = Address("Returns", "1 Returns Way", "Manchester", "M1 1AE", "GB")


@dataclass
class FakeWarehouse:
    board: Switchboard
    returns: dict[str, ExpectedReturn] = field(default_factory=dict)
    _asked: dict[str, ExpectedReturn] = field(default_factory=dict)

    async def authorize(self, expected: ExpectedReturn) -> ExpectedReturn:
        with self.board.call("warehouse", "authorize", expected.rma):
            if self._asked.setdefault(expected.rma, expected) != expected:
                raise IdempotencyConflict("the return was authorised otherwise")
            if expected.rma not in self.returns:
                self.returns[expected.rma] = _made(expected)
                self.board.done("warehouse", "authorized", expected.rma)
            return self.returns[expected.rma]

    async def close(self, rma: str, at: datetime) -> None:
        with self.board.call("warehouse", "close", rma):
            known = self.returns.get(rma)
            if known is not None and known.is_open:
                self.returns[rma] = replace(known, is_open=False)
                self.board.done("warehouse", "closed", rma)

    async def register(self, rma: str, carrier: str, tracking_number: str) -> ExpectedReturn:
        with self.board.call("warehouse", "register", rma):
            if rma not in self.returns:
                raise ReturnNotFound("there is no such return")
            known = self.returns[rma]
            self.returns[rma] = replace(known, carrier=carrier, tracking_number=tracking_number)
            if self.returns[rma] != known:
                self.board.done("warehouse", "registered", rma)
            return self.returns[rma]


def _made(wanted: ExpectedReturn) -> ExpectedReturn:
    if not wanted.prepaid_label:
        return replace(wanted, ship_to=RETURNS_DOCK)
    return replace(
        wanted,
        ship_to=RETURNS_DOCK,
        label_url=f"https://labels.example.com/{wanted.rma}",
        carrier="fake-post",
        tracking_number=f"FP{wanted.rma}",
    )
