"""Settings shared by all tests."""

from hypothesis import settings

# compilation on first use is slow and is not what a deadline is meant to catch
settings.register_profile("secondlight", deadline=None)
settings.load_profile("secondlight")
