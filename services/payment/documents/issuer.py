"""What the tax office of a country does for invoices that only it may number."""

from datetime import datetime
from typing import Protocol

from services.domain.red_letter import RedForm, RedReason


class TaxIssuer(Protocol):
    """Gives blue invoices their number, and takes them back by red letters."""

    async def issue_blue(self, serial: str, amount: int, buyer_tax_id: str) -> str:
        """Return the number of the blue invoice asked for under ``serial``, the same for every repeat.

        Raises:
            IdempotencyConflict: If the serial stands for another invoice.
            DependencyUnavailable: If the outcome is unknown; ask again.
        """

    async def enter(
        self, serial: str, blue_number: str, amount: int, reason: RedReason, at: datetime
    ) -> RedForm:
        """Enter a form as the seller, once per ``serial``.

        Raises:
            InvoiceNotFound: If there is no such blue invoice.
            CreditExceedsInvoice: If live forms would take back more than it.
            IdempotencyConflict: If the serial stands for another form.
            DependencyUnavailable: If the outcome is unknown; ask again.
        """

    async def look_up(self, serial: str, at: datetime) -> RedForm:
        """Return a form as it stands at that time.

        Raises:
            InvoiceNotFound: If there is none.
        """

    async def withdraw(self, serial: str, at: datetime) -> RedForm:
        """Take a form back that waits.

        Raises:
            RedLetterNotConfirmed: If it has its answer already.
        """

    async def issue_red(self, serial: str, at: datetime) -> RedForm:
        """Issue the red invoice of a form that needs no confirmation, or has it; the same for every repeat.

        Raises:
            RedLetterNotConfirmed: If the form waits, or will never be confirmed.
        """
