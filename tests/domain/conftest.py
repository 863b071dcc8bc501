"""Properties are tried on the same examples every time, however slow the machine is."""

from hypothesis import settings

settings.register_profile("domain", deadline=None, derandomize=True)
settings.load_profile("domain")
