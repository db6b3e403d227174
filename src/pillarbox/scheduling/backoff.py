"""When to try again, and when to give up: Postfix's arithmetic.

DESCRIPTION
    The next attempt comes after as long as the message has waited already, within minimal_backoff_time and
    maximal_backoff_time: a function of its age, so that nothing has to be counted.

STANDARDS
    RFC 5321 §4.5.4.1 (retry strategy); postconf(5), minimal_backoff_time
"""


def next_attempt(*, now: float, created: float, minimal_backoff: float, maximal_backoff: float) -> float:
    """Time of the next attempt (seconds since 1970) for a message that was deferred now."""
    return now + min(max(now - created, minimal_backoff), maximal_backoff)


def is_expired(
    *, now: float, created: float, is_bounce: bool, queue_lifetime: float, bounce_lifetime: float
) -> bool:
    """Whether the message has waited long enough; a lifetime of 0 means one attempt.

    A bounce is not kept longer than other mail, whatever its lifetime.
    """
    return now - created >= (min(bounce_lifetime, queue_lifetime) if is_bounce else queue_lifetime)
