"""How mail is queued, when it is tried again, and how many deliveries run at once."""

from pillarbox.config.parameter import parameter, settings_group
from pillarbox.config.value_types import MatchList, Seconds


@settings_group
class QueueManager:
    """Queue, retry schedule, concurrency and transports."""

    queue_run_delay: Seconds = parameter("300s", minimum=1, doc="Time between scans of the deferred queue.")
    minimal_backoff_time: Seconds = parameter(
        "300s",
        minimum=1,
        doc="Shortest time between two attempts to deliver a message; also how long a destination that "
        "did not answer is left alone.",
    )
    maximal_backoff_time: Seconds = parameter(
        "4000s", minimum=1, doc="Longest time between two attempts to deliver a message."
    )
    maximal_queue_lifetime: Seconds = parameter(
        "5d",
        minimum=0,
        maximum=8640000,
        doc="Age at which undelivered mail goes back to its sender. With 0 there is one attempt.",
    )
    bounce_queue_lifetime: Seconds = parameter(
        "5d",
        minimum=0,
        maximum=8640000,
        doc="Age at which mail with the null sender is given up. With 0 there is one attempt.",
    )
    delay_warning_time: Seconds = parameter(
        "0h",
        minimum=0,
        doc="Age at which the sender is told that the message is still waiting. 0h: no such notice.",
    )
    confirm_delay_cleared: bool = parameter(
        "no", doc="Tell a sender who was warned of a delay when the message has been delivered after all."
    )
    transport_retry_time: Seconds = parameter(
        "60s", minimum=1, doc="Time after which a delivery agent that could not be used is tried again."
    )
    defer_transports: tuple[str, ...] = parameter(
        "", doc="Transports whose mail waits until somebody flushes the queue."
    )
    qmgr_message_active_limit: int = parameter(
        "20000", minimum=1, doc="Messages in the active queue; the others wait in incoming and deferred."
    )
    qmgr_clog_warn_time: Seconds = parameter(
        "300s",
        doc="Warn this often at most of a destination whose mail is more than a fifth of what the active queue may "
        "hold. 0: never.",
    )
    qmgr_message_recipient_limit: int = parameter(
        "20000",
        minimum=1,
        doc="Recipients held in memory over all messages of the active queue. No message becomes active while "
        "there are so many; of one that does as many are read as are missing, up to 5000.",
    )
    qmgr_message_recipient_minimum: int = parameter(
        "10",
        minimum=1,
        doc="Recipients of each active message that are held in memory whatever the limits say.",
    )
    default_recipient_limit: int = parameter(
        "20000",
        minimum=0,
        doc="Recipients of a transport up to which more are read of the oldest message that has not been read to "
        "its end. A transport's own limit is TRANSPORT_recipient_limit.",
    )
    default_extra_recipient_limit: int = parameter(
        "1000",
        minimum=0,
        doc="Recipients that may be held in memory beyond default_recipient_limit, of messages that have overtaken "
        "larger ones; each gets half of what is left. A transport's own limit is TRANSPORT_extra_recipient_limit.",
    )
    default_recipient_refill_limit: int = parameter(
        "100",
        minimum=1,
        doc="More recipients of a message are read when there is room for so many. A transport's own limit is "
        "TRANSPORT_recipient_refill_limit.",
    )
    default_recipient_refill_delay: Seconds = parameter(
        "5s",
        minimum=1,
        doc="Time after which more recipients are read if there is room for any. A transport's own is "
        "TRANSPORT_recipient_refill_delay.",
    )
    dont_remove: int = parameter(
        "0",
        minimum=0,
        doc="Not 0: keep the queue files of finished messages in the directory saved. For tests.",
    )
    in_flow_delay: Seconds = parameter(
        "1s",
        minimum=0,
        maximum=10,
        doc="Longest pause before a message is taken from a client while the active queue is full and more than "
        "default_process_limit messages wait in incoming. 0: none.",
    )
    hash_queue_names: tuple[str, ...] = parameter(
        "deferred, defer", doc="Queue directories that are split into subdirectories."
    )
    hash_queue_depth: int = parameter(
        "1", minimum=1, maximum=16, doc="Levels of subdirectories in the directories of hash_queue_names."
    )
    enable_long_queue_ids: bool = parameter(
        "no",
        doc="Queue ids that are not used again for decades, instead of short ones made from the inode "
        "number.",
    )
    initial_destination_concurrency: int = parameter(
        "5",
        minimum=1,
        doc="Deliveries to one destination that are begun at once before anything is known of it.",
    )
    default_destination_concurrency_limit: int = parameter(
        "20",
        minimum=0,
        doc="Most deliveries to one destination at once. A transport's own limit is "
        "TRANSPORT_destination_concurrency_limit. 0: no limit.",
    )
    default_destination_recipient_limit: int = parameter(
        "50",
        minimum=0,
        doc="Most recipients in one delivery. A transport's own limit is "
        "TRANSPORT_destination_recipient_limit. 1 also means that a destination is a recipient, not a "
        "domain.",
    )
    local_destination_concurrency_limit: int = parameter(
        "2", minimum=0, doc="Most deliveries to one local user at once."
    )
    local_destination_recipient_limit: int = parameter(
        "1", minimum=0, doc="Most recipients in one local delivery."
    )
    default_destination_concurrency_positive_feedback: str = parameter(
        "1",
        doc="How much a good delivery adds to a destination's concurrency: a number, number/concurrency "
        "or number/sqrt_concurrency.",
    )
    default_destination_concurrency_negative_feedback: str = parameter(
        "1",
        doc="How much a failure to connect takes from a destination's concurrency; written as for success.",
    )
    default_destination_concurrency_failed_cohort_limit: int = parameter(
        "1",
        minimum=0,
        doc="Failures, counted in full rounds of concurrent deliveries, after which a destination is "
        "taken to be dead. 0: never.",
    )
    default_destination_rate_delay: Seconds = parameter(
        "0s",
        minimum=0,
        doc="Pause between two deliveries to one destination, which are then done one by one.",
    )
    default_transport_rate_delay: Seconds = parameter(
        "0s",
        minimum=0,
        doc="Pause between two deliveries over one transport, which are then done one by one.",
    )
    default_process_limit: int = parameter(
        "100",
        minimum=1,
        doc="Process limit of a service whose master.cf line has none. A service here is not a crowd of "
        "processes: the number caps how many sessions or deliveries it runs at once.",
    )
    default_transport: str = parameter(
        "smtp",
        doc="transport:nexthop for destinations that are not ours. The nexthop may be left out: it is "
        "then the recipient's domain.",
    )
    local_transport: str = parameter(
        "local:$myhostname", doc="transport:nexthop for the domains of mydestination and for our addresses."
    )
    virtual_transport: str = parameter(
        "virtual", doc="transport:nexthop for the domains of virtual_mailbox_domains."
    )
    relay_transport: str = parameter("relay", doc="transport:nexthop for the domains of relay_domains.")
    relayhost: str = parameter(
        "",
        doc="Host or domain that gets all mail for destinations that are not ours. Brackets, as in "
        "[mx.example.org]:587, stop the MX lookup.",
    )
    soft_bounce: bool = parameter(
        "no",
        doc="Keep mail queued that would otherwise be returned, and answer 4xx instead of 5xx. For tests.",
    )
    notify_classes: tuple[str, ...] = parameter(
        "resource, software",
        words=("bounce", "2bounce", "data", "delay", "policy", "protocol", "resource", "software"),
        doc="Which problems postmaster hears of: bounce, 2bounce, data, delay, policy, protocol, "
        "resource, software.",
    )
    bounce_size_limit: int = parameter(
        "50000",
        minimum=1,
        doc="Octets of an undelivered message that go back with the notice; of a larger one, only the "
        "header.",
    )
    bounce_template_file: str = parameter(
        "", doc="File with texts of notices in place of the built-in ones, as bounce(5) has it."
    )
    bounce_notice_recipient: str = parameter(
        "postmaster", doc="Who gets copies of bounces, if notify_classes has bounce."
    )
    two_bounce_notice_recipient: str = parameter(
        "postmaster",
        name="2bounce_notice_recipient",
        doc="Who gets mail that could neither be delivered nor returned, if notify_classes has 2bounce.",
    )
    delay_notice_recipient: str = parameter(
        "postmaster", doc="Who gets copies of delay notices, if notify_classes has delay."
    )
    error_notice_recipient: str = parameter(
        "postmaster", doc="Who hears of policy, protocol, resource and software problems, by notify_classes."
    )
    empty_address_recipient: str = parameter(
        "MAILER-DAEMON", doc="The recipient that stands for the null address, <>."
    )
    enable_threaded_bounces: bool = parameter(
        "no", doc="Link notices to the message that they are about, by References: and In-Reply-To:."
    )
    default_verp_delimiters: str = parameter(
        "+=", doc="The two characters of senders that sendmail -XV or XVERP makes for each recipient."
    )
    verp_delimiter_filter: str = parameter("-=+", doc="Characters that may be chosen as such delimiters.")
    disable_verp_bounces: bool = parameter(
        "no", doc="Send one bounce to the sender as it was given, not one for each recipient to its own."
    )
    enable_original_recipient: bool = parameter(
        "yes",
        doc="Write X-Original-To: into what is delivered, and queue a recipient again that comes to the same "
        "address under another name. With no, the header is not written, and each address is queued once.",
    )
    default_delivery_slot_cost: int = parameter(
        "5",
        minimum=0,
        doc="Deliveries of a message that earn a slot, in which one delivery of a smaller message can go first. 0: "
        "no message is overtaken. A transport's own: TRANSPORT_delivery_slot_cost.",
    )
    default_delivery_slot_loan: int = parameter(
        "3",
        minimum=0,
        doc="Slots by which a message may be overtaken before it has earned them. A transport's own: "
        "TRANSPORT_delivery_slot_loan.",
    )
    default_delivery_slot_discount: int = parameter(
        "50",
        minimum=0,
        maximum=100,
        doc="Percent of the slots it needs that an overtaking message does not have to wait for. A transport's "
        "own: TRANSPORT_delivery_slot_discount.",
    )
    default_minimum_delivery_slots: int = parameter(
        "3",
        minimum=0,
        doc="Slots that a message must be able to earn to be overtaken at all. A transport's own: "
        "TRANSPORT_minimum_delivery_slots.",
    )
    destination_concurrency_feedback_debug: bool = parameter(
        "no",
        doc="Log each step of how many deliveries to a destination may run at once (scheduling/concurrency.py).",
    )
    fast_flush_domains: MatchList = parameter(
        "$relay_domains",
        doc="Domains, and by default their subdomains, whose deferred mail can be asked for with `postqueue -s` "
        "and the SMTP command ETRN. Which messages they have is noted in flush/ when mail is deferred.",
    )
    fast_flush_refresh_time: Seconds = parameter(
        "12h",
        minimum=1,
        doc="After this time without a request, a site's list of deferred messages is rid of those that have gone.",
    )
    fast_flush_purge_time: Seconds = parameter(
        "7d",
        minimum=1,
        doc="After this time, a site's empty list is removed.",
    )
