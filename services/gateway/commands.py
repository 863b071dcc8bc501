"""Commands to a running case, from people and storefronts."""

from dataclasses import dataclass

from services.domain.case import PREFIXES, CaseKind, CaseSnapshot
from services.domain.errors import CaseNotFound
from services.domain.ids import is_case_id
from services.gateway.access import Caller
from services.gateway.casebook import CaseBook
from services.gateway.opening import Opening


def kind_of(case_id: str) -> CaseKind:
    """Return what kind of case an id is of.

    Raises:
        CaseNotFound: If it is no case's id.
    """
    kinds = {prefix: kind for kind, prefix in PREFIXES.items()}
    kind = kinds.get(case_id[:2])
    if kind is None or not is_case_id(case_id):
        raise CaseNotFound("there is no such case")
    return kind


@dataclass(frozen=True, slots=True)
class Commands:
    opening: Opening
    cases: CaseBook

    async def give(
        self, caller: Caller, case_id: str, name: str, command: object, command_id: str
    ) -> CaseSnapshot:
        """Give a case that exists for the caller a command; the answer is the case thereafter.

        Raises:
            CaseNotFound, CaseClosed, ActionNotAllowed, …: As the case says.
        """
        kind = kind_of(case_id)
        await self.opening.store_of(caller, case_id)
        return await self.cases.command(kind, case_id, name, command, command_id)
