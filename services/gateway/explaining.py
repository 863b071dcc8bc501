"""Why this decision and this amount: told from what was decided on, never worked out anew."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.domain.case import CaseSnapshot
from services.domain.order import OrderAsSold
from services.domain.quote import Quote, QuoteLine


@dataclass(frozen=True, slots=True)
class Reasoned:
    """A part of an amount, the rule and source behind it, and what was read to find it (minor units)."""

    what: str
    amount: int
    rule: str
    source: str
    line_id: str | None = None
    inputs: Mapping[str, int | str] = field(default_factory=dict)


def amounts_of(snapshot: CaseSnapshot, sold: OrderAsSold) -> list[Reasoned]:
    """Return the parts of the case's quote; with their signs they add up to its refund."""
    quote = snapshot.quote
    if quote is None or snapshot.decision is None:
        return []
    policy = f"policy {snapshot.decision.policy.policy_id} v{snapshot.decision.policy.version}"
    parts = [part for line in quote.lines for part in _line(line, sold)]
    return [*parts, *_shipping(quote, sold, policy), *_fees(quote, policy)]


def _line(line: QuoteLine, sold: OrderAsSold) -> list[Reasoned]:
    of = sold.line(line.line_id)
    source = f"order {sold.order_id} v{sold.version}"
    inputs: dict[str, int | str] = {"units": line.quantity, "discount_share": line.discount_share}
    if of is not None:
        inputs |= {"sold": of.quantity, "unit_price": of.unit_price, "line_discount": of.discount}
    goods = Reasoned("goods", line.goods, "units_share_of_line", source, line.line_id, inputs)
    if sold.tax_inclusive:
        return [goods]
    tax: dict[str, int | str] = {"units": line.quantity, "line_tax": of.tax if of else 0}
    if of is not None:
        tax["tax_rate"] = of.tax_rate
    return [goods, Reasoned("tax", line.tax, "units_share_of_tax", source, line.line_id, tax)]


def _shipping(quote: Quote, sold: OrderAsSold, policy: str) -> list[Reasoned]:
    if not sold.shipping_total:
        return []
    is_back = "yes" if quote.shipping else "no"
    inputs: dict[str, int | str] = {"paid": sold.shipping_total, "whole_order_comes_back": is_back}
    return [
        Reasoned("shipping", quote.shipping, "outbound_shipping_back_when_whole_order", policy, None, inputs)
    ]


def _fees(quote: Quote, policy: str) -> list[Reasoned]:
    return [Reasoned(f"fee: {fee.code}", -fee.amount, fee.rule, policy) for fee in quote.fees]
