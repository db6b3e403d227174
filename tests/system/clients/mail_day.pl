# Perl's Net::POP3, Mail::POP3Client and Mail::IMAPClient.  Arguments: user, password.
use strict;
use warnings;
use Mail::IMAPClient;
use Mail::POP3Client;
use Net::POP3;

my ($user, $password) = @ARGV;
my $pop = Net::POP3->new("127.0.0.1", Timeout => 60) or die;
my $count = $pop->login($user, $password);
print "$count ", scalar(keys %{$pop->list}), " ", scalar(keys %{$pop->uidl}), " ", ref $pop->top(1, 0), "\n";
print join(",", sort keys %{$pop->capa}), "\n";
$pop->quit;

my $other = Mail::POP3Client->new(USER => $user, PASSWORD => $password, HOST => "127.0.0.1", AUTH_MODE => "PASS");
print join(" ", $other->Count, $other->Alive, length($other->Head(1)) > 10, scalar($other->List(1)) =~ /^1 \d+/), "\n";
print join(" ", $other->Delete(1), $other->Reset, $other->State), "\n";
$other->Close;

my $imap = Mail::IMAPClient->new(Server => "127.0.0.1", User => $user, Password => $password, Uid => 1) or die;
print join(" ", sort $imap->folders), "\n";
$imap->create("Perl") or die;
$imap->select("Perl") or die;
my $uid = $imap->append_string("Perl", "Subject: x\r\n\r\nhi\r\n", "\\Seen", "10-Nov-2023 10:00:00 +0000");
print "$uid ", $imap->message_string($uid), $imap->subject($uid), " ", $imap->internaldate($uid), " ", $imap->size($uid), "\n";
print join(",", $imap->search("SUBJECT", "x")), " ", join(",", sort $imap->flags($uid)), "\n";
$imap->move("INBOX", $uid) or die;
$imap->expunge;
print $imap->message_count("Perl"), " ", $imap->exists("Perl") ? "there" : "gone", "\n";
$imap->select("INBOX") or die;
$imap->delete("Perl") or die;
$imap->select("Perl");
my $told = $imap->LastError;
$told =~ s/\[NONEXISTENT\] //;  # which Dovecot 2.3 does not say (RFC 5530)
$told =~ s/ \([\d.+ ]+ secs\).*//s;
print "$told\n";
$imap->logout;
