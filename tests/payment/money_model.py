"""What ought to be, in plain dictionaries: the bank's truth, and what the service may know and say of it.

Nothing here knows tables, wires or the service's code. Amounts are minor units, clocks seconds.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import permutations, product
from typing import Final

from services.domain.refund import RefundIntent

UNKNOWN: Final = "DEPENDENCY_UNAVAILABLE"
FEE: Final = 1500
HOUR: Final = 3600
# Where the bank may bring a dispute from where it stands: rulings are turned over, inquiries escalate.
BANK_MOVES: Final[dict[str, list[str]]] = {
    "warning_needs_response": ["warning_under_review", "warning_closed", "needs_response"],
    "warning_under_review": ["warning_closed", "needs_response"],
    "warning_closed": ["needs_response"],
    "needs_response": ["under_review", "won", "lost", "prevented"],
    "under_review": ["needs_response", "won", "lost"],
    "prevented": ["needs_response", "lost"],
    "won": ["appeal_needs_response", "lost"],
    "appeal_needs_response": ["appeal_under_review", "won", "lost"],
    "appeal_under_review": ["won", "lost"],
    "lost": ["appeal_needs_response", "won"],
}
FROZEN: Final = frozenset({"needs_response", "under_review", "appeal_needs_response", "appeal_under_review"})
OUT: Final = frozenset({"pending", "succeeded"})


class Silence(Exception):
    """The provider says nothing: what came of it is unknown."""


@dataclass
class Moved:
    """A refund as its provider has it; made by hand when nobody here asked for it."""

    payment_id: str
    amount: int
    status: str
    is_ours: bool
    polls: int = 0


@dataclass
class Dispute:
    payment_id: str
    amount: int
    status: str


@dataclass
class Bank:
    """The provider's truth. Refunds go by our id, those made by hand by the provider's."""

    captured: dict[str, int] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)
    moved: dict[str, Moved] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    _refused: set[str] = field(default_factory=set)

    def refuses(self, payment_id: str, amount: int) -> bool:
        of_payment = [one for one in self.disputes.values() if one.payment_id == payment_id]
        is_disputed = any(one.status in FROZEN for one in of_payment)
        return is_disputed or amount > self.left(payment_id)

    def left(self, payment_id: str) -> int:
        """Return what of a payment the merchant still has, as the provider counts."""
        out = [one for one in self.moved.values() if one.status in OUT]
        lost = [one for one in self.disputes.values() if one.status == "lost"]
        gone = sum(one.amount for one in [*out, *lost] if one.payment_id == payment_id)
        return self.captured[payment_id] - gone

    def asked(self, refund_id: str, payment_id: str, amount: int) -> Moved | None:
        """Give money back once for our id; None is a clear no, and stays one."""
        self._speak(payment_id)
        if refund_id in self._refused or refund_id in self.moved:
            return self.moved.get(refund_id)
        if self.refuses(payment_id, amount):
            self._refused.add(refund_id)
            return None
        made = self.give_back(refund_id, payment_id, amount, is_ours=True)
        if self.methods[payment_id] == "card_answer_lost":
            raise Silence
        return made

    def give_back(self, key: str, payment_id: str, amount: int, *, is_ours: bool) -> Moved:
        method = self.methods[payment_id]
        status = {"card_refund_declined": "failed", "card_refund_pending": "pending"}.get(method, "succeeded")
        made = self.moved[key] = Moved(payment_id, amount, status, is_ours)
        if self.left(payment_id) <= 0:
            # Nothing is left to inquire about.
            for dispute in self.disputes.values():
                if dispute.payment_id == payment_id and dispute.status.startswith("warning_"):
                    dispute.status = "warning_closed"
        return made

    def dispute(self, dispute_id: str, payment_id: str, amount: int, status: str) -> None:
        self.disputes[dispute_id] = Dispute(payment_id, amount, status)

    def find(self, refund_id: str, payment_id: str) -> Moved | None:
        self._speak(payment_id)
        return self.moved.get(refund_id)

    def look_up(self, key: str) -> Moved:
        """Tell how a refund stands; a pending one settles when it is asked about for the second time."""
        one = self.moved[key]
        self._speak(one.payment_id)
        if one.status == "pending":
            one.polls += 1
            one.status = "succeeded" if one.polls > 1 else "pending"
        return one

    def _speak(self, payment_id: str) -> None:
        if self.methods[payment_id] == "card_down":
            raise Silence


@dataclass
class Held:
    """What the service believes of a refund; ``is_linked`` once it has the provider's id of it."""

    payment_id: str
    amount: int
    status: str
    reserved_at: int
    intent: RefundIntent | None
    is_linked: bool = False

    def become(self, told: str) -> bool:
        """Take the provider's word, unless it is older than what is known; True when that is news."""
        is_news = (self.status == "pending" and told != "pending") or (
            self.status == "succeeded" and told == "failed"
        )
        self.status = told if is_news else self.status
        return is_news


@dataclass
class Books:
    """The service over its bank: every method returns what gRPC has to answer, a status or a reason."""

    bank: Bank = field(default_factory=Bank)
    caps: dict[tuple[str, str], int] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    clock: int = 0
    facts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    _heard: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    # Payments of which a refund was refused because the bank held their money.
    _waiting: set[str] = field(default_factory=set)
    _kept: set[str] = field(default_factory=set)
    _applied: set[str] = field(default_factory=set)

    # What is asked for.

    def issue(self, intent: RefundIntent) -> str:
        return self.promise(intent) or self.ask(intent)

    def promise(self, intent: RefundIntent) -> str | None:
        """Hold the amount; the answer, if there is one without asking the provider."""
        held = self.held.get(intent.refund_id)
        if held is None:
            refusal = self.refusal_of(intent)
            if refusal is None:
                self.reserve(intent)
            if refusal == "PAYMENT_DISPUTED":
                self._waiting.add(intent.payment_id)
            return refusal
        if held.intent != intent:
            return "IDEMPOTENCY_CONFLICT"
        return held.status if held.status != "pending" or held.is_linked else None

    def ask(self, intent: RefundIntent) -> str:
        """Have the money of a promise moved, unless the provider says that it was."""
        held = self.held[intent.refund_id]
        try:
            told = self.bank.find(intent.refund_id, held.payment_id)
            told = told or self.bank.asked(intent.refund_id, held.payment_id, held.amount)
        except Silence:
            return UNKNOWN
        held.is_linked = told is not None
        held.become(told.status if told else "failed")
        return held.status

    def together(self, intents: Sequence[RefundIntent]) -> Iterator[tuple["Books", list[tuple[str, str]]]]:
        """Go through all that may come of requests at the same instant: the books then, and the answers.

        One comes after the other, or all are promised before the first is asked for.
        """
        for order in permutations(intents):
            books = deepcopy(self)
            yield books, [(intent.refund_id, books.issue(intent)) for intent in order]
        for order, asking in product(permutations(intents), repeat=2):
            books = deepcopy(self)
            promised = [(intent, books.promise(intent)) for intent in order]
            asked = [(one.refund_id, books.ask(one)) for one in asking if (one, None) in promised]
            yield books, [*((one.refund_id, answer) for one, answer in promised if answer), *asked]

    def reserve(self, intent: RefundIntent) -> Held:
        held = Held(intent.payment_id, intent.amount.minor_units, "pending", self.clock, intent)
        self.held[intent.refund_id] = held
        return held

    def refusal_of(self, intent: RefundIntent) -> str | None:
        """Say why a refund may not be promised, if it may not."""
        frozen, lost = self.disputed(intent.payment_id)
        if frozen:
            return "PAYMENT_DISPUTED"
        out = self.counted(intent.payment_id) + lost + intent.amount.minor_units
        if out > self.bank.captured[intent.payment_id]:
            return "REFUND_EXCEEDS_CAPTURED"
        for part in intent.parts:
            line = (intent.order_id, part.line_id or "")
            if self._of_line(*line) + part.amount > self.caps[line]:
                return "REFUND_EXCEEDS_LINE"
        return None

    def check(self, refund_id: str) -> str:
        held = self.held.get(refund_id)
        if held is None:
            return "REFUND_NOT_FOUND"
        if held.status != "pending":
            return held.status
        if not held.is_linked and held.intent:
            return self.ask(held.intent)
        try:
            held.become(self.bank.look_up(refund_id).status)
        except Silence:
            return UNKNOWN
        return held.status

    # What is told.

    def hear_refund(self, event_id: str, key: str, status: str) -> str:
        """Take a webhook of a refund: whether it was new, or that it has to come again."""
        if event_id in self._applied:
            return "False"
        is_new = event_id not in self._kept
        self._kept.add(event_id)
        held = self.held.get(key) or self._book_outside(key)
        if held.is_linked:
            self._learn(key, held, status)
        elif status == "failed":
            # Whether that is about this try or an earlier one only the asker can tell.
            return UNKNOWN
        self._applied.add(event_id)
        return str(is_new)

    def hear_dispute(self, event_id: str, dispute_id: str, status: str, at: int) -> str:
        is_new = event_id not in self._kept
        self._kept.add(event_id)
        if is_new:
            self._tell(dispute_id, self.bank.disputes[dispute_id].payment_id, at, status)
        return str(is_new)

    def hear_warning(self, event_id: str, payment_id: str) -> str:
        is_new = event_id not in self._kept
        self._kept.add(event_id)
        if is_new:
            self.facts["dispute", payment_id, "early_warning"] += 1
        return str(is_new)

    def mend(self) -> tuple[set[str], set[str], set[str]]:
        """Return what the janitor repairs, what it cannot say, and of what nobody tells it."""
        repaired, doubts, unanswered = set(), set(), set()
        for key, held in self._overdue().items():
            try:
                told = self.bank.look_up(key) if held.is_linked else self.bank.find(key, held.payment_id)
            except Silence:
                unanswered.add(key)
                continue
            if told is None:
                doubts.add(key)
                continue
            held.is_linked = True
            if self._learn(key, held, told.status):
                repaired.add(key)
        for key, told in self.bank.moved.items():
            is_stranger = key not in self.held and not told.is_ours
            known = self.held.get(key) or (self._book_outside(key) if is_stranger else None)
            if known and known.is_linked and (self._learn(key, known, told.status) or is_stranger):
                repaired.add(key)
        for dispute_id, dispute in self.bank.disputes.items():
            if self.standing(dispute_id) != dispute.status:
                self._tell(dispute_id, dispute.payment_id, self.clock, dispute.status)
                repaired.add(dispute_id)
        return repaired, doubts, unanswered

    def _overdue(self) -> dict[str, Held]:
        """Return our refunds that have been open for more than an hour."""
        return {key: held for key, held in self.held.items() if held.intent and self._is_overdue(held)}

    def _is_overdue(self, held: Held) -> bool:
        return held.status == "pending" and self.clock - held.reserved_at > HOUR

    def _learn(self, key: str, held: Held, status: str) -> bool:
        """Take news that nobody waits for; the case is told, once."""
        if not held.become(status):
            return False
        refund_id = key if held.intent else ""
        self.facts["refund", held.payment_id, refund_id, str(held.amount), held.status] += 1
        return True

    def _book_outside(self, key: str) -> Held:
        made = self.bank.moved[key]
        held = Held(made.payment_id, made.amount, "pending", self.clock, None, is_linked=True)
        self.held[key] = held
        return held

    def _tell(self, dispute_id: str, payment_id: str, at: int, status: str) -> None:
        before = self.standing(dispute_id)
        self._heard.setdefault(dispute_id, []).append((at, status))
        if (after := self.standing(dispute_id)) and after != before:
            self.facts["dispute", payment_id, after] += 1
            if after == "won" and payment_id in self._waiting and not self.disputed(payment_id)[0]:
                self._waiting.discard(payment_id)
                self.facts["freed", payment_id] += 1

    # What stands in the books.

    def standing(self, dispute_id: str) -> str | None:
        """Return where a dispute stands: the last that the bank said counts, whenever it arrived."""
        return max(self._heard[dispute_id])[1] if dispute_id in self._heard else None

    def counted(self, payment_id: str) -> int:
        """Return what is out of a payment, or promised."""
        return sum(self._amounts(payment_id, status) for status in OUT)

    def _amounts(self, payment_id: str, status: str) -> int:
        of_payment = [one for one in self.held.values() if one.payment_id == payment_id]
        return sum(one.amount for one in of_payment if one.status == status)

    def _of_line(self, order_id: str, line_id: str) -> int:
        intents = [one.intent for one in self.held.values() if one.intent and one.status in OUT]
        of_order = [intent for intent in intents if intent.order_id == order_id]
        return sum(part.amount for one in of_order for part in one.parts if (part.line_id or "") == line_id)

    def disputed(self, payment_id: str) -> tuple[int, int]:
        """Return what the bank holds of a payment, and what it has taken for good."""
        found = [(one.amount, self.standing(key)) for key, one in self._disputes_of(payment_id)]
        frozen = sum(amount for amount, status in found if status in FROZEN)
        return frozen, sum(amount for amount, status in found if status == "lost")

    def _disputes_of(self, payment_id: str) -> list[tuple[str, Dispute]]:
        return [one for one in self.bank.disputes.items() if one[1].payment_id == payment_id]

    def balance(self, payment_id: str) -> tuple[int, int, int, int, int]:
        """Return captured, refunded, pending, disputed, refundable."""
        captured, disputed = self.bank.captured[payment_id], sum(self.disputed(payment_id))
        refunded, pending = (self._amounts(payment_id, status) for status in ("succeeded", "pending"))
        left = max(0, captured - refunded - pending - disputed)
        return captured, refunded, pending, disputed, left

    def trial_balance(self) -> dict[str, int]:
        """Return every account that is not empty: what is ours is positive."""
        rows = [self.balance(payment_id) for payment_id in self.bank.captured]
        captured, refunded, pending, disputed, _ = (sum(column) for column in zip(*rows, strict=True))
        stand = [self.standing(key) for key in self.bank.disputes]
        fees = FEE * sum(1 for status in stand if status in FROZEN or status == "lost")
        frozen = sum(self.disputed(payment_id)[0] for payment_id in self.bank.captured)
        accounts = {
            "provider": captured - refunded - disputed - fees,
            "captured": refunded + pending - captured,
            "refund_payable": -pending,
            "dispute_frozen": frozen,
            "dispute_losses": disputed - frozen,
            "provider_fees": fees,
        }
        return {account: units for account, units in accounts.items() if units}

    def violations(self) -> dict[str, int]:
        """Return what the reconciliation has to report: how often what is broken, by name."""
        disputed = {payment_id: sum(self.disputed(payment_id)) for payment_id in self.bank.captured}
        left = {key: captured - self.counted(key) for key, captured in self.bank.captured.items()}
        out = {key for key, made in self.bank.moved.items() if made.status in OUT}
        apart = [key for key, one in self.bank.disputes.items() if self.standing(key) != one.status]
        found = {
            "refunds_within_captured": sum(1 for units in left.values() if units < 0),
            "disputes_after_refunds": sum(1 for key, units in disputed.items() if units > max(0, left[key])),
            "provider_agrees": len(out - self.held.keys()) + sum(not self._agrees(key) for key in self.held),
            "provider_agrees_on_disputes": len(apart),
        }
        return {name: times for name, times in found.items() if times}

    def _agrees(self, key: str) -> bool:
        """Tell whether the provider tells a refund as we do; what is open and young is still being asked."""
        held, made = self.held[key], self.bank.moved.get(key)
        truth = made.status if made else None
        if held.status == "succeeded":
            return truth == "succeeded"
        if held.status == "pending":
            return truth in {None, "pending"} or not self._is_overdue(held)
        return truth not in OUT
