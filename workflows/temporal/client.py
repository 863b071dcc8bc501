"""The one place that connects to Temporal."""

from dataclasses import replace

from temporalio.client import Client
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter, pydantic_data_converter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
)
from temporalio.runtime import Runtime

from services.platform.secrets import Secrets
from workflows.temporal.codec import SealedPayloads

# It keeps a validator per type. Each running workflow has a converter of its own, and would build them again.
_JSON = PydanticJSONPlainPayloadConverter()


class SharedValidators(CompositePayloadConverter):
    """Pydantic's converter, with one set of validators per process."""

    def __init__(self) -> None:
        super().__init__(
            *(
                _JSON if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


def data_converter(secrets: Secrets) -> DataConverter:
    """Return the converter of every client, worker and tool: pydantic's, sealed, failures included."""
    return replace(
        pydantic_data_converter,
        payload_converter_class=SharedValidators,
        payload_codec=SealedPayloads.of(secrets),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(
    address: str, secrets: Secrets, namespace: str = "default", runtime: Runtime | None = None
) -> Client:
    """Connect to the server at ``host:port``.

    Raises:
        RuntimeError: If it cannot be reached.
    """
    return await Client.connect(
        address, namespace=namespace, data_converter=data_converter(secrets), runtime=runtime
    )
