"""How the supervisor keeps processes running."""

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import Seconds


@settings_group
class Processes:
    """Starting processes again."""

    service_throttle_time: Seconds = parameter(
        "60s",
        minimum=1,
        doc="Longest time to wait before a process that ends again and again is started once more.",
    )
