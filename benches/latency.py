#!/usr/bin/env python3
"""How long others wait beside work that may take long: ackd beside redis-server, in turn, `everysec`.

- GET by one client while another inserts ten million keys, a thousand to a pipeline: the hash table grows all the time.
- PING by one client while UNLINK takes a collection of five million elements.

    cargo build --release
    python3 benches/latency.py --dir target/bench
    python3 benches/latency.py --quick                  # a tenth of both

Percentiles in milliseconds, of each run; the prober is a process of its own.
"""

import argparse
import pathlib
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import compare
from compare import ROOT, Server
from compare_types import Connection, chunks

TOGETHER = 1000
PERCENTILES = (0.5, 0.99, 0.999, 0.9999)


def probe(port, line):
    """In a process of its own: asks again and again until a line comes on standard input, and prints the percentiles."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request, waits = line.encode() + b"\r\n", []
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(20):
            begin = time.perf_counter()
            connection.sendall(request)
            connection.recv(100)
            waits.append(time.perf_counter() - begin)
    waits.sort()
    found = [waits[min(len(waits) - 1, int(len(waits) * part))] for part in PERCENTILES] + [waits[-1]]
    print(" | ".join(f"{wait * 1000:.3f}" for wait in found))


class Probe:
    def __init__(self, port, line):
        command = [sys.executable, __file__, "--probe", str(port), line]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def end(self):
        return self.process.communicate("end\n")[0].strip()


def inserts(server, keys):
    """SETs of `keys` new keys; the seconds that they took."""
    connection = socket.create_connection(("127.0.0.1", server.port))
    begin = time.perf_counter()
    for first in range(0, keys, TOGETHER):
        connection.sendall(b"".join(
            b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$20\r\n%s\r\n" % (key, b"v" * 20) for key in range(first, first + TOGETHER)))
        missing = TOGETHER * len(b"+OK\r\n")
        while missing > 0:
            missing -= len(connection.recv(missing))
    connection.close()
    return time.perf_counter() - begin


COLLECTIONS = {
    "set": ("SADD", lambda number: [b"member:%09d" % number]),
    "sorted set": ("ZADD", lambda number: [str(number * 7919 % 1_000_003), b"member:%09d" % number]),
    "hash": ("HSET", lambda number: [b"field:%09d" % number, b"value:%d" % number]),
    "list": ("RPUSH", lambda number: [b"element:%09d" % number]),
}


def main():
    if sys.argv[1:2] == ["--probe"]:
        return probe(int(sys.argv[2]), sys.argv[3])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default=ROOT / "target" / "bench", type=pathlib.Path, help="where the data go: a real disk")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each server for the inserts")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work")
    parser.add_argument("--ackd", default=ROOT / "target" / "release" / "ackd", type=pathlib.Path)
    parser.add_argument("--redis", default=shutil.which("redis-server"), help="redis-server 7.0.15")
    options = parser.parse_args()
    compare.prepare_folder(options)
    servers = {"ackd": str(options.ackd), "redis": options.redis}
    scale = 0.1 if options.quick else 1

    def with_server(name, work):
        with tempfile.TemporaryDirectory(dir=options.dir) as folder:
            server = Server(name, servers[name], folder, "everysec")
            server.start()
            try:
                return work(server)
            finally:
                server.process.kill()
                server.process.wait()

    def beside_inserts(server):
        connection = Connection(server.port)
        connection.call("SET", "hello", "x" * 20)
        prober = Probe(server.port, "GET hello")
        seconds = inserts(server, int(10_000_000 * scale))
        return seconds, prober.end()

    def beside_unlink(kind):
        def work(server):
            name, words = COLLECTIONS[kind]
            connection = Connection(server.port)
            connection.fill([name, "k", *rest] for rest in chunks(0, int(5_000_000 * scale), 500, words))
            prober = Probe(server.port, "PING")
            time.sleep(0.3)
            begin = time.perf_counter()
            connection.call("UNLINK", "k")
            seconds = time.perf_counter() - begin
            time.sleep(1)
            return seconds, prober.end()
        return work

    print("| work | server | its seconds | p50 | p99 | p99.9 | p99.99 | longest |\n|---|---|---:|---:|---:|---:|---:|---:|")
    rows = [(f"GET beside {int(10_000_000 * scale):,} inserts", beside_inserts)] * options.rounds
    rows += [(f"PING beside UNLINK of a {kind} of {int(5_000_000 * scale):,}", beside_unlink(kind)) for kind in COLLECTIONS]
    for title, work in rows:
        for name in servers:
            seconds, found = with_server(name, work)
            print(f"| {title} | {name} | {seconds:.4f} | {found} |", flush=True)


if __name__ == "__main__":
    main()
