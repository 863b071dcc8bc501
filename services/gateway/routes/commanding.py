"""One command of one request: its key, its case, its answer."""

from typing import Annotated

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from services.gateway.keys import command_id
from services.gateway.routes.cases import shown
from services.gateway.routes.secured import IdempotencyKey, TheCaller, TheGateway, key_use
from services.gateway.schemas.case_document import CaseDocument


class Commanding:
    """Gives a case the command a request stands for, at most once per idempotency key."""

    def __init__(
        self,
        request: Request,
        response: Response,
        caller: TheCaller,
        gateway: TheGateway,
        key: IdempotencyKey = None,
    ) -> None:
        self._request, self._key, self._gateway = request, key, gateway
        self.caller, self.response = caller, response

    async def give(self, case_id: str, name: str, command: object, body: BaseModel) -> CaseDocument:
        """Return the case as it is thereafter."""
        gateway = self._gateway
        store_id = await gateway.opening.store_of(self.caller, case_id)
        use = key_use(self._request, self.caller, store_id, self._key, body)
        once = await command_id(gateway.records, use)
        snapshot = await gateway.commands.give(self.caller, case_id, name, command, once)
        return shown(gateway, self.caller, snapshot)


TheCommand = Annotated[Commanding, Depends(Commanding)]
