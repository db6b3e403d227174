# Perl's Net::SMTP: a login, extensions, a recipient that is skipped.  Arguments: user, password, recipient.
use strict;
use warnings;
use Net::SMTP;

my ($user, $password, $recipient) = @ARGV;
my $smtp = Net::SMTP->new("127.0.0.1", Port => 587, Hello => "client.test", Timeout => 60) or die;
sub told { my $text = $smtp->message; $text =~ s/as \S+/as ID/; print $smtp->code, " ", $text }
$smtp->auth($user, $password) or die $smtp->message;
$smtp->mail("$user\@tutorial.test", Size => 100, Return => "HDRS", ENVID => "day") or die $smtp->message;
print join(",", $smtp->recipient($recipient, "nobody-here\@tutorial.test", { SkipBad => 1, Notify => ["NEVER"] })), "\n";
$smtp->data(["From: $user\@tutorial.test\n", "Subject: by perl\n", "\n", ".dot\n"]);
told;
$smtp->verify($recipient);
told;
$smtp->expand($recipient);
told;
$smtp->etrn("tutorial.test");
told;
$smtp->reset;
told;
$smtp->quit;
