"""Store credit: what a customer may spend, and what staff give out of goodwill."""

from typing import Annotated

from fastapi import Depends, Path, Request, Response

from services.domain.errors import NotFound
from services.domain.ids import CaseId, CustomerId
from services.domain.store_credit import CreditGrant, CreditLot
from services.gateway.access import AGENTS, CUSTOMER, STORE, Role, Who
from services.gateway.keys import command_id
from services.gateway.routes.secured import (
    Now,
    RequiredKey,
    TheCaller,
    TheGateway,
    may,
    secured_router,
    use_of,
)
from services.gateway.schemas.fields import Id
from services.gateway.schemas.store_credit import GrantBody, LotDocument, StoreCreditDocument

router = secured_router("store credit")
_READERS: tuple[Who, ...] = (STORE, CUSTOMER, *AGENTS, Role.FINANCE, Role.OPS)
# Money out of the shop's own pocket: not everybody who talks to customers.
_GIVERS: tuple[Who, ...] = (STORE, Role.SUPERVISOR, Role.MANAGER, Role.FINANCE)
CustomerIdPath = Annotated[Id, Path()]


class CustomerNotFound(NotFound):
    reason = "CUSTOMER_NOT_FOUND"


@router.get("/customers/{customer_id}/store-credit", dependencies=[may(*_READERS)])
async def get_store_credit(
    customer_id: CustomerIdPath, caller: TheCaller, gateway: TheGateway, at: Now
) -> StoreCreditDocument:
    """Say what a customer may spend now, by currency; one we know nothing of has nothing."""
    if not caller.may_see(caller.store_id, customer_id):
        raise CustomerNotFound("there is no such customer")
    balances = await gateway.store_credit.balances(caller.store_id, customer_id, at)
    return StoreCreditDocument.of(customer_id, at, balances, names_staff=not caller.is_customer)


class Granting:
    """Gives what a request asks for, once per idempotency key."""

    def __init__(
        self, request: Request, caller: TheCaller, gateway: TheGateway, at: Now, key: RequiredKey
    ) -> None:
        self._request, self._caller, self._gateway, self._at, self._key = request, caller, gateway, at, key

    async def give(self, customer_id: str, body: GrantBody) -> tuple[CreditLot, bool]:
        """Return the credit as it stands, and whether it is new."""
        caller = self._caller
        use = use_of(self._request, caller, caller.store_id, self._key, body)
        grant = CreditGrant(
            grant_id=await command_id(self._gateway.records, use),
            store_id=caller.store_id,
            customer_id=CustomerId(customer_id),
            amount=body.amount.to_money(),
            cause=caller.actor.actor_id,
            granted_at=self._at,
            expires_at=body.expires_at,
            case_id=CaseId(body.case_id) if body.case_id else None,
        )
        return await self._gateway.store_credit.grant(grant)


@router.post(
    "/customers/{customer_id}/store-credit",
    status_code=201,
    dependencies=[may(*_GIVERS)],
    responses={200: {"description": "A repeat: the credit as it stands.", "model": LotDocument}},
)
async def grant_store_credit(
    customer_id: CustomerIdPath,
    body: GrantBody,
    granting: Annotated[Granting, Depends(Granting)],
    response: Response,
) -> LotDocument:
    """Give a customer credit out of goodwill, once per ``Idempotency-Key``, which it must have."""
    lot, is_new = await granting.give(customer_id, body)
    response.status_code = 201 if is_new else 200
    return LotDocument.of(lot, names_staff=True)
