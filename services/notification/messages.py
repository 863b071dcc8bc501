"""Messages: taken once per fact, if they can be said; kept with how far they are."""

from dataclasses import dataclass, replace
from typing import Protocol

from services.domain.errors import FieldProblem, InvalidArgument
from services.domain.message import Message, MessageRecord, MessageStatus, mail_address
from services.notification.catalogue import TEMPLATES, read_values


class MessageStore(Protocol):
    """Where messages are kept; every method is one transaction."""

    async def accept(self, message: Message) -> MessageStatus:
        """Keep a message, queued, unless it is known already; return how far it is.

        Raises:
            IdempotencyConflict: If its id is known with another body.
        """

    async def of_case(self, store_id: str, case_id: str) -> list[MessageRecord]: ...


@dataclass(frozen=True, slots=True)
class Messages:
    store: MessageStore

    async def accept(self, message: Message) -> MessageStatus:
        """Take a message for delivery; nothing is delivered meanwhile.

        Raises:
            InvalidArgument: If it could not be said: see ``problems_of``.
            IdempotencyConflict: If its id is known with another body.
        """
        problems = problems_of(message)
        if problems:
            raise InvalidArgument("the message cannot be sent", problems=problems)
        # The wire's maps have no order; equal messages must be equal texts.
        return await self.store.accept(replace(message, values=dict(sorted(message.values.items()))))


def problems_of(message: Message) -> tuple[FieldProblem, ...]:
    """Return why a message could not be said: its template, its values, its recipient, its language.

    Nothing personal is quoted.
    """
    problems: list[FieldProblem] = []
    if message.template not in TEMPLATES:
        problems.append(FieldProblem("/message/template", "unknown_template", message.template))
    else:
        problems += read_values(message.template, message.values)[1]
    try:
        mail_address(message.recipient)
    except ValueError:
        problems.append(FieldProblem("/message/recipient", "invalid_address", "not an e-mail address"))
    if not message.locale.isprintable():
        problems.append(FieldProblem("/message/locale", "invalid_locale", "not a language tag"))
    for name, text in (("case_id", message.case_id), ("order_id", message.order_id)):
        if not text.isprintable():
            problems.append(FieldProblem(f"/message/{name}", "invalid_value", "not printable"))
    return tuple(problems)
