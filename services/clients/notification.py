"""The notification service's client."""

from typing import Final

import grpc

from recourse.notification.v1 import notification_pb2 as pb
from recourse.notification.v1 import notification_pb2_grpc
from services.domain.message import Message, MessageRecord, MessageStatus
from services.platform.grpc_channel import call
from services.platform.wire import from_wire, to_wire

# One statement: nothing is delivered meanwhile.
_SECONDS: Final = 3.0
_STATUSES: Final = {pb.MessageStatus.Value(f"MESSAGE_STATUS_{item.name}"): item for item in MessageStatus}


class NotificationClient:
    """Speaks domain values; raises the domain's errors (see the proto's comments for which)."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = notification_pb2_grpc.NotificationServiceStub(channel)

    async def send(self, message: Message) -> MessageStatus:
        """Hand a message over for delivery, at most once per message id.

        Raises:
            InvalidArgument: If the template is unknown, or a value or the recipient does not fit it.
            IdempotencyConflict: If the message id came with another body.
        """
        request = pb.SendMessageRequest(message=to_wire(message, pb.Message))
        answer = await call(self._stub.SendMessage, request, pb.SendMessageResponse, seconds=_SECONDS)
        return _STATUSES[answer.status]

    async def messages(self, store_id: str, case_id: str) -> list[MessageRecord]:
        """Return what was said in a case, oldest first."""
        request = pb.ListMessagesRequest(store_id=store_id, case_id=case_id)
        answer = await call(self._stub.ListMessages, request, pb.ListMessagesResponse, seconds=_SECONDS)
        return [from_wire(record, MessageRecord) for record in answer.messages]
