#!/usr/bin/env python3
"""How well eviction chooses: misses of a cache under load, beside redis-server and beside exact LRU.

Keys are drawn by a power law, as `redis-cli --lru-test` draws them. Each server gets a `maxmemory` with which it holds the same
number of keys, and then the same requests: GET, and SET of what was missed. Counted are misses of the second half. The
requests are spread over time, for servers know the time of the last use only by the second.

    cargo build --release
    python3 benches/eviction_quality.py --dir target/bench
"""

import argparse
import collections
import datetime
import pathlib
import random
import re
import shutil
import socket
import sys
import time

import compare
from compare_services import call, encode

SPACE, HELD, REQUESTS, BATCH = 400_000, 100_000, 1_500_000, 100
EXPONENT = 6.2
POLICIES = ["allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-ttl"]


def trace(seed):
    """Numbers of keys, most of them low."""
    draw = random.Random(seed).random
    return [int(draw() ** EXPONENT * SPACE) for _ in range(REQUESTS)]


def exact_lru(keys):
    held, misses = collections.OrderedDict((key, None) for key in range(SPACE - HELD, SPACE)), 0
    for number, key in enumerate(keys):
        if key in held:
            held.move_to_end(key)
            continue
        misses += number >= len(keys) // 2
        held[key] = None
        held.popitem(last=False)
    return misses


def used(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(encode("INFO", "memory"))
        return int(re.search(rb"used_memory:(\d+)", connection.recv(65536)).group(1))


def misses(server, policy, keys, seconds):
    """Misses of the second half, and how many keys were held in the end."""
    expiry = ("EX", "100000") if policy.startswith("volatile") else ()

    def store(key):
        return encode("SET", f"key:{key}", "v" * 300, *expiry)

    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        replies = connection.makefile("rb")
        for first in range(SPACE - HELD, SPACE, 1000):
            connection.sendall(b"".join(store(key) for key in range(first, first + 1000)))
            for _ in range(1000):
                replies.readline()
        call(server.port, "CONFIG", "SET", "maxmemory-policy", policy)
        call(server.port, "CONFIG", "SET", "maxmemory", used(server.port))
        missed, begin = 0, time.monotonic()
        for first in range(0, len(keys), BATCH):
            batch = keys[first:first + BATCH]
            connection.sendall(b"".join(encode("GET", f"key:{key}") for key in batch))
            absent = []
            for key in batch:
                if replies.readline() == b"$-1\r\n":
                    absent.append(key)
                else:
                    replies.readline()
            if absent:
                connection.sendall(b"".join(store(key) for key in absent))
                for _ in absent:
                    replies.readline()
            missed += len(absent) if first >= len(keys) // 2 else 0
            ahead = begin + seconds * first / len(keys) - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
    return missed, int(call(server.port, "DBSIZE")[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default=compare.ROOT / "target" / "bench", type=pathlib.Path)
    parser.add_argument("--ackd", default=compare.ROOT / "target" / "release" / "ackd", type=pathlib.Path)
    parser.add_argument("--redis", default=shutil.which("redis-server"))
    parser.add_argument("--valkey", help="a valkey-server to measure as well")
    parser.add_argument("--seconds", type=float, default=60, help="over which the requests of one measurement are spread")
    parser.add_argument("--policies", default=",".join(POLICIES))
    options = parser.parse_args()
    compare.prepare_folder(options)
    servers = {"ackd": str(options.ackd), "redis": options.redis} | ({"valkey": options.valkey} if options.valkey else {})
    keys, half = trace(1), REQUESTS - REQUESTS // 2
    rows = compare.Rows(argparse.Namespace(dir=options.dir, quick=False), servers)
    print(f"Date: {datetime.date.today().isoformat()}. Command: `python3 benches/eviction_quality.py {' '.join(sys.argv[1:])}`.\n")
    print(f"Misses in percent (and keys held) with room for {HELD:,} of {SPACE:,} keys; exact LRU would miss "
          f"{exact_lru(keys) / half * 100:.2f} %.\n")
    print("| policy | " + " | ".join(servers) + " |")
    print("|---|" + "---:|" * len(servers))
    for policy in options.policies.split(","):
        cells = []
        for name in servers:
            server = rows.fresh(name, "no")
            try:
                server.start()
                missed, held = misses(server, policy, keys, options.seconds)
                cells.append(f"{missed / half * 100:.2f} % ({held:,})")
            finally:
                rows.done(server)
        print(f"| {policy} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
