"""redis-cli, unchanged, on a terminal: `redis_cli.py SOCKET PORT`. Only Python's own library is used; the terminal is
a pty, since redis-cli shows hints and streams its statistics only there. Says `kill me`, waits for `back` on stdin,
and then expects to find what was acked."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

SOCKET, PORT = sys.argv[1:]
CLI = ["redis-cli", "-p", PORT]


def run(*args, stdin=b"", status=0):
    """What redis-cli prints when it is not on a terminal."""
    done = subprocess.run([*CLI, *args], input=stdin, capture_output=True, timeout=60)
    assert done.returncode == status, (args, done)
    return done.stdout.decode(errors="replace")


class Terminal:
    """redis-cli on a pty."""

    def __init__(self, *args):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm", REDISCLI_HISTFILE="/dev/null", HOME="/nonexistent")
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))  # Else it asks the terminal.
            os.execvp("redis-cli", ["redis-cli", *args])
        self.seen = ""

    def expect(self, pattern, seconds=60):
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen)):
            left = deadline - time.monotonic()
            assert left > 0, f"{pattern!r} did not come; seen: {self.seen!r}"
            if select.select([self.fd], [], [], left)[0]:
                try:
                    part = os.read(self.fd, 65536)
                except OSError:
                    part = b""
                assert part, f"redis-cli ended before {pattern!r}; seen: {self.seen!r}"
                self.seen += part.decode(errors="replace")
        self.seen = self.seen[found.end():]
        return found

    def type(self, text):
        os.write(self.fd, text.encode())

    def prompt(self):
        """Before the prompt redis-cli throws away what was typed."""
        self.expect(r"redis /\S+> ")

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def one_shot():
    assert run("set", "greeting", "hello") == "OK\n" and run("get", "greeting") == "hello\n"
    assert run("--no-raw", "get", "greeting") == '"hello"\n' and run("--no-raw", "get", "none") == "(nil)\n"
    assert run("--no-raw", "mget", "greeting", "none") == '1) "hello"\n2) (nil)\n'
    assert run("--no-raw", "incr", "n") == "(integer) 1\n" and run("-r", "3", "incr", "n") == "2\n3\n4\n"
    assert run("-x", "set", "piped", stdin=b"\x00binary\r\n") == "OK\n"
    assert run("--no-raw", "get", "piped") == '"\\x00binary\\r\\n"\n'
    assert run("-X", "tag", "set", "tagged", "tag", stdin=b"in place") == "OK\n" and run("get", "tagged") == "in place\n"
    assert run("--csv", "mget", "greeting", "n") == '"hello","4"\n'
    assert run("-3", "--json", "config", "get", "appendfsync") == '{"appendfsync":"always"}\n'
    assert "proto 3" in run("-3", "hello") and "proto\n2" in run("hello", "2")
    assert run("-s", SOCKET, "ping") == "PONG\n" and run("-n", "3", "dbsize") == "0\n"
    assert "unknown command 'nosuch'" in run("nosuch") and run("-e", "get", status=1) == ""
    assert "redis_version:7.2" in run("info", "server") and "cmdstat_get" in run("info", "commandstats")
    assert "summary" in run("command", "docs", "get") and "CLIENT <subcommand>" in run("client", "help")


def mass_insertion_and_scans():
    commands = "".join(f"SET key:{n} {'v' * (1 + n % 99)}\r\n" for n in range(5000))
    assert "errors: 0, replies: 5000" in run("--pipe", stdin=commands.encode())
    assert len(run("--scan", "--pattern", "key:*").split()) == 5000
    assert len(run("--scan", "--pattern", "key:49??").split()) == 100
    big = run("--bigkeys")
    assert re.search(r"Biggest string found .* has 99 bytes", big) and "5004 strings with" in big, big


def streams_of_numbers():
    statistics = Terminal("-p", PORT, "--stat", "-i", "0.2")
    statistics.expect(r"keys +mem +clients +blocked +requests +connections")
    for _ in range(3):
        statistics.expect(r"\n5004 +[\d.]+[KMG] +\d+ +0 +\d+ \(\+\d+\) +\d+")
    statistics.close()
    for flag in ("--latency", "--latency-history"):
        latency = Terminal("-p", PORT, flag, "-i", "1")
        latency.expect(r"min: \d+, max: \d+, avg: [\d.]+ \([1-9]\d+ samples\)")
        latency.close()
    spectrum = Terminal("-p", PORT, "--latency-dist", "-i", "0.2")
    spectrum.expect(r"From 0 to 100%")
    spectrum.close()


def interactive():
    """Hints come from COMMAND DOCS, HELP from what redis-cli itself knows and the server adds."""
    cli = Terminal("-s", SOCKET)
    cli.prompt()
    cli.type("set ")
    cli.expect(r"key value \[NX\|XX")
    cli.type("interactive works ")
    cli.expect(r"\[NX\|XX")
    cli.type("\r")
    cli.expect(r"\r\nOK\r\n")
    cli.prompt()
    # A command and a subcommand that Redis does not have are hinted too, since the server documents them.
    cli.type("delifeq ")
    cli.expect(r"key value")
    cli.type("\x15client durability ")
    cli.expect(r"MEMORY\|OS\|DISK")
    cli.type("\r")
    cli.expect(r'"disk"\r\n')
    cli.prompt()
    cli.type("help delifeq\r")
    cli.expect(r"summary:\S* Deletes a key if its string equals")
    cli.prompt()
    cli.type("multi\r")
    cli.expect(r"\(TX\)> ")
    cli.type("incr n\r")
    cli.expect(r"QUEUED")
    cli.prompt()
    cli.type("exec\r")
    cli.expect(r"1\) \(integer\) 5\r\n")
    cli.prompt()
    cli.type("select 4\r")
    cli.expect(r"\[4\]> ")
    cli.type("set in-four yes\r")
    cli.expect(r"\r\nOK\r\n")
    cli.prompt()

    print("kill me", flush=True)
    assert sys.stdin.readline() == "back\n"
    cli.close()
    cli = Terminal("-s", SOCKET, "-n", "4")
    cli.prompt()
    cli.type("get in-four\r")
    cli.expect(r'"yes"\r\n')
    cli.prompt()
    cli.type("dbsize\r")
    cli.expect(r"\(integer\) 1\r\n")
    cli.type("quit\r")
    cli.close()


one_shot()
mass_insertion_and_scans()
streams_of_numbers()
interactive()
print("redis-cli: all checks hold")
