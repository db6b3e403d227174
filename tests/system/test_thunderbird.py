"""Thunderbird as a person uses it: set up an account, read, flag, move, delete, write; new mail appears by itself."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.mail_system import USER, MailSystem, until
from fakes.thunderbird import Thunderbird
from system.conftest import new_system

pytestmark = pytest.mark.system
# Where the picture goes for whoever wants to see it; otherwise it goes with the test's directory.
_PICTURES: Final = os.environ.get("PILLARBOX_PICTURES", "")

ACCOUNT: Final = """
const [user, password, imapPort, submissionPort] = given;
for (const scheme of ["imap", "smtp"]) {
  const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
  const origin = scheme + "://127.0.0.1";
  login.init(origin, null, origin, user, password, "", "");
  await Services.logins.addLoginAsync(login);
}
const server = MailServices.accounts.createIncomingServer(user, "127.0.0.1", "imap");
server.port = imapPort;
server.socketType = Ci.nsMsgSocketType.plain;
server.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
const outgoing = MailServices.outgoingServer.createServer("smtp").QueryInterface(Ci.nsISmtpServer);
outgoing.hostname = "127.0.0.1";
outgoing.port = submissionPort;
outgoing.socketType = Ci.nsMsgSocketType.plain;
outgoing.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
outgoing.username = user;
const identity = MailServices.accounts.createIdentity();
identity.email = user;
identity.fullName = "Me";
identity.smtpServerKey = outgoing.key;
const account = MailServices.accounts.createAccount();
account.incomingServer = server;
account.addIdentity(identity);
MailServices.accounts.defaultAccount = account;
server.getNewMessages(server.rootFolder, null, null);
await until(() => server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox), "INBOX is known");
await until(() => server.rootFolder.containsChildNamed("Trash"), "the folders are known");
return server.rootFolder.subFolders.map(folder => folder.name).sort();
"""

# What the following scripts have in common.
_AT_INBOX: Final = """
const account = MailServices.accounts.accounts.find(known => known.incomingServer.type == "imap");
const root = account.incomingServer.rootFolder;
const inbox = root.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
const window = Services.wm.getMostRecentWindow("mail:3pane");
const subjects = folder => [...folder.messages].map(header => header.mime2DecodedSubject).sort();
const find = subject => [...inbox.messages].find(header => header.mime2DecodedSubject == subject);
"""

READ: Final = (
    _AT_INBOX
    + """
await until(() => subjects(inbox).length == 3, "three messages are listed");
window.gTabmail.currentTabInfo.folder = inbox;
const pane = await until(() => window.gTabmail.currentAbout3Pane, "the panes are there");
await until(() => pane.gDBView && pane.gDBView.rowCount == 3, "the list shows them");
pane.threadTree.selectedIndex = pane.gDBView.findIndexOfMsgHdr(find("Hello 2"), true);
const message = await until(() => window.gTabmail.currentAboutMessage, "a message pane");
const text = () => message.getMessagePaneBrowser().contentDocument?.body?.textContent ?? "";
await until(() => text().includes("number 2"), "the message is shown");
await until(() => find("Hello 2").isRead, "it counts as read");
return text().trim().split("\\n").slice(-1);
"""
)

WORK: Final = (
    _AT_INBOX
    + """
const listened = (resolve, reject) => ({
  QueryInterface: ChromeUtils.generateQI(["nsIMsgCopyServiceListener"]),
  onStartCopy() {}, onProgress() {}, setMessageKey() {}, getMessageId() { return null; },
  onStopCopy(status) { Components.isSuccessCode(status) ? resolve() : reject(new Error("copy: " + status)); },
});
find("Hello 1").folder.markMessagesFlagged([find("Hello 1")], true);
const archive = root.getChildNamed("Archive");
await new Promise((resolve, reject) => MailServices.copy.copyMessages(
  inbox, [find("Hello 2")], archive, true, listened(resolve, reject), null, false));
await until(() => !find("Hello 2"), "it is moved away");
await new Promise((resolve, reject) => inbox.deleteMessages(
  [find("Hello 3")], null, false, false, listened(resolve, reject), false));
await until(() => !find("Hello 3"), "it is deleted");
root.createSubfolder("Entwürfe & mehr", null);
await until(() => root.containsChildNamed("Entwürfe & mehr"), "the new folder is there");
return subjects(inbox);
"""
)

WRITE: Final = (
    _AT_INBOX
    + """
const parameters = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
fields.to = given[0];
fields.subject = "Grüße von Thunderbird";
fields.body = "Es grüßt der Donnervogel.\\n";
parameters.composeFields = fields;
parameters.identity = account.defaultIdentity;
parameters.format = Ci.nsIMsgCompFormat.PlainText;
parameters.type = Ci.nsIMsgCompType.New;
MailServices.compose.OpenComposeWindowWithParams(null, parameters);
const compose = await until(() => {
  const opened = Services.wm.getMostRecentWindow("msgcompose");
  return opened?.composeEditorReady && opened;
}, "a window to write in");
compose.goDoCommand("cmd_sendNow");
await until(() => compose.closed, "it is sent");
await until(() => find("Grüße von Thunderbird"), "it comes back");
return subjects(inbox);
"""
)

PUSHED: Final = _AT_INBOX + 'await until(() => find(given[0]), "new mail appears"); return subjects(inbox);'


@pytest.fixture
def mail_system() -> Iterator[MailSystem]:
    """A running system."""
    with new_system("rootless").running() as system:
        yield system


def _message(number: int) -> bytes:
    return (
        f"From: friend@example.org\r\nTo: {USER}\r\nSubject: Hello {number}\r\nMessage-ID: <{number}@example.org>\r\n"
        "Date: Wed, 25 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        f"Grüße, number {number}\r\n"
    ).encode()


def _files(system: MailSystem, mailbox: str) -> list[str]:
    """The flags of a mailbox's messages, as the file names say them."""
    places = (system.maildir() / mailbox / "cur", system.maildir() / mailbox / "new")
    return sorted(path.name.partition(":2,")[2] for place in places for path in place.iterdir())


@pytest.mark.peer("thunderbird", "xvfb", "import")
def test_a_day_with_thunderbird(mail_system: MailSystem, tmp_path: Path) -> None:
    """Everything that a person does on the first day, and what lies in the Maildir afterwards."""
    for number in (1, 2, 3):
        mail_system.send(_message(number))
    until(lambda: len(mail_system.delivered()) == 3, what="three messages are delivered")
    with Thunderbird(tmp_path) as thunderbird:
        ports = (mail_system.port("imap"), mail_system.port("submission"))
        folders = thunderbird.run(ACCOUNT, USER, mail_system.password, *ports)
        assert {"Archive", "Drafts", "Junk", "Sent", "Trash"} < set(folders)
        assert thunderbird.run(READ)[0].endswith("Grüße, number 2")
        picture = Path(_PICTURES or tmp_path) / "thunderbird.png"
        thunderbird.picture(picture)
        assert picture.read_bytes().startswith(b"\x89PNG")
        assert thunderbird.run(WORK) == ["Hello 1"]
        assert thunderbird.run(WRITE, USER) == ["Grüße von Thunderbird", "Hello 1"]
        mail_system.send(_message(9))
        assert "Hello 9" in thunderbird.run(PUSHED, "Hello 9")
    assert sum("F" in flags for flags in _files(mail_system, ".")) == 1
    assert _files(mail_system, ".Archive") == ["S"]
    assert len(_files(mail_system, ".Trash")) == 1
    assert _files(mail_system, ".Sent") == ["S"]
    assert (mail_system.maildir() / ".Entw&APw-rfe &- mehr").is_dir()
