"""What the payment service is told by its environment."""

from pathlib import Path

from services.platform.settings import ServiceSettings


class PaymentSettings(ServiceSettings):
    """``provider_seconds`` bounds every call to a provider.

    ``sellers_file`` says who sells in which store; ``notes_seconds`` is how often is looked for notes due.
    """

    provider_seconds: float = 30.0
    sellers_file: Path = Path("deploy/sellers.yaml")
    notes_seconds: float = 1.0
