"""The documents the documentation shows: valid as they stand."""

from typing import Final

from pydantic.config import JsonDict

ORDER_EXAMPLE: Final[JsonDict] = {
    "version": 1,
    "market": "GB",
    "currency": "GBP",
    "placed_at": "2010-12-01T08:26:00Z",
    "status": "paid",
    "customer": {
        "customer_id": "17850",
        "name": "17850",
        "phone": "+440000017850",
        "email": "17850@example.com",
        "locale": "en-GB",
    },
    "lines": [
        {
            "line_id": "1",
            "sku": "85123A",
            "title": "WHITE HANGING HEART T-LIGHT HOLDER",
            "quantity": 6,
            "unit_price": 255,
            "discount": 0,
            "tax": 255,
            "tax_rate": "20",
            "category": "home",
            "final_sale": False,
            "excluded_from_withdrawal": None,
            "gift": False,
        }
    ],
    "discounts": [],
    "points": {"used": 0, "earned": 0},
    "tax_inclusive": True,
    "shipping": {
        "price": 0,
        "tax": 0,
        "method": "standard",
        "address": {
            "name": "17850",
            "line1": "1 Example Street",
            "city": "London",
            "postal_code": "N1 1AA",
            "country": "GB",
        },
    },
    "payments": [
        {
            "payment_id": "pay_536365",
            "provider": "sandbox",
            "method": "card",
            "amount": 1530,
            "captured_at": "2010-12-01T08:26:05Z",
        }
    ],
}

CASE_EXAMPLE: Final[JsonDict] = {
    "kind": "return",
    "order_id": "536365",
    "channel": "web",
    "note": "The wrong colour for the hall.",
    "lines": [{"line_id": "1", "quantity": 2, "reason": "changed_mind"}],
    "details": {"refund_to": "original"},
}

CASE_DOCUMENT_EXAMPLE: Final[JsonDict] = {
    "case_id": "RT-7K3M-9QX1",
    "kind": "return",
    "status": "open",
    "phase": "awaiting_parcel",
    "outcome": None,
    "order_id": "536365",
    "store_id": "demo",
    "customer_id": "17850",
    "owner": None,
    "channel": "web",
    "note": "The wrong colour for the hall.",
    "lines": [
        {
            "line_id": "1",
            "quantity": 2,
            "reason": "changed_mind",
            "received": 0,
            "accepted": 0,
            "rejected": 0,
            "refunded": 0,
        }
    ],
    "decision": {
        "verdict": "allow",
        "policy": {"id": "uk-standard", "version": 1},
        "decided_at": "2010-12-04T08:30:00Z",
        "decided_by": "policy",
        "rules": [
            {
                "rule": "return_window",
                "source": "CCR 2013 reg. 30",
                "verdict": "pass",
                "detail": "day 3 of 14",
                "line_id": "1",
            }
        ],
        "freight_paid_by": "customer",
        "evidence_required": [],
        "remedies": ["refund", "store_credit"],
    },
    "quote": {
        "refund": {"amount": 510, "currency": "GBP"},
        "lines": [
            {
                "line_id": "1",
                "quantity": 2,
                "goods": 510,
                "tax": 85,
                "discount_share": 0,
                "points_back": 0,
                "points_clawed_back": 0,
            }
        ],
        "shipping": 0,
        "fees": [],
        "to": [{"payment_id": "pay_536365", "amount": 510, "destination": "original"}],
        "points_back": 0,
        "points_clawed_back": 0,
        "coupons_back": [],
    },
    "settled": None,
    "options": [],
    "waiting_on": {
        "party": "customer",
        "action": "send_parcel",
        "until": "2010-12-18T08:30:00Z",
        "then": "close_unreturned",
    },
    "return": {
        "rma": "R7K3M9QX1",
        "label_url": None,
        "ship_to": {
            "name": "Returns",
            "line1": "1 Example Street",
            "line2": "",
            "city": "London",
            "region": "",
            "postal_code": "N1 1AA",
            "country": "GB",
        },
    },
    "refunds": [],
    "evidence": [],
    "documents": [],
    "opened_at": "2010-12-04T08:30:00Z",
    "updated_at": "2010-12-04T08:30:01Z",
    "closed_at": None,
    "links": {
        "self": "https://shop.example.com/v1/cases/RT-7K3M-9QX1",
        "timeline": "https://shop.example.com/v1/cases/RT-7K3M-9QX1/timeline",
        "temporal": None,
    },
}
