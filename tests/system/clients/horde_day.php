<?php
/* What Horde's Imap_Client, which keeps a cache by QRESYNC and speaks UTF-8 where a server lets it, hears in a day
 * with an account: a line for each call.  Arguments: port of IMAP, port of POP3, user, password. */
error_reporting(E_ALL & ~E_DEPRECATED);
spl_autoload_register(function (string $class): void {
    $path = stream_resolve_include_path(strtr($class, '_\\', '//') . '.php');
    if ($path !== false) {
        require_once $path;
    }
});
[, $imap, $pop3, $user, $password] = $argv;

function show(string $what, mixed $value): void
{
    echo "$what: ", json_encode($value, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PARTIAL_OUTPUT_ON_ERROR), "\n";
}

function attempt(string $what, callable $call): mixed
{
    try {
        $value = $call();
        show($what, match (true) {
            $value instanceof Horde_Imap_Client_Ids => (string) $value,
            is_object($value) => get_class($value),
            default => $value,
        });
        return $value;
    } catch (Horde_Imap_Client_Exception) {
        show($what, 'refused');
        return null;
    }
}

function client(string $port, string $user, string $password): Horde_Imap_Client_Socket
{
    return new Horde_Imap_Client_Socket([
        'username' => $user, 'password' => $password, 'hostspec' => '127.0.0.1', 'port' => $port, 'secure' => false,
        'timeout' => 50,
        'cache' => ['cacheob' => new Horde_Cache(new Horde_Cache_Storage_Mock(), ['compress' => false])],
    ]);
}

function fetched(Horde_Imap_Client_Base $client, string $mailbox, string $ids): void
{
    $query = new Horde_Imap_Client_Fetch_Query();
    $query->envelope();
    $query->structure();
    $query->flags();
    $query->size();
    $query->headerText(['peek' => true]);
    $query->headers('some', ['Subject', 'X-Odd'], ['peek' => true, 'cache' => true]);
    $query->bodyPart('1', ['peek' => true, 'decode' => true]);
    $query->bodyPartSize('1');
    $query->bodyText(['peek' => true, 'start' => 2, 'length' => 9]);
    $query->mimeHeader('1', ['peek' => true]);
    foreach ($client->fetch($mailbox, $query, ['ids' => new Horde_Imap_Client_Ids($ids)]) as $uid => $one) {
        $envelope = $one->getEnvelope();
        $flags = $one->getFlags();
        sort($flags);
        show("  $uid", [
            $envelope->subject, (string) $envelope->from, (string) $envelope->to, $envelope->message_id,
            $envelope->message_id === '' ? '' : (string) $envelope->date, array_keys($one->getStructure()->contentTypeMap()), $flags, $one->getSize(),
            strlen($one->getHeaderText()), $one->getHeaders('some'), $one->getBodyPart('1'),
            $one->getBodyPartDecode('1'), $one->getBodyText(), $one->getMimeHeader('1'),
        ]);
    }
}

function changes(Horde_Imap_Client_Base $client, string $mailbox, ?string $token): void
{
    $sync = $client->sync($mailbox, $token);
    show('  changes', [
        (string) $sync->newmsgsuids, (string) $sync->flagsuids, (string) $sync->vanisheduids,
        (bool) $sync->newmsgs, (bool) $sync->flags, (bool) $sync->vanished,
    ]);
}

$one = client($imap, $user, $password);
$two = client($imap, $user, $password);
attempt('login', fn() => $one->login());
foreach (['Umlaute äöü', 'A.B.C', 'quo"te', 'Deep'] as $name) {
    attempt("create $name", fn() => $one->createMailbox($name));
    attempt("subscribe $name", fn() => $one->subscribeMailbox($name));
}
attempt('create it again', fn() => $one->createMailbox('Deep'));
foreach ([Horde_Imap_Client::MBOX_ALL, Horde_Imap_Client::MBOX_SUBSCRIBED, Horde_Imap_Client::MBOX_UNSUBSCRIBED] as $mode) {
    $found = $one->listMailboxes('*', $mode, ['attributes' => true, 'children' => true, 'delimiter' => true,
        'status' => Horde_Imap_Client::STATUS_MESSAGES]);
    ksort($found);
    foreach ($found as $name => $entry) {
        $attributes = array_values(array_diff($entry['attributes'], ['\\marked', '\\unmarked']));
        sort($attributes);
        show("list $mode $name", [$attributes, $entry['delimiter'], $entry['status']['messages'] ?? null]);
    }
}
$mail = [
    "From: A <a@example.org>\r\nTo: b@example.org, \"C, D\" <c@example.org>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n" .
        "Date: Mon, 1 Jan 2024 10:00:00 +0100\r\nMessage-ID: <1@x>\r\nX-Odd: yes\r\n\r\nplain body\r\n",
    "From: b@example.org\r\nSubject: Re: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nReferences: <1@x>\r\nMessage-ID: <2@x>\r\n" .
        "Date: Tue, 2 Jan 2024 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n" .
        "--q\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nZ3LDvMOfZQ==\r\n" .
        "--q\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAH/\r\n--q--\r\n",
    "From: c@example.org\r\nSubject: other\r\nMessage-ID: <3@x>\r\nDate: Wed, 3 Jan 2024 10:00:00 +0000\r\n\r\n8bit \xc3\xa4\r\n",
];
$box = 'Umlaute äöü';
attempt('append', fn() => $one->append($box, [
    ['data' => $mail[0], 'flags' => ['\\Seen'], 'internaldate' => new Horde_Imap_Client_DateTime('2024-01-01 10:00:00 UTC')],
    ['data' => $mail[1], 'flags' => ['$Work']],
    ['data' => $mail[2]],
    ['data' => $mail[0]],
]));
attempt('append to none', fn() => $one->append('None', [['data' => $mail[0]]]));
fetched($one, $box, '1:4');
fetched($one, $box, '1:4');  // by its cache
attempt('open', fn() => $two->openMailbox($box));
$token = $two->getSyncToken($box);
foreach ([['subject', 'grüße'], ['from', 'b@example'], ['x-odd', 'yes']] as [$field, $words]) {
    $query = new Horde_Imap_Client_Search_Query();
    $query->charset('UTF-8', false);
    $query->headerText($field, $words);
    show("search $field", (string) $one->search($box, $query)['match']);
}
$query = new Horde_Imap_Client_Search_Query();
$query->charset('UTF-8', false);
$query->text('ä');
$query->flag('\\Seen', false);
show('search text', (string) $one->search($box, $query)['match']);
foreach ([Horde_Imap_Client::SORT_DATE, Horde_Imap_Client::SORT_FROM, Horde_Imap_Client::SORT_SUBJECT, Horde_Imap_Client::SORT_SIZE] as $by) {
    $result = $one->search($box, null, ['sort' => [Horde_Imap_Client::SORT_REVERSE, $by], 'results' => [
        Horde_Imap_Client::SEARCH_RESULTS_MATCH, Horde_Imap_Client::SEARCH_RESULTS_COUNT,
        Horde_Imap_Client::SEARCH_RESULTS_MIN, Horde_Imap_Client::SEARCH_RESULTS_MAX]]);
    show("sort $by", [(string) $result['match'], $result['count'], $result['min'], $result['max']]);
}
foreach ([Horde_Imap_Client::THREAD_REFERENCES, Horde_Imap_Client::THREAD_ORDEREDSUBJECT] as $how) {
    show("thread $how", $one->thread($box, ['criteria' => $how])->messageList()->ids);
}
attempt('store', fn() => $one->store($box, ['ids' => new Horde_Imap_Client_Ids('2:3'), 'add' => ['\\Flagged', '$Töo']]));
attempt('store', fn() => $one->store($box, ['ids' => new Horde_Imap_Client_Ids('2:3'), 'add' => ['\\Flagged']]));
attempt('replace', fn() => $one->store($box, ['ids' => new Horde_Imap_Client_Ids('1'), 'replace' => ['\\Answered', 'Other']]));
changes($two, $box, $token);
$token = $two->getSyncToken($box);
show('copy', $one->copy($box, 'Deep', ['ids' => new Horde_Imap_Client_Ids('1,3')]));
show('move', $one->copy($box, 'A.B.C', ['ids' => new Horde_Imap_Client_Ids('4'), 'move' => true]));
attempt('copy to none', fn() => $one->copy($box, 'None', ['ids' => new Horde_Imap_Client_Ids('1')]));
attempt('copy and create', fn() => (bool) $one->copy($box, 'Mädé', ['ids' => new Horde_Imap_Client_Ids('1'), 'create' => true]));
attempt('delete', fn() => $one->store($box, ['ids' => new Horde_Imap_Client_Ids('2'), 'add' => ['\\Deleted']]));
attempt('expunge', fn() => $one->expunge($box, ['ids' => new Horde_Imap_Client_Ids('2'), 'list' => true]));
changes($two, $box, $token);
attempt('vanished', fn() => (string) $two->vanished($box, 1));
foreach (['Umlaute äöü', 'Deep', 'A.B.C', 'Mädé', 'None'] as $name) {
    attempt("status $name", function () use ($two, $name) {
        $status = $two->status($name, Horde_Imap_Client::STATUS_MESSAGES | Horde_Imap_Client::STATUS_UIDNEXT |
            Horde_Imap_Client::STATUS_UNSEEN);
        ksort($status);
        return $status;
    });
}
attempt('rename', fn() => $one->renameMailbox('Umlaute äöü', 'Grüße'));
attempt('delete', fn() => $one->deleteMailbox('Deep'));
attempt('delete it again', fn() => $one->deleteMailbox('Deep'));
fetched($one, 'Grüße', '1:3');
attempt('logout', fn() => $two->logout());
attempt('append to INBOX', fn() => $one->append('INBOX', [['data' => $mail[0]], ['data' => $mail[1]]]));
attempt('logout', fn() => $one->logout());

$three = new Horde_Imap_Client_Socket_Pop3(['username' => $user, 'password' => $password, 'hostspec' => '127.0.0.1',
    'port' => $pop3, 'secure' => false, 'timeout' => 50]);
attempt('POP3', fn() => $three->login());
show('status', $three->status('INBOX', Horde_Imap_Client::STATUS_MESSAGES));
$query = new Horde_Imap_Client_Fetch_Query();
$query->headerText();
$query->bodyText();
$query->size();
$query->seq();
foreach ($three->fetch('INBOX', $query) as $one) {
    show('  message', [$one->getSeq(), $one->getSize(), $one->getHeaderText(), $one->getBodyText()]);
}
attempt('logout', fn() => $three->logout());
