"""Who sells in which store: what an invoice has to say of the seller."""

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from services.domain.invoice import Seller
from services.platform.documents import parse


def load_sellers(file: Path) -> Mapping[str, Seller]:
    """Return the sellers by store; a store that is not there has no invoices.

    Raises:
        InvalidArgument: If an entry is not a seller.
        OSError: If there is no such file.
    """
    told = yaml.safe_load(file.read_text()) or {}
    return {
        str(store): parse(json.dumps(seller), Seller, refuses_unknown=True) for store, seller in told.items()
    }
