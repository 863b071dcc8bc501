"""A decision: the verdict, and every rule that was asked, with its source and answer."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.domain.order import PolicyRef


class Verdict(StrEnum):
    ALLOW = "allow"
    DENY = "deny"
    REVIEW = "review"


class RuleVerdict(StrEnum):
    PASS = "pass"  # noqa: S105 — a verdict, not a password
    FAIL = "fail"
    REVIEW = "review"


class FreightPayer(StrEnum):
    CUSTOMER = "customer"
    MERCHANT = "merchant"


class Silence(StrEnum):
    """What the merchant's silence means while a request is under review."""

    AGREES = "agrees"
    REFUSES = "refuses"


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule's answer. ``detail`` is what it read, in words; ``source`` is the law or policy behind it."""

    rule: str
    source: str
    verdict: RuleVerdict
    detail: str
    line_id: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer to a request. ``decided_by`` is ``policy``, a staff account id, or a timer's name."""

    verdict: Verdict
    policy: PolicyRef
    decided_at: datetime
    decided_by: str
    rules: tuple[RuleResult, ...]
    freight_paid_by: FreightPayer
    silence: Silence = Silence.AGREES
    evidence_required: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
