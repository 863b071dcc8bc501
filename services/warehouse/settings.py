"""What the warehouse service is told by its environment."""

from typing import Literal

from services.domain.order import Address
from services.platform.settings import ServiceSettings


class WarehouseSettings(ServiceSettings):
    """``return_address`` is where goods go back to (JSON in the environment)."""

    carrier: Literal["sandbox"] = "sandbox"
    return_address: Address = Address(
        name="Returns", line1="1 Returns Way", city="Manchester", postal_code="M1 1AE", country="GB"
    )
