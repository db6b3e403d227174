<?php
/* What PHP's imap extension, that is UW's c-client, hears in a day with one mailbox: a line for each call.
 * Arguments: port of IMAP, port of POP3, user, password, a file to write to. */
error_reporting(E_ALL & ~E_WARNING);
[, $imap, $pop3, $user, $password, $file] = $argv;
$server = "{127.0.0.1:$imap/imap/notls}";

function show(string $what, mixed $value): void
{
    foreach (['uidvalidity', 'Date', 'Mailbox', 'fetchfrom'] as $name) {  // which no two servers share
        if (is_object($value)) {
            unset($value->$name);
        }
    }
    if (is_array($value) && is_string($value[0] ?? null) && str_starts_with($value[0], '{')) {
        sort($value);
    }
    echo "$what: ", json_encode($value, JSON_UNESCAPED_SLASHES | JSON_INVALID_UTF8_SUBSTITUTE), "\n";
    foreach (imap_errors() ?: [] as $error) {
        echo "  error: $error\n";
    }
}

$mail = [
    "From: A <a@example.org>\r\nTo: b@example.org, \"C, D\" <c@example.org>\r\nCc: friends: x@y, z@w;\r\n" .
        "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Mon, 1 Jan 2024 10:00:00 +0100\r\nMessage-ID: <1@x>\r\n\r\n" .
        "plain body\r\nline two\r\n",
    imap_mail_compose(
        ['from' => 'joe@example.com', 'to' => 'foo@example.com', 'date' => 'Tue, 2 Jan 2024 10:00:00 +0000',
            'subject' => 'composed', 'message_id' => '<2@x>', 'in_reply_to' => '<1@x>'],
        [
            ['type' => TYPEMULTIPART, 'subtype' => 'mixed', 'type.parameters' => ['BOUNDARY' => 'between']],
            ['type' => TYPETEXT, 'subtype' => 'plain', 'description' => 'text', 'contents.data' => "text\n\n\t"],
            ['type' => TYPEAPPLICATION, 'encoding' => ENCBINARY, 'subtype' => 'octet-stream',
                'contents.data' => "\x00\x01\xff", 'disposition.type' => 'attachment',
                'disposition' => ['filename' => 'file.bin']],
        ]
    ),
    "From: b@example.org\r\nSubject: Re: composed\r\nReferences: <1@x> <2@x>\r\nMessage-ID: <3@x>\r\n" .
        "Date: Wed, 3 Jan 2024 10:00:00 +0000\r\nContent-Type: multipart/alternative; boundary=q\r\n\r\n" .
        "--q\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" .
        "Gr=FC=DFe\r\n--q\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\nFrom: i@x\r\n\r\ninner text\r\n--q--\r\n",
    "Subject: no sender\r\n\r\n" . str_repeat('x', 2000) . "\r\n",
];

$box = imap_open("{$server}INBOX", $user, $password, 0, 1);
show('open', $box !== false);
foreach (['Sent', 'Entw&APw-rfe', 'a.b.c', 'a blank', 'quo"te', 'back\\slash', 'per%cent', 'Sent'] as $name) {
    show("create $name", imap_createmailbox($box, $server . $name));
}
show('list', imap_list($box, $server, '*'));
show('list %', imap_list($box, $server, '%'));
show('subscribe', imap_subscribe($box, "{$server}Sent"));
show('subscribed', imap_lsub($box, $server, '*'));
show('unsubscribe', imap_unsubscribe($box, "{$server}Sent"));
show('subscribed', imap_lsub($box, $server, '*'));
show('rename', imap_renamemailbox($box, "{$server}a blank", "{$server}none"));
show('rename', imap_renamemailbox($box, "{$server}nothing", "{$server}something"));
foreach ($mail as $i => $text) {
    $date = sprintf('%02d-Jan-2024 10:00:00 +0000', $i + 1);
    show("append $i", imap_append($box, "{$server}INBOX", $text, $i === 1 ? '\\Seen \\Flagged' : null, $date));
}
show('append nowhere', imap_append($box, "{$server}nowhere", "Subject: a\r\n\r\nb\r\n"));
show('ping', imap_ping($box));
show('recent', [imap_num_msg($box), imap_num_recent($box)]);
show('status', imap_status($box, "{$server}INBOX", SA_ALL));
show('check', imap_check($box));
show('mailboxmsginfo', imap_mailboxmsginfo($box));
show('headers', imap_headers($box));
for ($number = 1; $number <= count($mail); $number++) {
    show("header $number", imap_headerinfo($box, $number));
    show("structure $number", imap_fetchstructure($box, $number));
    show("text $number", [imap_fetchheader($box, $number), imap_body($box, $number, FT_PEEK)]);
    show("uid $number", imap_msgno($box, imap_uid($box, $number)));
    foreach (['0', '1', '2', '1.1', '2.0', '2.1', '2.2', '3', '1.MIME', '2.MIME', '', 'HEADER'] as $part) {
        show("part $number $part", imap_fetchbody($box, $number, $part, FT_PEEK));
    }
}
show('overview', imap_fetch_overview($box, '1:4'));
show('overview by uid', imap_fetch_overview($box, '1,3:*', FT_UID));
$keys = ['ALL', 'SEEN', 'UNSEEN', 'FLAGGED', 'SUBJECT composed', 'FROM joe', 'TEXT inner', 'BODY text', 'BODY mixed',
    'SINCE 3-Jan-2024', 'BEFORE "3 Jan 2024"', 'ON 2-Jan-2024', 'KEYWORD foo', 'NEW', 'OLD', 'RECENT', 'DELETED'];
foreach ($keys as $key) {
    show("search $key", imap_search($box, $key, SE_FREE, 'UTF-8'));
}
foreach ([SORTDATE, SORTARRIVAL, SORTFROM, SORTSUBJECT, SORTTO, SORTCC, SORTSIZE] as $key) {
    show("sort $key", [imap_sort($box, $key, false), imap_sort($box, $key, true, SE_UID, 'ALL', 'UTF-8')]);
}
show('thread', [imap_thread($box), imap_thread($box, SE_UID)]);
show('set', imap_setflag_full($box, '1,3', '\\Seen \\Flagged foo'));
show('clear', imap_clearflag_full($box, '3', '\\Flagged'));
show('overview', imap_fetch_overview($box, '1:4'));
show('copy', imap_mail_copy($box, '1:2', 'Sent'));
show('copy', imap_mail_copy($box, '1', 'nowhere'));
show('move', imap_mail_move($box, '4', 'a.b.c'));
show('delete', [imap_delete($box, '1'), imap_undelete($box, '1'), imap_delete($box, '2:3'), imap_expunge($box)]);
show('left', imap_num_msg($box));
show('reopen', imap_reopen($box, "{$server}nowhere"));
show('reopen', imap_reopen($box, "{$server}Sent", OP_READONLY));
show('set read-only', imap_setflag_full($box, '1', '\\Deleted'));
show('save', [imap_savebody($box, $file, 1), file_get_contents($file)]);
foreach (['Sent', 'a.b.c', 'none', 'nothing'] as $name) {
    show("delete $name", imap_deletemailbox($box, $server . $name));
}
show('list', imap_list($box, $server, '*'));
show('close', imap_close($box, CL_EXPUNGE));
show('nowhere', imap_open("{$server}nowhere", $user, $password, 0, 1));
$box = imap_open($server, $user, $password, OP_HALFOPEN, 1);
show('half', imap_list($box, $server, 'IN*'));
imap_close($box);

$box = imap_open("{127.0.0.1:$pop3/pop3/notls}INBOX", $user, $password, 0, 1);
show('pop3', [imap_num_msg($box), imap_headers($box), imap_fetchheader($box, 1), imap_body($box, 1)]);
show('pop3 delete', [imap_delete($box, '1'), imap_expunge($box), imap_num_msg($box)]);
imap_close($box);
