"""Whether an address exists: probes, what is remembered of them, and what the SMTP server makes of it."""

from typing import Literal

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import Seconds


@settings_group
class AddressVerification:
    """reject_unverified_sender and reject_unverified_recipient (ADDRESS_VERIFICATION_README)."""

    default_cache_db_type: str = parameter("lmdb", doc="Type of the databases that caches are kept in.")
    address_verify_map: str = parameter(
        "$default_cache_db_type:$data_directory/verify_cache",
        doc="Database in which results of probes are kept: btree:, hash: or lmdb: and a name. Empty: in memory.",
    )
    address_verify_sender: str = parameter(
        "$double_bounce_sender",
        doc="Sender of probes, completed with $myorigin; <> or empty is the null sender. Mail to this address is "
        "always accepted.",
    )
    address_verify_sender_ttl: Seconds = parameter(
        "0s",
        doc="Time after which the sender of probes changes, by a mark at the end of its local part. 0s: never.",
    )
    address_verify_service_name: str = parameter(
        "verify", doc="Name of the socket, below queue_directory/private, at which results are asked for."
    )
    address_verify_poll_count: int = parameter(
        "${stress?{1}:{3}}", minimum=1, doc="How often the SMTP server looks whether a probe has come back."
    )
    address_verify_poll_delay: Seconds = parameter(
        "3s",
        minimum=1,
        doc="Time between two looks, together the longest that a client waits: the answer is given as soon as the "
        "probe is back.",
    )
    address_verify_positive_expire_time: Seconds = parameter(
        "31d",
        minimum=1,
        doc="Time for which an address that exists is remembered without a new probe that succeeds.",
    )
    address_verify_positive_refresh_time: Seconds = parameter(
        "7d", minimum=1, doc="Age of such a result from which on the next question sends a new probe."
    )
    address_verify_negative_cache: bool = parameter("yes", doc="Remember that a probe failed.")
    address_verify_negative_expire_time: Seconds = parameter(
        "3d", minimum=1, doc="Time for which an address that failed is remembered."
    )
    address_verify_negative_refresh_time: Seconds = parameter(
        "3h", minimum=1, doc="Age of such a result from which on the next question sends a new probe."
    )
    address_verify_cache_cleanup_interval: Seconds = parameter(
        "12h", doc="Time between two removals of what has expired. 0s: never."
    )
    address_verify_pending_request_limit: int = parameter(
        "5000",
        minimum=1,
        doc="Probes that may be under way; addresses beyond that are not probed for the moment.",
    )
    address_verify_local_transport: str = parameter(
        "$local_transport", doc="For probes instead of local_transport."
    )
    address_verify_virtual_transport: str = parameter(
        "$virtual_transport", doc="For probes instead of virtual_transport."
    )
    address_verify_relay_transport: str = parameter(
        "$relay_transport", doc="For probes instead of relay_transport."
    )
    address_verify_default_transport: str = parameter(
        "$default_transport", doc="For probes instead of default_transport."
    )
    address_verify_relayhost: str = parameter("$relayhost", doc="For probes instead of relayhost.")
    address_verify_transport_maps: tuple[str, ...] = parameter(
        "$transport_maps", doc="For probes instead of transport_maps."
    )
    address_verify_sender_dependent_relayhost_maps: tuple[str, ...] = parameter(
        "$sender_dependent_relayhost_maps", doc="For probes instead of sender_dependent_relayhost_maps."
    )
    address_verify_sender_dependent_default_transport_maps: tuple[str, ...] = parameter(
        "$sender_dependent_default_transport_maps",
        doc="For probes instead of sender_dependent_default_transport_maps.",
    )
    unverified_sender_reject_code: int = parameter(
        "450", minimum=200, maximum=599, doc="Reply code for a sender whose probe failed. 250: accept."
    )
    unverified_sender_defer_code: int = parameter(
        "450",
        minimum=200,
        maximum=599,
        doc="Reply code for a sender of whom nothing is known yet. 250: accept.",
    )
    unverified_sender_reject_reason: str = parameter(
        "", doc="Text of the reply instead of what the probe was told."
    )
    unverified_sender_tempfail_action: Literal["defer", "defer_if_permit"] = parameter(
        "$reject_tempfail_action",
        doc="What a reply with a 4xx code does: defer at once, or if nothing else refuses.",
    )
    unverified_recipient_reject_code: int = parameter(
        "450", minimum=200, maximum=599, doc="Reply code for a recipient whose probe failed. 250: accept."
    )
    unverified_recipient_defer_code: int = parameter(
        "450",
        minimum=200,
        maximum=599,
        doc="Reply code for a recipient of whom nothing is known yet. 250: accept.",
    )
    unverified_recipient_reject_reason: str = parameter(
        "", doc="Text of the reply instead of what the probe was told."
    )
    unverified_recipient_tempfail_action: Literal["defer", "defer_if_permit"] = parameter(
        "$reject_tempfail_action",
        doc="What a reply with a 4xx code does: defer at once, or if nothing else refuses.",
    )
