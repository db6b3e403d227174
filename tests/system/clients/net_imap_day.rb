# Ruby's net/imap and net/pop: a day with a mailbox.  Arguments: user, password.
require "net/imap"
require "net/pop"

def refused
  yield
rescue Net::IMAP::Error, Net::ProtocolError => error
  puts error.class, error.message.sub(/ \([\d.+ ]+secs\).*/, "")
end

user, password = ARGV
imap = Net::IMAP.new("127.0.0.1", port: 143, ssl: false)
imap.authenticate("PLAIN", user, password)
imap.select("INBOX")
p imap.responses["EXISTS"].last
p imap.uid_search(["SUBJECT", "by ruby"]).size
imap.create("Ruby")
p imap.list("", "*").map { |mailbox| [mailbox.name, mailbox.delim, mailbox.attr.map(&:to_s).sort] }.sort
p imap.append("Ruby", "Subject: appended\r\n\r\nx\r\n", [:Seen], Time.at(1_700_000_000)).name
imap.select("Ruby")
fetched = imap.fetch(1, ["FLAGS", "ENVELOPE", "BODYSTRUCTURE", "INTERNALDATE", "BODY[]"])[0].attr
p fetched["FLAGS"].map(&:to_s).sort, fetched["ENVELOPE"].subject, fetched["INTERNALDATE"], fetched["BODY[]"]
p fetched["BODYSTRUCTURE"].media_type, imap.status("Ruby", ["MESSAGES", "UNSEEN"])
p imap.sort(["SUBJECT"], ["ALL"], "UTF-8"), imap.thread("REFERENCES", ["ALL"], "UTF-8").size
imap.store(1, "+FLAGS", [:Deleted])
p imap.expunge
idling = Thread.new do
  imap.idle(120) do |response|
    imap.idle_done if response.is_a?(Net::IMAP::UntaggedResponse) && response.name == "EXISTS" && response.data == 1
  end
end
other = Net::IMAP.new("127.0.0.1", port: 143, ssl: false)
other.login(user, password)
other.append("Ruby", "Subject: pushed\r\n\r\nx\r\n")
idling.join
other.logout
other.disconnect
p imap.responses["EXISTS"].last
refused { imap.select("No such") }
refused { imap.delete("INBOX") }
imap.logout
imap.disconnect

pop = Net::POP3.new("127.0.0.1", 110)
pop.start(user, password)
p pop.n_mails, pop.mails.map(&:unique_id).uniq.size, pop.mails[0].top(1).size > 10, pop.mails[0].pop.include?("\r\n.dot\r\n")
pop.finish
refused { Net::POP3.start("127.0.0.1", 110, user, "wrong") {} }
refused { Net::POP3.APOP(true).start("127.0.0.1", 110, user, password) {} }
