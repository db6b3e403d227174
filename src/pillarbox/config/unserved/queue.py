"""Queue and bounces: parameters that are known and not served."""

from typing import Final

from pillarbox.config.treatment import Kind, Section

SECTIONS: Final[tuple[Section, ...]] = (
    Section(
        Kind.LATER,
        "bounces cannot be shaped this way yet",
        """
backwards_bounce_logfile_compatibility = yes
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "a queue file gets the attributes that its sender's program may give, of which there are fewer",
        """
queue_file_attribute_count_limit = 100
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "there is no process to be asked",
        """
qmgr_daemon_timeout = 1000s
qmgr_fudge_factor = 100
qmgr_ipc_timeout = 60s
""",
    ),
)
