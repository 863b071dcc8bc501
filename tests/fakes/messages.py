"""The notification service in memory: a message is taken once per id."""

from dataclasses import dataclass, field

from services.domain.errors import IdempotencyConflict
from services.domain.message import Message, MessageStatus
from tests.fakes.switchboard import Switchboard


@dataclass
class FakeMessages:
    """``taken`` are the messages, oldest first."""

    board: Switchboard
    taken: dict[str, Message] = field(default_factory=dict)

    async def send(self, message: Message) -> MessageStatus:
        with self.board.call("notification", "send", message.template):
            if message.message_id not in self.taken:
                self.board.done("notification", "taken", message.template)
            if self.taken.setdefault(message.message_id, message) != message:
                raise IdempotencyConflict("the message was said otherwise")
            return MessageStatus.QUEUED

    def templates(self, case_id: str) -> list[str]:
        """Return what a case's customer was told, oldest first."""
        return [message.template for message in self.taken.values() if message.case_id == case_id]
