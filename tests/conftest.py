"""Fixtures for all tests, by topic; and how properties are tried.

What lets a change in has to say the same of the same code: there, examples follow from the test alone, and no
machine is too slow for them. ``pytest --hypothesis-profile=search`` looks for new ones.
"""

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.services",
    "tests.fixtures.casework",
    "tests.fixtures.sandbox",
    "tests.fixtures.temporal",
    "tests.fixtures.stack",
]

settings.register_profile(
    "gate", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", settings.get_profile("gate"), derandomize=False, max_examples=1000)
settings.load_profile("gate")
