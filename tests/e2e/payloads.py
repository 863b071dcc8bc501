"""What a history holds of a case."""

from collections.abc import Iterator

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload


def payloads_in(message: Message) -> Iterator[Payload]:
    """Go through all payloads of a message, but for those that Temporal itself has to read."""
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.name in {"search_attributes", "indexed_fields"} or field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            members = [value[key] for key in value if isinstance(value[key], Message)]
        else:
            members = list(value) if field.is_repeated else [value]
        for member in members:
            yield from payloads_in(member)
