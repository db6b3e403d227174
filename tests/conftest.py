"""Settings for every test: examples are the same in every run; what runs beside what; the end of the run."""

import pytest
from hypothesis import HealthCheck, settings

from fakes.closing_report import ClosingReport
from fakes.process_groups import scheduling

settings.register_profile(
    "quick", derandomize=True, max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("quick")


def pytest_configure(config: pytest.Config) -> None:
    """Have the closing report."""
    config.pluginmanager.register(ClosingReport())


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """`--dist loadscope` has groups that share a started system."""
    return scheduling(config, log) if config.getoption("dist") == "loadscope" else None
