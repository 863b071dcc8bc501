"""Fixtures for all tests, by topic."""

pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.services",
    "tests.fixtures.casework",
    "tests.fixtures.sandbox",
    "tests.fixtures.temporal",
    "tests.fixtures.stack",
]
