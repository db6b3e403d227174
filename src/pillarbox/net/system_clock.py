"""The operating system's clock."""

import time


class SystemClock:
    """`vocabulary.clock.Clock` from the kernel."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        return time.time()  # noqa: TID251 - this is the Clock

    def monotonic(self) -> float:
        """Seconds since boot."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` go by."""
        import asyncio  # every command has a clock, and none of them sleeps in a loop

        await asyncio.sleep(seconds)
