"""A content filter that speaks SMTP as amavisd-new does.  Argument: the file for what it has heard."""

import socket
import sys
import threading

TROUBLES = {
    b"virus": b"250 2.7.0 Ok, discarded, id=00001-01 - INFECTED: Eicar",
    b"spam": b"554 5.7.0 Reject, id=00001-01 - spam",
    b"trouble": b"451 4.5.0 Error in processing, id=00001-01, virus_scan FAILED",
}
EHLO = (
    b"250-tutorial.test\r\n250-VRFY\r\n250-PIPELINING\r\n250-SIZE\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n"
    b"250-DSN\r\n250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE"
)


def give_back(forwarded: "list[bytes]", envelope: "list[bytes]", content: bytes) -> bytes:
    """Pass it on to port 10025; the reply for the client."""
    with socket.create_connection(("127.0.0.1", 10025), timeout=120) as sock, sock.makefile("rb") as lines:
        reply = b""
        header = b"X-Virus-Scanned: amavis-like at tutorial.test\r\n"
        for line in [
            b"",
            b"EHLO localhost",
            *forwarded,
            *envelope,
            b"DATA",
            header + content + b".",
            b"QUIT",
        ]:
            if line:
                sock.sendall(line + b"\r\n")
            before, reply = reply, lines.readline()
            while reply[3:4] == b"-":
                reply = lines.readline()
            if reply[:1] not in b"23":
                return b"451 4.5.0 From MTA: " + reply.strip()
        return b"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): " + before.strip()


def serve(port: int, client: socket.socket, heard: str) -> None:
    """One connection."""
    forwarded: list[bytes] = []
    envelope: list[bytes] = []
    with client, client.makefile("rb") as lines:
        client.sendall(b"220 [127.0.0.1] ESMTP amavisd-new service ready\r\n")
        while line := lines.readline().strip():
            verb = line.split(b" ")[0].split(b":")[0].upper()
            with open(heard, "ab") as file:
                file.write(b"%d %s\n" % (port, line))
            reply = b"250 2.0.0 Ok"
            if verb == b"EHLO":
                reply = EHLO
            elif verb == b"XFORWARD":
                forwarded.append(line)
            elif verb in (b"MAIL", b"RCPT"):
                envelope.append(line)
            elif verb == b"DATA":
                client.sendall(b"354 End data with <CR><LF>.<CR><LF>\r\n")
                content = b""
                while (line := lines.readline()) != b".\r\n":
                    content += line
                word = content.partition(b"\r\nSubject: ")[2].split()[0].rstrip(b",")
                reply = TROUBLES.get(word) or give_back(forwarded, envelope, content)
                envelope.clear()
            client.sendall((b"221 2.0.0 Bye" if verb == b"QUIT" else reply) + b"\r\n")


def listen(port: int) -> None:
    """Serve a port for ever."""
    server = socket.create_server(("127.0.0.1", port))
    while True:
        threading.Thread(target=serve, args=(port, server.accept()[0], sys.argv[1]), daemon=True).start()


threading.Thread(target=listen, args=(10026,), daemon=True).start()
listen(10024)
