"""What aioimaplib does in a day with a mailbox; run by an interpreter that has it: HOST PORT USER PASSWORD."""

import asyncio
import sys

from aioimaplib import aioimaplib

host, port, user, password = sys.argv[1:5]


async def connected() -> aioimaplib.IMAP4:
    """A session with INBOX selected."""
    client = aioimaplib.IMAP4(host, int(port), timeout=60)
    await client.wait_hello_from_server()
    assert (await client.login(user, password)).result == "OK"
    assert (await client.select("INBOX")).result == "OK"
    return client


async def day() -> None:
    """Everything."""
    client = await connected()
    assert client.has_capability("UIDPLUS")
    assert (await client.search("ALL")).lines[0] == b"1 2 3"
    fetched = await client.uid("fetch", "1:3", "(UID FLAGS BODY.PEEK[])")
    assert sum(b"Subject: number" in bytes(line) for line in fetched.lines) == 3
    assert (await client.uid("store", "1", "+FLAGS", r"(\Flagged)")).result == "OK"
    assert (await client.create("Elsewhere")).result == "OK"
    assert (await client.uid("move", "2", "Elsewhere")).result == "OK"
    status = await client.status("Elsewhere", "(MESSAGES UIDNEXT)")
    assert b"MESSAGES 1" in status.lines[0], status
    assert (
        await client.append(b"Subject: appended\r\n\r\nx\r\n", mailbox="INBOX", flags=r"(\Seen)")
    ).result == "OK"
    other = await connected()
    idle = await client.idle_start(timeout=60)
    assert (await other.append(b"Subject: pushed\r\n\r\nx\r\n", mailbox="INBOX")).result == "OK"
    while not any(b"EXISTS" in line for line in await client.wait_server_push(timeout=60)):
        pass
    client.idle_done()
    async with asyncio.timeout(60):
        await idle
    assert (await client.uid("store", "3", "+FLAGS", r"(\Deleted)")).result == "OK"
    assert b"EXPUNGE" in (await client.expunge()).lines[0]
    assert (await client.namespace()).result == "OK"
    assert (await client.logout()).result == "OK"
    assert (await other.logout()).result == "OK"


asyncio.run(day())
