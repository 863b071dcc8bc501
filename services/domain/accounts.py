"""The chart of accounts: what each account of a store's ledger holds, per currency.

Positive is debit, negative credit. Freight is named here before anything posts to it, so that its name is
taken once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from services.domain.money import Money


class AccountKind(StrEnum):
    ASSET = "asset"
    LIABILITY = "liability"
    EXPENSE = "expense"
    INCOME = "income"


PROVIDER: Final = "provider"
CAPTURED: Final = "captured"
REFUND_PAYABLE: Final = "refund_payable"
DISPUTE_FROZEN: Final = "dispute_frozen"
DISPUTE_LOSSES: Final = "dispute_losses"
PROVIDER_FEES: Final = "provider_fees"
STORE_CREDIT: Final = "store_credit"
CREDIT_GRANTED: Final = "credit_granted"
CREDIT_BREAKAGE: Final = "credit_breakage"
BANK: Final = "bank"
FREIGHT_RECOVERY: Final = "freight_recovery"

CHART: Final[Mapping[str, AccountKind]] = MappingProxyType(
    {
        PROVIDER: AccountKind.ASSET,
        BANK: AccountKind.ASSET,
        DISPUTE_FROZEN: AccountKind.ASSET,
        FREIGHT_RECOVERY: AccountKind.ASSET,
        CAPTURED: AccountKind.LIABILITY,
        REFUND_PAYABLE: AccountKind.LIABILITY,
        STORE_CREDIT: AccountKind.LIABILITY,
        DISPUTE_LOSSES: AccountKind.EXPENSE,
        PROVIDER_FEES: AccountKind.EXPENSE,
        CREDIT_GRANTED: AccountKind.EXPENSE,
        CREDIT_BREAKAGE: AccountKind.INCOME,
    }
)


class LedgerClock(StrEnum):
    """Which of a posting's two times counts: when it was stored, or when it happened to the business."""

    POSTED = "posted"
    BUSINESS = "business"


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """A balance on its side, zero on the other; over all accounts of a currency both sides are equal."""

    account: str
    kind: AccountKind
    debit: Money
    credit: Money


def account_balance(account: str, balance: Money) -> AccountBalance:
    """Return a signed balance as the chart shows it."""
    zero = Money.zero(balance.currency)
    is_debit = balance.minor_units >= 0
    return AccountBalance(
        account=account,
        kind=CHART[account],
        debit=balance if is_debit else zero,
        credit=zero if is_debit else zero - balance,
    )
