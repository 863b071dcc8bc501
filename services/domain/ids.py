"""Identifiers: types, check characters, and derivation.

A case id is drawn once, by whoever allocates it for an idempotency key. Every other id of work that may be
retried is derived from the case and the step, so that a repeat is recognised as one.
"""

from typing import Final, NewType
from uuid import NAMESPACE_URL, uuid5

CaseId = NewType("CaseId", str)
StoreId = NewType("StoreId", str)
OrderId = NewType("OrderId", str)
LineId = NewType("LineId", str)
CustomerId = NewType("CustomerId", str)
PaymentId = NewType("PaymentId", str)
RefundId = NewType("RefundId", str)
TaskId = NewType("TaskId", str)
EventId = NewType("EventId", str)
Rma = NewType("Rma", str)
DocumentId = NewType("DocumentId", str)

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CASE_SYMBOLS: Final = 8
_NAMESPACE: Final = uuid5(NAMESPACE_URL, "https://recourse.example/ids")


def check_symbol(symbols: str) -> str:
    """Return the Luhn mod 32 check symbol for ``symbols`` (Crockford base 32, upper case).

    It tells every single wrong symbol, and every swap of two neighbours but ``0Z`` and ``Z0``.

    Raises:
        ValueError: If a symbol is not in the alphabet.
    """
    total = 0
    factor = 2
    for symbol in reversed(symbols):
        addend = factor * CROCKFORD.index(symbol)
        total += addend // 32 + addend % 32
        factor = 3 - factor
    return CROCKFORD[-total % 32]


def case_id(prefix: str, number: int) -> CaseId:
    """Return ``prefix`` and eight symbols (``RT-7K3M-9QX1``) for ``number`` (0 … 2**35 - 1)."""
    if not 0 <= number < 32 ** (CASE_SYMBOLS - 1):
        raise ValueError("a case number has seven base-32 symbols")
    symbols = "".join(CROCKFORD[(number >> shift) & 31] for shift in range(30, -1, -5))
    symbols += check_symbol(symbols)
    return CaseId(f"{prefix}-{symbols[:4]}-{symbols[4:]}")


def is_case_id(text: str) -> bool:
    """Tell whether ``text`` is a well-formed case id with the right check symbol."""
    prefix, _, symbols = text.partition("-")
    first, dash, last = symbols.partition("-")
    body = first + last
    return (
        len(prefix) == 2  # noqa: PLR2004 — every kind's prefix has two letters
        and prefix.isascii()
        and prefix.isalpha()
        and prefix.isupper()
        and dash == "-"
        and len(first) == len(last) == CASE_SYMBOLS // 2
        and all(symbol in CROCKFORD for symbol in body)
        and check_symbol(body[:-1]) == body[-1]
    )


def rma_for(case: CaseId) -> Rma:
    """Return the case's return authorisation: ``R`` and the case's eight symbols."""
    return Rma("R" + case.split("-", 1)[1].replace("-", ""))


def derived_id(*parts: str) -> str:
    """Return a UUID made of one or more ``parts`` alone: the same for every retry and replay.

    Other parts make another id, also where a part (an order's or a receipt's own id) holds a slash.
    """
    escaped = (part.replace("~", "~0").replace("/", "~1") for part in parts)
    return str(uuid5(_NAMESPACE, "/".join(escaped)))


def refund_id_for(case: CaseId, step: str, payment: PaymentId) -> RefundId:
    """Return the id of one leg of a case's refund; ``step`` names the settlement (``settle-1``)."""
    return RefundId(derived_id(case, step, payment))


def task_id_for(case: CaseId, step: str) -> TaskId:
    """Return the id of the task a case asks for at ``step``."""
    return TaskId(derived_id(case, "task", step))
