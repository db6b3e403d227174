"""Local delivery: parameters that are known and not served."""

from typing import Final

from pillarbox.config.treatment import Kind, Section

SECTIONS: Final[tuple[Section, ...]] = (
    Section(
        Kind.REFUSED,
        "local delivery does not look here yet, and mail would go elsewhere or be returned",
        """
fallback_transport =
fallback_transport_maps =
home_mailbox =
luser_relay =
mailbox_command =
mailbox_command_maps =
mailbox_transport =
mailbox_transport_maps =
""",
    ),
    Section(
        Kind.LATER,
        "local delivery is not served yet",
        """
allow_mail_to_commands = alias, forward
allow_mail_to_files = alias, forward
command_execution_directory =
command_expansion_filter = 1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ
command_time_limit = 1000s
default_delivery_status_filter =
deliver_lock_attempts = 20
deliver_lock_delay = 1s
execution_directory_expansion_filter =
    1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ
expand_owner_alias = no
forward_expansion_filter = 1234567890!@%-_=+:,./abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ
forward_path = $home/.forward${recipient_delimiter}${extension}, $home/.forward
frozen_delivered_to = yes
local_command_shell =
local_delivery_status_filter = $default_delivery_status_filter
mail_spool_directory = /var/mail
mailbox_delivery_lock = fcntl, dotlock
mailbox_size_limit = 51200000
owner_request_special = yes
pipe_delivery_status_filter = $default_delivery_status_filter
prepend_delivered_header = command, file, forward
require_home_directory = no
reset_owner_alias = no
stale_lock_time = 500s
strict_mailbox_ownership = yes
virtual_delivery_status_filter = $default_delivery_status_filter
virtual_mailbox_lock = fcntl, dotlock
""",
    ),
    Section(
        Kind.NO_EFFECT,
        "the biff service of old terminals is not told of mail",
        """
biff = yes
""",
    ),
)
