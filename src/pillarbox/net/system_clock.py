"""The operating system's clock."""

import time


class SystemClock:
    """`vocabulary.clock.Clock` from the kernel."""

    now = staticmethod(time.time)  # noqa: TID251 - this is the Clock
    """Seconds since 1970-01-01 UTC."""

    monotonic = staticmethod(time.monotonic)
    """Seconds since boot."""

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` go by."""
        import asyncio  # every command has a clock, and none of them sleeps in a loop

        await asyncio.sleep(seconds)
