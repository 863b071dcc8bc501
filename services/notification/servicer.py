"""`NotificationService` on the wire."""

from recourse.notification.v1 import notification_pb2 as pb
from recourse.notification.v1 import notification_pb2_grpc
from services.domain.message import Message, MessageStatus
from services.notification.messages import Messages
from services.platform.grpc_server import Context, Mounted
from services.platform.wire import from_wire, to_wire

_STATUSES = {item: pb.MessageStatus.Value(f"MESSAGE_STATUS_{item.name}") for item in MessageStatus}


class NotificationServicer(notification_pb2_grpc.NotificationServiceServicer):
    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    async def SendMessage(self, request: pb.SendMessageRequest, context: Context) -> pb.SendMessageResponse:
        status = await self._messages.accept(from_wire(request.message, Message))
        return pb.SendMessageResponse(status=_STATUSES[status])

    async def ListMessages(
        self, request: pb.ListMessagesRequest, context: Context
    ) -> pb.ListMessagesResponse:
        records = await self._messages.store.of_case(request.store_id, request.case_id)
        return pb.ListMessagesResponse(messages=[to_wire(record, pb.MessageRecord) for record in records])


def mount(messages: Messages) -> Mounted:
    servicer = NotificationServicer(messages)
    name = pb.DESCRIPTOR.services_by_name["NotificationService"].full_name
    return Mounted(
        name,
        lambda server: notification_pb2_grpc.add_NotificationServiceServicer_to_server(servicer, server),
    )
