"""The two mail stores."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from fakes.store_scenes import Play, Scene
from pillarbox.mailstore.mailbox import (
    Account,
)
from pillarbox.mailstore.maildir.account import MaildirAccount
from pillarbox.mailstore.memory.account import MemoryAccount


@pytest.fixture(params=["maildir", "memory"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Play:
    """Run a scene with a fresh account."""

    def run(scene: Scene) -> None:
        async def perform() -> None:
            account: Account
            if request.param == "maildir":
                account = cast(Account, MaildirAccount(str(tmp_path / "Maildir")))
            else:
                account = cast(Account, MemoryAccount())
            await scene(account)
            await account.close()

        asyncio.run(perform())

    return run
