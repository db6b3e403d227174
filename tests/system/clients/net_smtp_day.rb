# Ruby's net/smtp: a login, a message with a dot, what is refused.  Arguments: user, password, recipient.
require "net/smtp"

user, password, recipient = ARGV
sender = "#{user}@tutorial.test"
Net::SMTP.start("127.0.0.1", 587, helo: "client.test", user: user, secret: password, authtype: :plain, starttls: false) do |smtp|
  p smtp.capabilities.keys.sort
  text = "From: #{sender}\r\nTo: #{recipient}\r\nSubject: by ruby\r\n\r\n.dot\r\nend\r\n"
  puts smtp.send_message(text, sender, recipient).string.sub(/as .*/, "as ID")
  smtp.mailfrom(sender)
  begin
    smtp.rcptto("nobody-here@tutorial.test")
  rescue Net::ProtocolError => error
    puts error.class, error.message
  end
end
begin
  Net::SMTP.start("127.0.0.1", 587, helo: "client.test", user: user, secret: "wrong", authtype: :plain, starttls: false) {}
rescue Net::ProtocolError => error
  puts error.class, error.message.sub(/authentication failed.*/m, "authentication failed")
end
