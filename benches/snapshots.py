#!/usr/bin/env python3
"""Snapshots and starts beside redis-server: python3 benches/snapshots.py --dir FOLDER [--keys N] [--rounds N] [--appendfsync LEVEL]

Fills redis-server with mixed keys, imports its RDB file into ackd, and then, in alternating rounds with both servers on the
same data: BGSAVE (seconds, fork pause, and under a load of SETs the latency of those and the memory of parent and copy), a
start from the snapshot alone, and one from snapshot and log. Medians and their ratios are printed; a ratio above 1 means that
ackd is faster, or smaller. Both write to the same file system, FOLDER, and keep an append-only log, by default with `everysec`.
"""

import argparse
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")

    def send(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.socket.sendall(b"".join(parts))

    def read(self):
        line = self.file.readline()
        if line[:1] == b"$":
            size = int(line[1:])
            return None if size < 0 else self.file.read(size + 2)[:-2]
        return line[1:].strip()

    def call(self, *words):
        self.send(*words)
        return self.read()

    def info(self, section, field):
        text = self.call("INFO", section).decode()
        return re.search(rf"^{field}:(.*?)\r?$", text, re.M).group(1)


class Server:
    def __init__(self, name, program, folder, port, appendfsync):
        self.name, self.program, self.port, self.appendfsync = name, program, port, appendfsync
        self.folder = Path(folder).resolve() / name
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.log = self.folder / "server.log"
        self.process = None

    def start(self, *options):
        self.log.unlink(missing_ok=True)
        words = [self.program, "--port", self.port, "--dir", self.folder, "--save", "", "--appendfsync", self.appendfsync]
        words += ["--auto-aof-rewrite-percentage", "0", "--logfile", self.log, *options]
        if self.name == "ackd":
            words += ["--max-replay-time", "0", "--snapshot-copy", "no"]
        self.process = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while True:
            try:
                client = Client(self.port)
                if client.call("PING") == b"PONG":
                    return client
            except OSError:
                pass
            if self.process.poll() is not None:
                sys.exit(f"{self.name} does not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.01)

    def stop(self, kill=False):
        if self.process:
            self.process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            self.process.wait()
            self.process = None

    def loaded_s(self):
        """How long the last start says that it loaded."""
        text = self.log.read_text()
        if self.name == "ackd":
            return float(re.findall(r"DB loaded from the log: .* in ([\d.]+) seconds", text)[-1])
        return sum(float(found) for found in re.findall(r"DB loaded from [\w ]*(?:file|disk)[^:]*: ([\d.]+) seconds", text))


def fill(client, keys):
    def sender():
        pending = []
        for i in range(keys):
            key, kind = b"key:%012d" % i, i % 20
            if kind < 12:
                words = (b"SET", key, b"value-%d" % i + b"x" * (i % 17))
            elif kind < 14:
                words = (b"SET", key, b"%d" % (i * 7919))
            elif kind < 16:
                words = (b"HSET", key) + tuple(b"%s%d" % (p, i % 100 + j) for j in range(5) for p in (b"f", b"v"))
            elif kind < 18:
                words = (b"RPUSH", key) + tuple(b"element-%d" % (i + j) for j in range(5))
            elif kind < 19:
                words = (b"SADD", key) + tuple(b"%d" % (i + j * 3) for j in range(5))
            else:
                words = (b"ZADD", key) + tuple(w for j in range(5) for w in (b"%d" % (j * 10), b"member-%d" % (i + j)))
            pending.append(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            if len(pending) == 1000:
                client.socket.sendall(b"".join(pending))
                pending.clear()
        client.socket.sendall(b"".join(pending))

    thread = threading.Thread(target=sender)
    thread.start()
    for _ in range(keys):
        client.read()
    thread.join()


def proportional_kb(pid):
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))


def family_kb(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return proportional_kb(pid) + sum(proportional_kb(child) for child in children)


def bgsave(client):
    started = time.monotonic()
    client.call("BGSAVE")
    while client.info("persistence", "rdb_bgsave_in_progress") != "0":
        time.sleep(0.005)
    seconds = time.monotonic() - started
    assert client.info("persistence", "rdb_last_bgsave_status") == "ok"
    return seconds, int(client.info("stats", "latest_fork_usec")) / 1e6


def load(server, seconds, keys):
    """SETs of existing keys by a few clients, for at most so long; gives all latencies in milliseconds."""
    stop, ends = time.monotonic() + seconds, threading.Event()
    latencies, threads = [], []

    def work(number):
        client, i, mine = Client(server.port), number, []
        while time.monotonic() < stop and not ends.is_set():
            i = (i * 48271 + number) % 2147483647
            begun = time.monotonic()
            client.call("SET", "key:%012d" % (i % keys), "changed-%d" % i)
            mine.append((begun, (time.monotonic() - begun) * 1000))
        latencies.extend(mine)

    for number in range(1, 5):
        threads.append(threading.Thread(target=work, args=(number,)))
        threads[-1].start()
    return threads, latencies, ends


def p99(latencies):
    return sorted(ms for _, ms in latencies)[int(len(latencies) * 0.99)]


def latency_of_snapshot(server, client, keys):
    """The p99 of SETs before a snapshot and during it. Nobody looks at the memory meanwhile: reading `smaps_rollup` holds
    the lock that page faults of the server wait for, and they are many behind a fork."""
    threads, before, _ = load(server, 4, keys)
    for thread in threads:
        thread.join()
    threads, during, ends = load(server, 60, keys)
    begun = time.monotonic()
    seconds, fork = bgsave(client)
    ended = time.monotonic()
    ends.set()
    for thread in threads:
        thread.join()
    # What counts is what began during the snapshot and behind the fork.
    inside = [(at, ms) for at, ms in during if begun + fork + 0.01 <= at <= ended]
    return p99(before), p99(inside), seconds


def memory_of_snapshot(server, client, keys):
    """The memory of the server before a snapshot under load, and the peak of server and copy together, in MB."""
    peak, base, done = [0], family_kb(server.process.pid), threading.Event()

    def watch():
        while not done.wait(0.05):
            peak[0] = max(peak[0], family_kb(server.process.pid))

    threads, _, ends = load(server, 60, keys)
    watcher = threading.Thread(target=watch)
    watcher.start()
    bgsave(client)
    done.set()
    ends.set()
    for thread in [watcher, *threads]:
        thread.join()
    return base / 1024, peak[0] / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", required=True, help="where the servers keep their files")
    parser.add_argument("--keys", type=int, default=5_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--appendfsync", default="everysec", choices=["always", "everysec", "no"])
    parser.add_argument("--ackd", default="target/release/ackd")
    parser.add_argument("--redis", default="redis-server")
    options = parser.parse_args()
    redis = Server("redis", options.redis, options.dir, 17001, options.appendfsync)
    ackd = Server("ackd", options.ackd, options.dir, 17002, options.appendfsync)
    results = {}

    def note(what, server, value):
        results.setdefault(what, {}).setdefault(server.name, []).append(value)
        print(f"{what:34} {server.name:6} {value:.3f}", flush=True)

    client = redis.start("--appendonly", "no")
    fill(client, options.keys)
    client.call("SAVE")
    redis.stop()
    source = redis.folder / "dump.rdb"
    begun = time.monotonic()
    subprocess.run([options.ackd, "import", source, ackd.folder], check=True, stdout=subprocess.DEVNULL)
    took = time.monotonic() - begun
    print(f"import of {source.stat().st_size / 1e6:.0f} MB: {took:.2f} s, {source.stat().st_size / 1e6 / took:.0f} MB/s")
    for _ in range(options.rounds):
        for server, appendonly in [(ackd, "yes"), (redis, "no")]:
            server.start("--appendonly", appendonly)
            note("load of the RDB file, s", server, server.loaded_s())
            server.stop()
    # From here on with an append-only log.
    clients = {}
    for server in (ackd, redis):
        clients[server.name] = server.start("--appendonly", "no")
    clients["redis"].call("CONFIG", "SET", "appendonly", "yes")
    while clients["redis"].info("persistence", "aof_rewrite_in_progress") != "0":
        time.sleep(0.05)
    for _ in range(options.rounds):
        for server in (ackd, redis):
            seconds, fork = bgsave(clients[server.name])
            note("BGSAVE, s", server, seconds)
            note("fork pause, ms", server, fork * 1000)
    for _ in range(options.rounds):
        for server in (ackd, redis):
            before, during, seconds = latency_of_snapshot(server, clients[server.name], options.keys)
            note("BGSAVE under load, s", server, seconds)
            note("p99 before, ms", server, before)
            note("p99 during, ms", server, during)
            note("p99 during / before", server, during / before)
    for _ in range(min(options.rounds, 3)):
        for server in (ackd, redis):
            base, peak = memory_of_snapshot(server, clients[server.name], options.keys)
            note("memory before, MB", server, base)
            note("peak memory during, MB", server, peak)
    # A start from snapshot and log: the newest snapshot, and a million SETs behind it.
    bgsave(clients["ackd"])
    clients["redis"].call("BGREWRITEAOF")
    while clients["redis"].info("persistence", "aof_rewrite_in_progress") != "0":
        time.sleep(0.05)
    for server in (ackd, redis):
        subprocess.run(
            ["redis-benchmark", "-p", str(server.port), "-t", "set", "-n", "1000000", "-r", "5000000", "-P", "50", "-q"],
            check=True, stdout=subprocess.DEVNULL)
        server.stop()
    for _ in range(options.rounds):
        for server in (ackd, redis):
            server.start("--appendonly", "yes")
            note("start from snapshot and log, s", server, server.loaded_s())
            server.stop(kill=True)
    print()
    for what, values in results.items():
        mine, theirs = statistics.median(values["ackd"]), statistics.median(values["redis"])
        print(f"{what:34} ackd {mine:10.3f}   redis {theirs:10.3f}   {theirs / max(mine, 1e-9):.2f} x")
    for server in (redis, ackd):
        shutil.rmtree(server.folder, ignore_errors=True)


main()
