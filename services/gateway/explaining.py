"""Why this decision and this amount: told from what was decided on, never worked out anew."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from services.domain.case import CaseSnapshot, CaseStatus
from services.domain.money import Money
from services.domain.order import OrderAsSold
from services.domain.policy import Policy
from services.domain.quote import Fee, Quote, QuoteLine
from services.domain.return_phases import ReturnPhase


class Basis(StrEnum):
    """What is explained: what would come back if all is accepted, or what has come back."""

    QUOTE = "quote"
    SETTLEMENT = "settlement"


@dataclass(frozen=True, slots=True)
class Reasoned:
    """A part of an amount, the rule and source behind it, and what was read to find it (minor units)."""

    what: str
    amount: int
    rule: str
    source: str
    line_id: str | None = None
    inputs: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InKind:
    """Something that is no money: so many points, or one coupon, which ``inputs`` names."""

    what: str
    count: int
    rule: str
    source: str
    line_id: str | None = None
    inputs: Mapping[str, int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The parts of a case's amount; with their signs they add up to ``refund``."""

    basis: Basis
    refund: Money | None
    amounts: tuple[Reasoned, ...] = ()
    in_kind: tuple[InKind, ...] = ()


def explained(snapshot: CaseSnapshot, sold: OrderAsSold, policy: Policy | None) -> Explanation:
    """Explain what has come back, or, while nothing is judged yet, what would.

    A case that has ended without a settlement, or whose goods were refused, has given nothing back, whatever
    had been quoted.
    """
    if snapshot.settled is not None:
        basis, quote = Basis.SETTLEMENT, snapshot.settled
    elif snapshot.status is CaseStatus.CLOSED or snapshot.phase == ReturnPhase.INSPECTION_REJECTED:
        return Explanation(Basis.SETTLEMENT, Money.zero(snapshot.currency))
    elif snapshot.quote is not None:
        basis, quote = Basis.QUOTE, snapshot.quote
    else:
        return Explanation(Basis.QUOTE, None)
    telling = _Telling(quote, sold, policy)
    return Explanation(basis, quote.refund, tuple(telling.amounts()), tuple(telling.in_kind()))


@dataclass(frozen=True, slots=True)
class _Telling:
    quote: Quote
    sold: OrderAsSold
    policy: Policy | None

    @property
    def _order(self) -> str:
        return f"order {self.sold.order_id} v{self.sold.version}"

    @property
    def _terms(self) -> str:
        return f"policy {self.policy.policy_id} v{self.policy.version}" if self.policy else "policy"

    def amounts(self) -> Iterator[Reasoned]:
        for line in self.quote.lines:
            yield from self._line(line)
        yield from self._shipping()
        yield from (self._fee(fee) for fee in self.quote.fees)

    def _line(self, line: QuoteLine) -> Iterator[Reasoned]:
        of = self.sold.line(line.line_id)
        inputs: dict[str, int | str] = {"units": line.quantity, "discount_share": line.discount_share}
        if of is not None:
            inputs |= {"sold": of.quantity, "unit_price": of.unit_price, "line_discount": of.discount}
        yield Reasoned("goods", line.goods, "units_share_of_line", self._order, line.line_id, inputs)
        if self.sold.tax_inclusive:
            return
        tax: dict[str, int | str] = {"units": line.quantity, "line_tax": of.tax if of else 0}
        if of is not None:
            tax["tax_rate"] = of.tax_rate
        yield Reasoned("tax", line.tax, "units_share_of_tax", self._order, line.line_id, tax)

    def _shipping(self) -> Iterator[Reasoned]:
        if not self.sold.shipping_total:
            return
        inputs: dict[str, int | str] = {
            "paid": self.sold.shipping_total,
            "standard": self.sold.standard_shipping_total,
            "method": self.sold.shipping.method,
            "whole_order_comes_back": "yes" if self.quote.shipping else "no",
        }
        rule = "outbound_shipping_back_when_whole_order"
        yield Reasoned("shipping", self.quote.shipping, rule, self._terms, None, inputs)

    def _fee(self, fee: Fee) -> Reasoned:
        fees = self.policy.fees if self.policy else None
        inputs: dict[str, int | str] = {}
        if fees and fee.code == "restocking":
            inputs = {"percent": fees.restocking_percent}
        elif fees and fee.code == "return_freight":
            inputs = {"freight": fees.return_freight}
        elif fees and fee.code == "lost_value":
            inputs = {f"percent_{grade}": percent for grade, percent in fees.lost_value_percent.items()}
        elif fee.code == "kept_gift":
            inputs = {f"gift_{g.line_id}": g.unit_price for g in self.sold.lines if g.is_free_gift}
        return Reasoned(f"fee: {fee.code}", -fee.amount, fee.rule, self._terms, fee.line_id, inputs)

    def in_kind(self) -> Iterator[InKind]:
        """Give what is no money, where there is any."""
        points = self.sold.points
        for line in self.quote.lines:
            units = {"units": line.quantity}
            if line.points_back:
                used = {**units, "used": points.used}
                yield InKind(
                    "points_back", line.points_back, "points_used_back", self._terms, line.line_id, used
                )
            if line.points_clawed_back:
                rule, earned = "points_earned_clawed_back", {**units, "earned": points.earned}
                taken = line.points_clawed_back
                yield InKind("points_clawed_back", taken, rule, self._terms, line.line_id, earned)
        for code in self.quote.coupons_back:
            rule = "coupons_back_when_whole_order"
            yield InKind("coupon_back", 1, rule, self._terms, None, {"code": code})
