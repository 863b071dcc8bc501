"""The order service needs nothing but what every service has."""

from services.platform.settings import ServiceSettings


class OrderSettings(ServiceSettings):
    """See `ServiceSettings`."""
