"""What imapclient does in a day with a mailbox; run by an interpreter that has it: HOST PORT USER PASSWORD."""

import sys

import imapclient

host, port, user, password = sys.argv[1:5]
client = imapclient.IMAPClient(host, port=int(port), ssl=False, use_uid=True, timeout=60)
client.login(user, password)
client.id_({"name": "imapclient"})
assert client.has_capability("IDLE"), client.capabilities()
assert client.namespace().personal == (("", "/"),), client.namespace()
client.create_folder("Entwürfe & mehr")
assert "Entwürfe & mehr" in [name for _, _, name in client.list_folders()]
client.subscribe_folder("Entwürfe & mehr")
assert "Entwürfe & mehr" in [name for _, _, name in client.list_sub_folders()]
state = client.select_folder("INBOX")
assert state[b"EXISTS"] == 3, state
assert state[b"UIDNEXT"] == 4, state
assert client.search(["SUBJECT", "number 1"]) == [2]
assert client.search("UNSEEN", charset="UTF-8") == [1, 2, 3]
assert client.sort("REVERSE SUBJECT") == [3, 2, 1]
assert len(client.thread("REFERENCES")) == 3
found = client.fetch([1, 2, 3], ["ENVELOPE", "BODYSTRUCTURE", "FLAGS", "RFC822.SIZE", "INTERNALDATE"])
assert [found[uid][b"ENVELOPE"].subject for uid in (1, 2, 3)] == [b"number 0", b"number 1", b"number 2"]
assert not found[1][b"BODYSTRUCTURE"].is_multipart
client.add_flags([1], [imapclient.SEEN, b"$Work"])
assert {imapclient.SEEN, b"$Work"} <= set(client.get_flags([1])[1])
client.remove_flags([1], [imapclient.SEEN])
client.copy([1], "Entwürfe & mehr")
client.move([2], "Entwürfe & mehr")
assert client.folder_status("Entwürfe & mehr", ["MESSAGES", "UNSEEN"]) == {b"MESSAGES": 2, b"UNSEEN": 2}
answer = client.append("INBOX", b"Subject: appended\r\n\r\nx\r\n", flags=[imapclient.FLAGGED])
assert b"APPENDUID" in answer, answer
client.noop()
client.idle()
watcher = imapclient.IMAPClient(host, port=int(port), ssl=False, timeout=60)
watcher.login(user, password)
watcher.append("INBOX", b"Subject: pushed\r\n\r\nx\r\n")
pushed = []
while (5, b"EXISTS") not in pushed and (4, b"EXISTS") not in pushed:
    said = client.idle_check(timeout=60)
    assert said, "nothing is pushed"
    pushed += said
client.idle_done()
client.delete_messages([3])
client.uid_expunge([3])
assert 3 not in client.search()
with_modseq = client.search(["MODSEQ", "1"])
assert with_modseq.modseq, with_modseq
client.unselect_folder()
client.rename_folder("Entwürfe & mehr", "Später")
client.delete_folder("Später")
watcher.logout()
client.logout()
