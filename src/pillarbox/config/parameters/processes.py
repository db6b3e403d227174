"""Which services the supervisor serves, and how it keeps processes running."""

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import Seconds


@settings_group
class Processes:
    """Services that are off, and starting processes again."""

    service_throttle_time: Seconds = parameter(
        "60s",
        minimum=1,
        doc="Longest time to wait before a process that ends again and again is started once more.",
    )
    max_idle: Seconds = parameter(
        "100s",
        minimum=1,
        doc="How long anvil's statistics wait when the last client has gone, twice: for smtpd and for anvil, which "
        "would end then. Processes here do not end for want of clients.",
    )
    master_service_disable: tuple[str, ...] = parameter(
        "",
        doc="Services of master.cf that are off: types (`inet`), or `name/type`. The first match counts; `!` "
        "before one says that it is on.",
    )
