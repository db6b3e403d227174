"""What goes wrong on an event loop where nobody waits for it, in the log.

DESCRIPTION
    asyncio tells standard error of it, which goes nowhere in a daemon: an exception in a callback, a task's that is
    never asked for.
    The same line is told once a second at the most.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from pillarbox.observability.events import EventSink, Warned
from pillarbox.observability.mistakes import mistakes


def tell_loop_mistakes(
    loop: asyncio.AbstractEventLoop, tell: EventSink, *, now: Callable[[], float] = time.monotonic
) -> None:
    """From now on `tell` hears of them, as `warning: panic: …`."""
    told: dict[str, float] = {}

    def hear(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and "transport" in context:
            return  # a connection that broke: its protocol hears of it
        for mistake in [str(context["message"])] if error is None else mistakes(error):
            text = f"panic: {mistake}"
            if now() - told.get(text, float("-inf")) >= 1:
                told.clear()  # whatever else was told is long ago, or may be told again
                told[text] = now()
                tell(Warned(text))

    loop.set_exception_handler(hear)
