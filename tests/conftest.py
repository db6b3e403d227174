"""Settings for every test: hypothesis makes the same examples in every run."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick", derandomize=True, max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("quick")
