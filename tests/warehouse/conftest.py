"""The warehouse service, and what its dock does in a line."""

from collections.abc import Callable
from dataclasses import replace

import grpc
import pytest

from services.clients.warehouse import WarehouseClient
from services.domain.ids import LineId, Rma
from services.domain.logistics import (
    Disposition,
    Grade,
    InspectedLine,
    Inspection,
    Receipt,
    ReceivedLine,
)
from tests.builders import NOW, an_expected_return

RMA = Rma("R7K3M9QX1")


@pytest.fixture
def warehouse(warehouse_channel: grpc.aio.Channel) -> WarehouseClient:
    return WarehouseClient(warehouse_channel)


@pytest.fixture
async def expected(warehouse: WarehouseClient) -> WarehouseClient:
    """A warehouse that expects two lanterns of line 1 and one of line 2, without a label."""
    wanted = an_expected_return(prepaid_label=False)
    other = replace(wanted.lines[0], line_id=LineId("2"), sku="SKU-2", quantity=1)
    await warehouse.authorize(replace(wanted, lines=(*wanted.lines, other)))
    return warehouse


@pytest.fixture
def a_receipt() -> Callable[..., Receipt]:
    """A parcel with so many units of line 1, scanned by its RMA."""

    def make(receipt_id: str = "receipt-1", quantity: int = 2, **changes: object) -> Receipt:
        lines = (ReceivedLine(quantity, LineId("1")),) if quantity else ()
        receipt = Receipt(receipt_id, RMA, NOW, lines, received_by="dock-1")
        return replace(receipt, **changes)  # type: ignore[arg-type]

    return make


@pytest.fixture
def a_verdict() -> Callable[..., Inspection]:
    """A judgement of so many units of line 1, by default accepted and restocked."""

    def make(inspection_id: str = "inspection-1", quantity: int = 1, **changes: object) -> Inspection:
        judged = InspectedLine(LineId("1"), quantity, Grade.A, accepted=True, disposition=Disposition.RESTOCK)
        return Inspection(inspection_id, RMA, NOW, (replace(judged, **changes),))  # type: ignore[arg-type]

    return make
