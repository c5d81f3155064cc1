#!/usr/bin/env python3
"""What is around the data, ackd and redis-server side by side: messages, transactions, eviction, idle connections.

Measured as `compare.py` does, whose parts this uses. The load generator is the limit in most rows, so what counts is CPU
time of the server per request.

    cargo build --release
    python3 benches/compare_services.py --dir target/bench
    python3 benches/compare_services.py --quick --rows publish-100,set-evicting
"""

import contextlib
import multiprocessing
import os
import resource
import selectors
import socket
import sys

import compare

VALUE = "x" * compare.VALUE
MESSAGE = "m" * 50
# Fewer than `maxclients`, which is 10,000.
IDLE = 9_900


def encode(*words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def call(port, *words):
    """One command by a connection of its own; its reply must be short."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(encode(*words))
        reply = connection.recv(4096)
        if reply.startswith(b"-"):
            sys.exit(f"{words}: {reply}")
        return reply


def hold(port, count, request, is_ready):
    """Many connections that send `request`, if it is not empty, and read whatever comes, until the process is ended."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    selector = selectors.DefaultSelector()
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        if request:
            connection.sendall(request)
            connection.recv(4096)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ)
    is_ready.set()
    while True:
        for key, _ in selector.select():
            if not key.fileobj.recv(1 << 20):
                os._exit(0)


@contextlib.contextmanager
def others(port, count, request=b""):
    """Other connections beside the load, in a process of their own."""
    is_ready = multiprocessing.Event()
    process = multiprocessing.Process(target=hold, args=(port, count, request, is_ready), daemon=True)
    process.start()
    if not is_ready.wait(60):
        sys.exit("the other connections did not come about")
    try:
        yield
    finally:
        process.kill()
        process.join()


class Services(compare.Rows):
    """The measurements. Each returns {metric: value} for one server."""

    def beside(self, name, requests, command, prepare=lambda port: None, connections=0, listens=b"", policy="everysec"):
        """A command by redis-benchmark while other connections are there."""
        server = self.fresh(name, policy)
        try:
            server.start()
            prepare(server.port)
            with others(server.port, connections, listens) if connections else contextlib.nullcontext():
                return compare.benchmark(server, self.options.benchmark, self.n(requests), 20, 16, command)
        finally:
            self.done(server)

    def publish(self, name, subscribers, messages):
        return self.beside(name, messages, ["PUBLISH", "channel", MESSAGE], connections=subscribers,
                           listens=encode("SUBSCRIBE", "channel"))

    def publish_0(self, name):
        return self.beside(name, 1_000_000, ["PUBLISH", "channel", MESSAGE])

    def publish_1(self, name):
        return self.publish(name, 1, 500_000)

    def publish_100(self, name):
        return self.publish(name, 100, 20_000)

    def publish_1000(self, name):
        return self.publish(name, 1000, 3_000)

    def idle(self, name):
        return self.beside(name, 1_000_000, "get", connections=IDLE)

    def evicting(self, name, test, policy):
        """Memory is full all the time: each new key takes the place of another."""
        server = self.fresh(name, "everysec")
        try:
            server.start()
            call(server.port, "CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", policy)
            compare.benchmark(server, self.options.benchmark, self.n(1_500_000), 20, 64, "set")
            return compare.benchmark(server, self.options.benchmark, self.n(1_000_000), 20, 16, test)
        finally:
            self.done(server)

    def set_evicting_lru(self, name):
        return self.evicting(name, "set", "allkeys-lru")

    def set_evicting_lfu(self, name):
        return self.evicting(name, "set", "allkeys-lfu")

    def set_evicting_random(self, name):
        return self.evicting(name, "set", "allkeys-random")

    def set_with_limit(self, name):
        """A limit that is far away."""
        prepare = lambda port: call(port, "CONFIG", "SET", "maxmemory", "100gb", "maxmemory-policy", "allkeys-lru")
        return self.beside(name, 1_000_000, "set", prepare)

    def transactions(self, name):
        """MULTI, ten SET, EXEC, in pipelines of a hundred such transactions."""
        server = self.fresh(name, "everysec")
        try:
            server.start()
            sets = b"".join(encode("SET", f"key:{number}", VALUE) for number in range(10))
            batch = (encode("MULTI") + sets + encode("EXEC")) * 100
            expected = (len(b"+OK\r\n") + 10 * len(b"+QUEUED\r\n") + len(b"*10\r\n") + 10 * len(b"+OK\r\n")) * 100
            batches = self.n(200_000) // 100
            cpu = server.cpu()
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                for _ in range(batches):
                    connection.sendall(batch)
                    left = expected
                    while left > 0:
                        left -= len(connection.recv(1 << 20))
            return {"cpu": (server.cpu() - cpu) / (batches * 100) * 1e6}
        finally:
            self.done(server)


# As in `compare.py`.
CPU = ("cpu", " µs", False, "≤ 1.0 ×")
ROWS = {
    "publish-0": ("PUBLISH to nobody, pipeline 16, CPU", "publish_0", *CPU),
    "publish-1": ("PUBLISH to 1 subscriber, pipeline 16, CPU", "publish_1", *CPU),
    "publish-100": ("PUBLISH to 100 subscribers, pipeline 16, CPU", "publish_100", *CPU),
    "publish-1000": ("PUBLISH to 1,000 subscribers, pipeline 16, CPU", "publish_1000", *CPU),
    "transactions": ("MULTI, 10 SET, EXEC, `everysec`, pipeline of 100, CPU", "transactions", *CPU),
    "set-evicting-lru": ("SET with full memory, allkeys-lru, `everysec`, pipeline 16, CPU", "set_evicting_lru", *CPU),
    "set-evicting-lfu": ("SET with full memory, allkeys-lfu, `everysec`, pipeline 16, CPU", "set_evicting_lfu", *CPU),
    "set-evicting-random": ("SET with full memory, allkeys-random, `everysec`, pipeline 16, CPU", "set_evicting_random", *CPU),
    "set-with-limit": ("SET far below maxmemory, `everysec`, pipeline 16, CPU", "set_with_limit", *CPU),
    "idle": (f"GET beside {IDLE:,} idle connections, pipeline 16, CPU", "idle", *CPU),
}


if __name__ == "__main__":
    compare.main(ROWS, Services, __doc__)
