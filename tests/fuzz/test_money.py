"""New stories for the payment service each time, for as long as one has patience."""

import os

import pytest
from hypothesis import Phase, settings

from tests.payment.money_machine import tell_stories

pytestmark = [pytest.mark.heavy, pytest.mark.fuzz, pytest.mark.timeout(24 * 3600)]
STORIES = int(os.environ.get("RECOURSE_FUZZ_STORIES", "50"))


def test_no_story_makes_service_and_model_differ(postgres_url, tmp_path, secrets):
    """The story that does is told again shorter."""
    other = settings(max_examples=STORIES, stateful_step_count=50, phases=[Phase.generate, Phase.shrink])
    tell_stories(postgres_url, tmp_path, secrets, other)
