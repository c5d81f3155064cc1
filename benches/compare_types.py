#!/usr/bin/env python3
"""The types of values, ackd beside redis-server: redis-benchmark's own set, collections of many elements, and memory.

Measured as `compare.py` does, whose parts this uses: in turn, round after round; medians, ratios with their 95 % interval,
server CPU per operation. Rows whose commands a server does not have are skipped, and it is said which.

    cargo build --release
    python3 benches/compare_types.py --dir target/bench
    python3 benches/compare_types.py --quick --rows sadd-everysec-p16,sinter-everysec-p1,memory-set

A row is called WORK-POLICY-pPIPELINE; `--rows` takes globs: `--rows 'sadd-*,*-always-*,memory-*'`. The memory rows are
measured with all oracles of `target/oracles`.
"""

import argparse
import datetime
import fnmatch
import os
import pathlib
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile

import compare
from compare import ROOT, Server, interval, shown

ORACLES = {"redis 7.0.15": "redis7-server", "valkey 8.1.8": "valkey-server", "redis 8.2.3": "redis8-server"}
CLIENTS = 50


def encoded(*words):
    """A command as bytes."""
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


class Connection:
    """Sends many commands at once; replies are counted, and an error ends the row."""

    TOGETHER = 512

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.replies = self.socket.makefile("rb")

    def reply(self):
        line = self.replies.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b"$" and int(rest) >= 0:
            return self.replies.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.reply() for _ in range(max(0, int(rest)))]
        return rest

    def call(self, *words):
        self.socket.sendall(encoded(*words))
        return self.reply()

    def fill(self, commands):
        batch = []
        for command in commands:
            batch.append(encoded(*command))
            if len(batch) == self.TOGETHER:
                self.send(batch)
                batch = []
        self.send(batch)

    def send(self, batch):
        self.socket.sendall(b"".join(batch))
        for _ in batch:
            self.reply()

    def close(self):
        self.replies.close()
        self.socket.close()


def chunks(first, count, together, words):
    """Commands of `together` elements each: `words(number)` gives those of an element."""
    for start in range(first, first + count, together):
        numbers = range(start, min(start + together, first + count))
        yield [word for number in numbers for word in words(number)]


class Work:
    """What a row does: how often, the commands that prepare it, and the command or the test of redis-benchmark."""

    def __init__(self, title, requests, test=None, command=None, prepare=None, writes=False, needs=(), floor=None, span=None):
        self.title, self.requests, self.test, self.command = title, requests, test, command
        self.prepare, self.writes, self.floor, self.span = prepare, writes, floor, span or compare.KEYS
        self.needs = [name.lower() for name in needs]


R = "__rand_int__"


def large_zset(scale):
    words = lambda number: [str(number * 7919 % 1_000_003), b"member:%012d" % number]
    return (["ZADD", "z", *rest] for rest in chunks(0, int(1_000_000 * scale), 100, words))


def two_sets(_):
    for key, first in (("s1", 0), ("s2", 50_000)):
        for rest in chunks(first, 100_000, 100, lambda number: [b"member:%08d" % number]):
            yield ["SADD", key, *rest]


def two_intsets(_):
    # Beyond the default a set of integers is a hash table.
    yield ["CONFIG", "SET", "set-max-intset-entries", "1000000"]
    for key, first in (("i1", 0), ("i2", 50_000)):
        yield from (["SADD", key, *rest] for rest in chunks(first, 100_000, 1000, lambda number: [str(number)]))


def hash_of_100(_):
    yield ["HSET", "h", *(word for n in range(100) for word in (f"field:{n:03}", "x" * 20))]


def drivers(scale):
    def words(number):
        return [f"{10 + number * 7919 % 10007 / 20000:.6f}", f"{50 + number * 104729 % 10009 / 20000:.6f}", f"d{number}"]

    yield from (["GEOADD", "g", *rest] for rest in chunks(0, int(100_000 * scale), 100, words))


ENTRIES = 400_000


def stream_group(scale):
    yield ["XGROUP", "CREATE", "x", "group", "0", "MKSTREAM"]
    for number in range(int(ENTRIES * scale)):
        yield ["XADD", "x", f"{number + 1}-0", "field", f"value:{number}"]


def pending_entries(scale):
    yield from stream_group(scale)
    for _ in range(0, int(ENTRIES * scale), 1000):
        yield ["XREADGROUP", "GROUP", "group", "consumer", "COUNT", "1000", "STREAMS", "x", ">"]


def list_of_600(_):
    yield ["RPUSH", "mylist", *(f"element:{n:010}" for n in range(600))]


WORKS = {
    # redis-benchmark's own.
    "set": Work("SET", 1_000_000, test="set", writes=True, needs=["SET"], floor=1.5),
    "get": Work("GET", 1_000_000, test="get", needs=["GET"], floor=1.5),
    "incr": Work("INCR", 1_000_000, test="incr", writes=True, needs=["INCR"], floor=1.5),
    "lpush": Work("LPUSH", 1_000_000, test="lpush", writes=True, needs=["LPUSH"], floor=1.5),
    "rpush": Work("RPUSH", 1_000_000, test="rpush", writes=True, needs=["RPUSH"], floor=1.5),
    "lpop": Work("LPOP", 1_000_000, test="lpop", writes=True, needs=["LPOP"], floor=1.5),
    "rpop": Work("RPOP", 1_000_000, test="rpop", writes=True, needs=["RPOP"], floor=1.5),
    "sadd": Work("SADD", 1_000_000, test="sadd", writes=True, needs=["SADD"], floor=1.5),
    "hset": Work("HSET", 1_000_000, test="hset", writes=True, needs=["HSET"], floor=1.5),
    "spop": Work("SPOP", 1_000_000, test="spop", writes=True, needs=["SPOP"], floor=1.5),
    "zadd": Work("ZADD", 1_000_000, test="zadd", writes=True, needs=["ZADD"], floor=1.5),
    "zpopmin": Work("ZPOPMIN", 1_000_000, test="zpopmin", writes=True, needs=["ZPOPMIN"], floor=1.5),
    "lrange-100": Work("LRANGE_100", 100_000, test="lrange_100", needs=["LPUSH", "LRANGE"]),
    "lrange-300": Work("LRANGE_300", 50_000, test="lrange_300", needs=["LPUSH", "LRANGE"]),
    "lrange-500": Work("LRANGE_500", 30_000, test="lrange_500", needs=["LPUSH", "LRANGE"]),
    "lrange-600": Work("LRANGE_600", 30_000, test="lrange_600", needs=["LPUSH", "LRANGE"]),
    "mset": Work("MSET (10 keys)", 200_000, test="mset", writes=True, needs=["MSET"]),
    "xadd": Work("XADD", 500_000, command=["XADD", "stream", "*", "field", "x" * compare.VALUE], writes=True, needs=["XADD"]),
    # Collections of many elements.
    "zadd-1m": Work("ZADD to 1M members", 500_000, command=["ZADD", "z", R, f"member:{R}"], prepare=large_zset, writes=True,
                    needs=["ZADD"], floor=1.5),
    "zincrby-1m": Work("ZINCRBY in 1M members", 500_000, command=["ZINCRBY", "z", "1", f"member:{R}"], prepare=large_zset,
                       writes=True, needs=["ZADD", "ZINCRBY"], floor=1.5),
    "zrank-1m": Work("ZRANK in 1M members", 500_000, command=["ZRANK", "z", f"member:{R}"], prepare=large_zset,
                     needs=["ZADD", "ZRANK"], floor=1.5),
    "zrange-1m": Work("ZRANGE of 10 by score in 1M members", 300_000,
                      command=["ZRANGE", "z", R, "+inf", "BYSCORE", "LIMIT", "0", "10"], prepare=large_zset,
                      needs=["ZADD", "ZRANGE"]),
    "sismember": Work("SISMEMBER in 100k members", 1_000_000, command=["SISMEMBER", "s1", f"member:{R}"], prepare=two_sets,
                      needs=["SADD", "SISMEMBER"], floor=1.5),
    "srandmember": Work("SRANDMEMBER of 10 in 100k members", 200_000, command=["SRANDMEMBER", "s1", "10"], prepare=two_sets,
                        needs=["SADD", "SRANDMEMBER"]),
    "sinter": Work("SINTER of two sets of 100k", 200, command=["SINTER", "s1", "s2"], prepare=two_sets,
                   needs=["SADD", "SINTER"]),
    "sintercard": Work("SINTERCARD of two sets of 100k", 300, command=["SINTERCARD", "2", "s1", "s2"], prepare=two_sets,
                       needs=["SADD", "SINTERCARD"]),
    "sinter-int": Work("SINTERCARD of two intsets of 100k", 300, command=["SINTERCARD", "2", "i1", "i2"],
                       prepare=two_intsets, needs=["SADD", "SINTERCARD"]),
    "sunion": Work("SUNION of two sets of 100k", 100, command=["SUNION", "s1", "s2"], prepare=two_sets,
                   needs=["SADD", "SUNION"]),
    "sdiff": Work("SDIFF of two sets of 100k", 200, command=["SDIFF", "s1", "s2"], prepare=two_sets,
                  needs=["SADD", "SDIFF"]),
    "sort": Work("SORT of 100k words, LIMIT 0 10", 100, command=["SORT", "s1", "ALPHA", "LIMIT", "0", "10"],
                 prepare=two_sets, needs=["SADD", "SORT"]),
    "hgetall": Work("HGETALL of 100 fields", 100_000, command=["HGETALL", "h"], prepare=hash_of_100,
                    needs=["HSET", "HGETALL"]),
    "lindex": Work("LINDEX in 600 elements", 300_000, command=["LINDEX", "mylist", "300"], prepare=list_of_600,
                   needs=["RPUSH", "LINDEX"]),
    "geosearch": Work("GEOSEARCH of the 10 nearest of 100k", 20_000,
                      command=["GEOSEARCH", "g", "FROMLONLAT", "10.25", "50.25", "BYRADIUS", "5", "km", "ASC", "COUNT", "10"],
                      prepare=drivers, needs=["GEOADD", "GEOSEARCH"]),
    "pfadd": Work("PFADD", 1_000_000, command=["PFADD", "hll", f"element:{R}"], writes=True, needs=["PFADD"], floor=1.5),
    "xreadgroup": Work("XREADGROUP of one entry", 300_000,
                       command=["XREADGROUP", "GROUP", "group", "consumer", "COUNT", "1", "STREAMS", "x", ">"],
                       prepare=stream_group, writes=True, needs=["XADD", "XGROUP", "XREADGROUP"]),
    "xack": Work("XACK of a pending entry", 300_000, command=["XACK", "x", "group", f"{R}-0"], prepare=pending_entries,
                 writes=True, needs=["XADD", "XGROUP", "XREADGROUP", "XACK"], span=ENTRIES),
}

# Elements, and the commands that make them: bytes of resident memory for each. As many as it takes for the first megabyte,
# which a server needs to work at all, to vanish beside them.
MEMORY = {
    "memory-string": ("a string of 100 bytes", 1_000_000, ["SET"],
                      lambda count: (["SET", f"key:{n:012}", "x" * 100] for n in range(count))),
    "memory-hash": ("a hash of 4 fields", 1_000_000, ["HSET"],
                    lambda count: (["HSET", f"key:{n:012}", "name", f"user{n}", "age", n % 90, "city", "Berlin", "id", n]
                                   for n in range(count))),
    "memory-zset": ("a member of a sorted set of 1M", 1_000_000, ["ZADD"],
                    lambda count: (["ZADD", "z", *rest] for rest in
                                   chunks(0, count, 100, lambda n: [str(n * 7919 % 1_000_003), f"member:{n:09}"]))),
    "memory-zset-short": ("a short member of a sorted set of 1M", 1_000_000, ["ZADD"],
                          lambda count: (["ZADD", "z", *rest] for rest in
                                         chunks(0, count, 100, lambda n: [str(n * 7919 % 1_000_003), f"member:{n}"]))),
    "memory-set": ("a member of a set of 1M", 1_000_000, ["SADD"],
                   lambda count: (["SADD", "s", *rest] for rest in chunks(0, count, 100, lambda n: [f"member:{n:09}"]))),
    "memory-set-short": ("a short member of a set of 1M", 1_000_000, ["SADD"],
                         lambda count: (["SADD", "s", *rest] for rest in chunks(0, count, 100, lambda n: [f"member:{n}"]))),
    "memory-hash-large": ("a field of a hash of 1M", 1_000_000, ["HSET"],
                          lambda count: (["HSET", "h", *rest] for rest in
                                         chunks(0, count, 100, lambda n: [f"field:{n:09}", f"value:{n}"]))),
    "memory-list": ("an element of a list of 5M", 5_000_000, ["RPUSH"],
                    lambda count: (["RPUSH", "l", *rest] for rest in chunks(0, count, 100, lambda n: [f"element:{n:09}"]))),
    "memory-lists": ("a list of 10 elements", 1_000_000, ["RPUSH"],
                     lambda count: (["RPUSH", f"list:{n:09}", *(f"element:{m}" for m in range(n, n + 10))]
                                    for n in range(count))),
    "memory-sets": ("a set of 10 members", 1_000_000, ["SADD"],
                    lambda count: (["SADD", f"set:{n:09}", *(f"member:{m}" for m in range(n, n + 10))]
                                   for n in range(count))),
    "memory-zsets": ("a sorted set of 10 members", 1_000_000, ["ZADD"],
                     lambda count: (["ZADD", f"zset:{n:09}", *(word for m in range(n, n + 10) for word in (m, f"member:{m}"))]
                                    for n in range(count))),
    "memory-stream": ("an entry of a stream of 5M", 5_000_000, ["XADD"],
                      lambda count: (["XADD", "x", f"{n + 1}-0", "temperature", n % 40, "device", f"sensor{n % 100}"]
                                     for n in range(count))),
}


def rows():
    """All rows: name -> (work, policy, pipeline)."""
    found = {}
    for name, work in WORKS.items():
        for policy in ("everysec", "always") if work.writes else ("everysec",):
            for pipeline in (1, 16):
                found[f"{name}-{policy}-p{pipeline}"] = (work, policy, pipeline)
    return found


class Rig:
    """Starts servers and measures rows on them."""

    def __init__(self, options):
        self.options = options
        self.scale = 0.1 if options.quick else 1.0

    def fresh(self, name, binary, policy):
        folder = tempfile.mkdtemp(prefix=f"{name.split()[0]}-", dir=self.options.dir)
        return Server(name, binary, folder, policy)

    def done(self, server):
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)

    def commands(self, name, binary):
        """The names of the commands that a server has."""
        server = self.fresh(name, binary, "everysec")
        try:
            server.start()
            connection = Connection(server.port)
            names = {command.decode().lower() for command in connection.call("COMMAND", "LIST")}
            connection.close()
            return names
        finally:
            self.done(server)

    def throughput(self, name, binary, work, policy, pipeline):
        server = self.fresh(name, binary, policy)
        try:
            server.start()
            if work.prepare:
                connection = Connection(server.port)
                connection.fill(work.prepare(self.scale))
                connection.close()
            requests = max(work.requests // 10 if work.requests < 2000 else 2000, int(work.requests * self.scale))
            # Waiting for the disk, a command at a time takes long.
            if policy == "always" and pipeline == 1:
                requests = max(2000, requests // 4)
            if not work.prepare:
                # Warm up: the first segments, the first pages, the first connections; what is popped must be there.
                self.benchmark(server, work, requests // 5, pipeline)
            return self.benchmark(server, work, requests, pipeline)
        finally:
            self.done(server)

    def benchmark(self, server, work, requests, pipeline):
        cpu = server.cpu()
        common = ["-h", "127.0.0.1", "-p", str(server.port), "-n", str(requests), "-c", str(min(CLIENTS, requests)), "-P",
                  str(pipeline), "-d", str(compare.VALUE), "-r", str(int(work.span * self.scale))]
        # Pops find something: redis-benchmark's tests of them do not fill what they pop from.
        fills = {"lpop": "lpush", "rpop": "rpush", "spop": "sadd", "zpopmin": "zadd"}
        if work.test in fills:
            subprocess.run([self.options.benchmark, *common, "-t", fills[work.test], "-q"], capture_output=True, check=True)
            cpu = server.cpu()
        command = [self.options.benchmark, *common] + (["-t", work.test] if work.test else work.command)
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0 or "Error from server" in result.stdout + result.stderr:
            raise SystemExit(f"{' '.join(command)}: {(result.stdout + result.stderr)[-500:]}")
        cpu = server.cpu() - cpu
        sample = compare.read_benchmark(result.stdout)
        sample["cpu"] = cpu / requests * 1e6
        return sample

    def memory(self, name, binary, count, commands):
        """Resident bytes per element."""
        count = int(count * self.scale)
        server = self.fresh(name, binary, "everysec")
        try:
            server.start()
            before = server.rss()
            connection = Connection(server.port)
            connection.fill(commands(count))
            connection.close()
            return (server.rss() - before) / count
        finally:
            self.done(server)


def throughput_report(results):
    """Rates and CPU as markdown."""
    out = ["| work | policy | pipeline | ackd | redis | ratio (95 %) | CPU ackd | CPU redis | CPU ratio (95 %) | asked |",
           "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"]
    for (work, policy, pipeline), samples in results:
        values = {name: {metric: [sample[metric] for sample in samples[name]] for metric in ("rate", "cpu")} for name in samples}
        mean, low, high = interval([a / b for a, b in zip(values["ackd"]["rate"], values["redis"]["rate"])])
        pairs = list(zip(values["ackd"]["cpu"], values["redis"]["cpu"]))
        cpu = "too short"
        if all(a > 0 and b > 0 for a, b in pairs):
            cpu = "{:.2f} ({:.2f} to {:.2f})".format(*interval([a / b for a, b in pairs]))
        median = {name: {metric: statistics.median(numbers) for metric, numbers in values[name].items()} for name in values}
        asked = 1.1 if policy == "always" else work.floor if work.floor and pipeline > 1 else 1.0
        out.append(
            f"| {work.title} | `{policy}` | {pipeline} | {shown(median['ackd']['rate'])}/s | {shown(median['redis']['rate'])}/s "
            f"| {mean:.2f} ({low:.2f} to {high:.2f}) | {median['ackd']['cpu']:.2f} µs | {median['redis']['cpu']:.2f} µs | {cpu} "
            f"| ≥ {asked} × |")
    return out


def memory_report(results, names):
    """Bytes per element as markdown; the best oracle is what ackd is asked for."""
    out = ["| element | " + " | ".join(names) + " | ratio to the best oracle |", "|---|" + "---:|" * (len(names) + 1)]
    for title, figures in results:
        cells = [f"{figures[name]:.1f} B" if name in figures else "" for name in names]
        others = [figures[name] for name in names if name != "ackd" and name in figures]
        cells.append(f"{figures['ackd'] / min(others):.2f}" if others else "")
        out.append(f"| {title} | " + " | ".join(cells) + " |")
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default=ROOT / "target" / "bench", type=pathlib.Path, help="where the data go: a real disk")
    parser.add_argument("--rounds", type=int, default=None, help="pairs per row (5; 2 with --quick)")
    parser.add_argument("--quick", action="store_true", help="a first look: a tenth of the work")
    parser.add_argument("--rows", default="*", help="comma-separated globs; --list shows the names")
    parser.add_argument("--list", action="store_true", help="list the rows and end")
    parser.add_argument("--ackd", default=ROOT / "target" / "release" / "ackd", type=pathlib.Path)
    parser.add_argument("--redis", default=shutil.which("redis-server"), help="redis-server 7.0.15")
    parser.add_argument("--oracles", default=ROOT / "target" / "oracles", type=pathlib.Path, help="for the memory rows")
    parser.add_argument("--benchmark", default=shutil.which("redis-benchmark"))
    parser.add_argument("--markdown", type=pathlib.Path, help="write the report here, too")
    options = parser.parse_args()
    everything = [*rows(), *MEMORY]
    if options.list:
        print("\n".join(everything))
        return
    globs = options.rows.split(",")
    wanted = [name for name in everything if any(fnmatch.fnmatch(name, glob) for glob in globs)]
    idle = [glob for glob in globs if not fnmatch.filter(everything, glob)]
    if idle:
        sys.exit(f"no such rows: {', '.join(idle)}")
    filesystem = compare.prepare_folder(options)
    if not options.redis or not options.benchmark:
        sys.exit("redis-server and redis-benchmark are needed")
    rounds = options.rounds or (2 if options.quick else 5)
    rig, skipped = Rig(options), []
    servers = {"ackd": str(options.ackd), "redis": options.redis}
    oracles = {"ackd": str(options.ackd)}
    oracles |= {name: str(options.oracles / file) for name, file in ORACLES.items() if (options.oracles / file).exists()}
    rated, weighed = [], []
    known = rig.commands("ackd", servers["ackd"])
    for name in wanted:
        needs = [command.lower() for command in MEMORY[name][2]] if name in MEMORY else rows()[name][0].needs
        missing = sorted(set(needs) - known)
        if missing:
            skipped.append(f"{name}: ackd has no {', '.join(missing).upper()}")
            print(f"skipped {skipped[-1]}", file=sys.stderr, flush=True)
            continue
        if name in MEMORY:
            title, count, _, commands = MEMORY[name]
            figures = {server: rig.memory(server, binary, count, commands) for server, binary in oracles.items()}
            print(f"{name}: " + ", ".join(f"{server} {bytes:.1f}" for server, bytes in figures.items()), file=sys.stderr)
            weighed.append((title, figures))
            continue
        samples = {server: [] for server in servers}
        for turn in range(rounds):
            for server in list(servers) if turn % 2 == 0 else list(servers)[::-1]:
                sample = rig.throughput(server, servers[server], *rows()[name])
                samples[server].append(sample)
                print(f"{name} {turn + 1}/{rounds} {server}: {sample['rate']:.0f}/s, {sample['cpu']:.2f} us", file=sys.stderr,
                      flush=True)
        rated.append((rows()[name], samples))
    text = [
        f"Date: {datetime.date.today().isoformat()}. Command: `python3 benches/compare_types.py {' '.join(sys.argv[1:])}`.", "",
        f"Machine: {os.cpu_count()} CPUs, {platform.system()} {platform.release()}, file system {filesystem}. "
        f"Servers: {compare.version(servers['redis'])}. {CLIENTS} clients; {rounds} alternating pairs a row; medians; ratios "
        "with their 95 % interval.", "",
    ]
    text += throughput_report(rated) + [""] if rated else []
    text += ["Bytes of resident memory for each of so many:", ""] + memory_report(weighed, list(oracles)) + [""] if weighed else []
    text += ["Skipped:", ""] + [f"- {line}" for line in skipped] if skipped else []
    text = "\n".join(text) + "\n"
    print(text)
    if options.markdown:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
