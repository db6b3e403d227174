"""How many deliveries to one destination may run at once: Postfix's feedback arithmetic.

DESCRIPTION
    A destination begins with initial_destination_concurrency.  Each delivery that reaches the site adds the
    positive feedback, each failure to reach it takes the negative feedback away; a whole step changes the window
    by one.
    A step is taken when half a feedback is missing to it, and the first step down at the first failure: one of the
    whole size then goes two steps down, those that follow it one each, until there was a step up.
    Failures are also counted in pseudo-cohorts (1/window each); after `failed_cohort_limit` of them the
    destination is dead: its window is 0 until somebody revives it.

    Feedback is a number, number/number, number/concurrency or number/sqrt_concurrency.

FAULTS
    ValueError  feedback that is written in no such way, or is not in 0 … 1

STANDARDS
    SCHEDULER_README of Postfix, "Concurrency scheduling"
"""

import math
import re
from collections.abc import Callable
from typing import Final, Literal

import msgspec

_NUMBER: Final = r"(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(?:[eE][-+]?[0-9]{1,2})?"
_FEEDBACK: Final = re.compile(
    rf"\s*({_NUMBER})(?:\s*/\s*(?:({_NUMBER})|(concurrency|sqrt_concurrency)))?", re.ASCII | re.IGNORECASE
)


class Feedback(msgspec.Struct, frozen=True):
    """A number, perhaps divided by the window or its square root."""

    number: float
    divisor: Literal["", "concurrency", "sqrt_concurrency"] = ""

    def at(self, window: int) -> float:
        """The feedback of one delivery."""
        if not self.divisor:
            return self.number
        return self.number / (window if self.divisor == "concurrency" else math.sqrt(window))


def read_feedback(text: str) -> Feedback:
    """`1`, `0.5`, `1/5`, `1/concurrency`, `1 / sqrt_concurrency`.  ValueError."""
    match = _FEEDBACK.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is no feedback: number, number/concurrency or number/sqrt_concurrency')
    number = float(match[1])
    if match[2]:
        number = number / float(match[2]) if float(match[2]) else math.inf
    if not 0 <= number <= 1:
        raise ValueError(f'feedback "{text}" is not in 0 to 1')
    if not match[3]:
        return Feedback(number)
    return Feedback(number, "concurrency" if match[3].lower() == "concurrency" else "sqrt_concurrency")


class ConcurrencyRules(msgspec.Struct, frozen=True, kw_only=True):
    """What a transport says of each of its destinations."""

    initial: int = 5
    limit: int = 20  # 0: none
    positive: Feedback = Feedback(1)
    negative: Feedback = Feedback(1)
    failed_cohort_limit: float = 1  # 0: never dead


_UP: Final = "qmgr_queue_unthrottle"
_DOWN: Final = "qmgr_queue_throttle"
"""What the steps are called in the log, as Postfix calls them."""


class Window:
    """The window of one destination."""

    def __init__(
        self, rules: ConcurrencyRules, *, name: str = "", tell: Callable[[str], None] | None = None
    ) -> None:
        """`tell` hears of each step, of the destination by its `name` (destination_concurrency_feedback_debug)."""
        self._rules = rules
        self._name = name
        self._tell = tell
        self.size = self._initial()
        self._success = self._failure = self._cohorts = 0.0

    @property
    def is_dead(self) -> bool:
        """Whether nothing is to be sent."""
        return self.size == 0

    def succeeded(self, busy: int) -> None:
        """A delivery reached the site; `busy` deliveries run, this one included."""
        rules = self._rules
        if self.is_dead:
            self.revive()
            return
        self._cohorts = 0.0
        # More is allowed only to who makes use of what is allowed already.
        if not (rules.limit and self.size >= rules.limit) and self.size < busy + rules.initial:
            feedback = rules.positive.at(self.size)
            if self._tell is not None:
                self._tell(f"{_UP}: feedback {feedback:g}")
            self._success += feedback
            while self._success + feedback / 2 >= 1:
                self.size += 1
                self._success -= 1
                self._failure = 0.0
            if rules.limit and self.size > rules.limit:
                self.size = rules.limit
        self._say(_UP)

    def failed(self) -> None:
        """A delivery did not reach the site."""
        rules = self._rules
        if self.is_dead:
            return
        self._cohorts += 1 / self.size
        if rules.failed_cohort_limit and self._cohorts >= rules.failed_cohort_limit:
            self.size = 0
            self._say(_DOWN)
            return
        feedback = rules.negative.at(self.size)
        if self._tell is not None:
            self._tell(f"{_DOWN}: feedback {feedback:g}")
        self._failure -= feedback
        while self._failure - feedback / 2 < 0:
            self.size -= 1
            self._failure += 1
            self._success = 0.0
        self.size = max(1, self.size)
        self._say(_DOWN)

    def revive(self) -> None:
        """Begin anew."""
        self.size = self._initial()
        self._success = self._failure = self._cohorts = 0.0
        self._say(_UP)

    def _say(self, step: str) -> None:
        if self._tell is not None:
            self._tell(
                f"{step}: queue {self._name}: limit {self._rules.limit} window {self.size} "
                f"success {self._success:g} failure {self._failure:g} fail_cohorts {self._cohorts:g}"
            )

    def _initial(self) -> int:
        limit = self._rules.limit
        return min(self._rules.initial, limit) if limit else self._rules.initial
