"""Store credit instead of money, as it is offered to a customer."""

from datetime import datetime
from typing import Final

from services.domain.case import Option
from services.domain.money import Money

# Under which name the case holds the offer.
CREDIT_OFFER: Final = "credit"


def credit_or_money(currency: str, now: datetime) -> tuple[Option, ...]:
    """Return what the customer may choose between; neither costs anything."""
    free = Money.zero(currency)
    at_once, only_here = ("You have it at once", "It does not lapse"), ("It can only be spent with us",)
    return (
        Option("store_credit", "Have it as store credit", free, now, at_once, only_here),
        Option("money", "Have it as money", free, None, ("You are paid back",), ("It takes longer",)),
    )
