// What imapflow does in a day with a mailbox: HOST PORT USER PASSWORD; NODE_PATH is not asked, so the module's path
// comes fifth.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [host, port, user, pass, modules] = process.argv.slice(2);
const { ImapFlow } = createRequire(modules + "/")("imapflow");
const open = () =>
  new ImapFlow({ host, port: Number(port), secure: false, tls: { rejectUnauthorized: false }, auth: { user, pass },
    logger: false, qresync: true });

const client = open();
await client.connect();
assert.ok(client.enabled.has("CONDSTORE") || client.capabilities.has("CONDSTORE"));
assert.equal((await client.mailboxCreate("Entwürfe/Später")).created, true);
assert.ok((await client.list({ statusQuery: { messages: true } })).some(box => box.path === "Entwürfe/Später"));
let lock = await client.getMailboxLock("INBOX");
assert.equal(client.mailbox.exists, 3);
const subjects = [];
for await (const message of client.fetch("1:*", { envelope: true, bodyStructure: true, flags: true, uid: true,
    size: true, internalDate: true, headers: ["subject"], emailId: true, threadId: true, labels: false })) {
  subjects.push(message.envelope.subject);
  assert.equal(message.bodyStructure.type, "text/plain");
}
assert.deepEqual(subjects, ["number 0", "number 1", "number 2"]);
assert.deepEqual(await client.search({ subject: "number 1" }, { uid: true }), [2]);
assert.deepEqual(await client.search({ or: [{ seen: true }, { from: "example.org" }] }), [1, 2, 3]);
const { content } = await client.download("1", undefined, { uid: true });
let text = "";
for await (const chunk of content) text += chunk;
assert.match(text, /body 0/);
assert.equal(await client.messageFlagsAdd("1", ["\\Flagged", "$Work"], { uid: true }), true);
assert.ok((await client.fetchOne("1", { flags: true }, { uid: true })).flags.has("$Work"));
assert.equal((await client.messageMove("2", "Entwürfe/Später", { uid: true })).uidMap.get(2), 1);
assert.equal((await client.messageCopy("1", "Entwürfe/Später", { uid: true })).uidMap.get(1), 2);
assert.equal((await client.append("INBOX", "Subject: appended\r\n\r\nx\r\n", ["\\Seen"], new Date())).destination, "INBOX");
assert.equal((await client.status("Entwürfe/Später", { messages: true, unseen: true })).messages, 2);
const other = open();
await other.connect();
const before = client.mailbox.exists;
const pushed = new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error("nothing is pushed")), 15000).unref();
  client.on("exists", resolve);
});
const idling = client.idle();
await other.append("INBOX", "Subject: pushed\r\n\r\nx\r\n");
assert.equal((await pushed).count, before + 1);
await client.noop();
await idling;
assert.equal(await client.messageDelete("3", { uid: true }), true);
assert.deepEqual(await client.search({ uid: "3" }, { uid: true }), []);
lock.release();
assert.equal((await client.mailboxRename("Entwürfe/Später", "Fertig")).newPath, "Fertig");
assert.equal((await client.mailboxDelete("Fertig")).path, "Fertig");
await other.logout();
await client.logout();
