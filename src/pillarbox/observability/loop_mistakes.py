"""What goes wrong on an event loop where nobody waits for it, in the log.

DESCRIPTION
    asyncio tells standard error of it, which goes nowhere in a daemon: an exception in a callback, a task's that is
    never asked for.
    The same line is told once a second at the most, unless very many others come between.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from pillarbox.observability.events import EventSink, Warned
from pillarbox.observability.mistakes import mistakes

_REMEMBERED: Final = 100
"""Lines of a second."""


def tell_loop_mistakes(
    loop: asyncio.AbstractEventLoop, tell: EventSink, *, now: Callable[[], float] = time.monotonic
) -> None:
    """From now on `tell` hears of them, as `warning: panic: …`."""
    told: dict[str, float] = {}

    def hear(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, OSError) and "transport" in context:
            return  # a connection that broke: its protocol hears of it
        moment = now()
        for text in [text for text, then in told.items() if moment - then >= 1]:
            del told[text]
        for mistake in [str(context["message"])] if error is None else mistakes(error):
            text = f"panic: {mistake}"
            if text not in told:
                if len(told) >= _REMEMBERED:
                    told.clear()
                told[text] = moment
                tell(Warned(text))

    loop.set_exception_handler(hear)
