"""The whole payment service against a model of what it ought to say, in stories of any order."""

import pytest
from hypothesis import Phase, settings

from tests.payment.money_machine import tell_stories


@pytest.mark.timeout(600)
def test_the_service_says_what_the_model_says_whatever_happens(postgres_url, tmp_path, secrets):
    """The same stories each time; `make fuzz` looks for others, and shortens what it finds."""
    same = settings(max_examples=10, stateful_step_count=25, derandomize=True, phases=[Phase.generate])
    tell_stories(postgres_url, tmp_path, secrets, same)
