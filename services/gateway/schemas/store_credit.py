"""Store credit: what a customer may spend, and what staff give."""

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, StrictInt

from services.domain.money import Money
from services.domain.store_credit import CreditBalance, CreditLot
from services.gateway.schemas.fields import (
    MOST_MONEY,
    Currency,
    Id,
    Incoming,
    Instant,
    MoneyDocument,
    Outgoing,
)


class GrantAmountBody(Incoming):
    amount: Annotated[StrictInt, Field(ge=1, le=MOST_MONEY, description="Minor units of the currency.")]
    currency: Currency

    def to_money(self) -> Money:
        return Money(self.amount, self.currency)


class GrantBody(Incoming):
    """Credit out of goodwill; without ``expires_at`` it does not lapse."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"amount": {"amount": 500, "currency": "GBP"}, "expires_at": "2027-03-02T12:00:00Z"}]
        }
    )

    amount: GrantAmountBody
    expires_at: Instant | None = None
    case_id: Id | None = Field(None, description="The case it makes up for.", examples=["RT-7K3M-9QX1"])


class LotDocument(Outgoing):
    """Credit that was given at once, and what is left of it; ``cause`` names who or what gave it."""

    lot_id: str
    given: MoneyDocument
    left: MoneyDocument
    cause: str | None
    granted_at: datetime
    expires_at: datetime | None

    @classmethod
    def of(cls, lot: CreditLot, *, names_staff: bool) -> "LotDocument":
        return cls(
            lot_id=lot.lot_id,
            given=MoneyDocument.of(lot.given),
            left=MoneyDocument.of(lot.left),
            cause=lot.cause if names_staff else None,
            granted_at=lot.granted_at,
            expires_at=lot.expires_at,
        )


class CreditBalanceDocument(Outgoing):
    """What may be spent in one currency: the sum of what is left of ``lots``, the next to lapse first."""

    balance: MoneyDocument
    lots: list[LotDocument]


class StoreCreditDocument(Outgoing):
    """A balance for each currency that there is any of."""

    customer_id: str
    as_of: datetime
    balances: list[CreditBalanceDocument]

    @classmethod
    def of(
        cls, customer_id: str, as_of: datetime, balances: list[CreditBalance], *, names_staff: bool
    ) -> "StoreCreditDocument":
        return cls(
            customer_id=customer_id,
            as_of=as_of,
            balances=[
                CreditBalanceDocument(
                    balance=MoneyDocument.of(one.balance),
                    lots=[LotDocument.of(lot, names_staff=names_staff) for lot in one.lots],
                )
                for one in balances
            ],
        )
