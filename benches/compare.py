#!/usr/bin/env python3
"""ackd and redis-server side by side, on the same file system, in one run.

Both servers are measured in turn, round after round (and the order changes each round), so that a slow minute of
the machine hits both. Printed are medians, the ratio of each round, and a 95 % interval of the ratios (t distribution
of their logarithms). Needs nothing but Python's standard library and redis-benchmark.

    cargo build --release
    python3 benches/compare.py --dir target/bench
    python3 benches/compare.py --quick --rows set-always-50,memory
"""

import argparse
import datetime
import math
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
# Two-sided 95 % points of the t distribution, by degrees of freedom.
T95 = {1: 12.71, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 10: 2.228}
VALUE = 100
KEYS = 1_000_000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running server in a directory of its own."""

    def __init__(self, name, binary, folder, policy):
        self.name, self.binary, self.folder, self.policy = name, binary, pathlib.Path(folder), policy
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process = None

    def start(self):
        """Starts it and returns the seconds until it answers PING with PONG (not LOADING)."""
        self.port = free_port()
        config = self.folder / "server.conf"
        lines = [
            f"port {self.port}", "bind 127.0.0.1", f"dir {self.folder}", "appendonly yes",
            f"appendfsync {self.policy}", 'save ""', "auto-aof-rewrite-percentage 0",
        ]
        config.write_text("\n".join(lines) + "\n")
        self.output = open(self.folder / "server.output", "ab")
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            [self.binary, str(config)], stdout=self.output, stderr=self.output, cwd=self.folder
        )
        deadline = begin + 300
        while time.perf_counter() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended: {(self.folder / 'server.output').read_text()[-2000:]}")
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                    while True:
                        connection.sendall(b"PING\r\n")
                        if connection.recv(200).startswith(b"+PONG"):
                            return time.perf_counter() - begin
                        time.sleep(0.001)
            except OSError:
                time.sleep(0.0005)
        raise SystemExit(f"{self.name} does not answer")

    def stop(self):
        """Ends it cleanly, so that everything is in the log."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.output.close()

    def cpu(self):
        """Seconds of CPU of all its threads so far."""
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = stat.rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def rss(self):
        """Resident bytes."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024


def benchmark_command(server, tool, requests, clients, pipeline, test):
    command = [
        tool, "-h", "127.0.0.1", "-p", str(server.port), "-n", str(requests), "-c", str(clients),
        "-P", str(pipeline), "-d", str(VALUE), "-r", str(KEYS),
    ]
    return command + (["-t", test] if isinstance(test, str) else test)


def benchmark(server, tool, requests, clients, pipeline, test):
    """One run of redis-benchmark: throughput, latency percentiles (ms), server CPU per operation (us)."""
    cpu = server.cpu()
    command = benchmark_command(server, tool, requests, clients, pipeline, test)
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    cpu = server.cpu() - cpu
    return read_benchmark(output) | {"cpu": cpu / requests * 1e6}


def read_benchmark(output):
    """What redis-benchmark says: throughput and latency percentiles (ms)."""
    output = output.replace("\r", "\n")
    rate = float(re.findall(r"throughput summary: ([\d.]+) requests", output)[-1])
    points = [(float(p), float(ms)) for p, ms in re.findall(r"([\d.]+)% <= ([\d.]+) milliseconds \(cum", output)]

    def percentile(wanted):
        return next((ms for p, ms in points if p >= wanted), float("nan"))

    return {"rate": rate, "p50": percentile(50), "p99": percentile(99), "p999": percentile(99.9)}


class Rows:
    """The measurements. Each returns {metric: value} for one server."""

    def __init__(self, options, servers):
        self.options, self.servers = options, servers
        self.scale = 0.15 if options.quick else 1.0

    def n(self, count):
        return max(2000, int(count * self.scale))

    def fresh(self, name, policy):
        folder = tempfile.mkdtemp(prefix=f"{name}-", dir=self.options.dir)
        return Server(name, self.servers[name], folder, policy)

    def done(self, server):
        server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)

    def throughput(self, name, policy, requests, clients, pipeline, test="set", fill=False):
        server = self.fresh(name, policy)
        try:
            server.start()
            tool = self.options.benchmark
            if fill:
                benchmark(server, tool, self.n(1_500_000), 50, 64, "set")
            else:
                # Warm up: the first segments, the first pages, the first connections.
                benchmark(server, tool, self.n(requests) // 5, clients, pipeline, test)
            return benchmark(server, tool, self.n(requests), clients, pipeline, test)
        finally:
            self.done(server)

    def set_always_1(self, name):
        return self.throughput(name, "always", 20_000, 1, 1)

    def set_always_50(self, name):
        return self.throughput(name, "always", 200_000, 50, 1)

    def set_always_50_p16(self, name):
        return self.throughput(name, "always", 1_000_000, 50, 16)

    def set_everysec_p16(self, name):
        return self.throughput(name, "everysec", 2_000_000, 50, 16)

    def get_p16(self, name):
        return self.throughput(name, "everysec", 3_000_000, 50, 16, "get", fill=True)

    def script(self, name, script, *words):
        """A small script, pipelined: redis-benchmark is the limit, so CPU time per call counts."""
        server = self.fresh(name, "everysec")
        try:
            server.start()
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                connection.sendall(b"*3\r\n$6\r\nSCRIPT\r\n$4\r\nLOAD\r\n$%d\r\n%s\r\n" % (len(script), script))
                digest = connection.recv(100).split()[1].decode()
            return benchmark(server, self.options.benchmark, self.n(500_000), 20, 16, ["EVALSHA", digest, *words])
        finally:
            self.done(server)

    def eval_get(self, name):
        return self.script(name, b"return redis.call('get', KEYS[1])", "1", "key")

    def eval_set_incr(self, name):
        script = b"redis.call('set', KEYS[1], ARGV[1]) return redis.call('incr', KEYS[1])"
        return self.script(name, script, "1", "key", "4")

    def get_beside_writers(self, name):
        """GET by one client while eight others SET under `always`."""
        server = self.fresh(name, "always")
        writers = None
        try:
            server.start()
            tool = self.options.benchmark
            benchmark(server, tool, self.n(200_000), 50, 16, "set")
            command = benchmark_command(server, tool, 2_000_000_000, 8, 1, "set")
            writers = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # The writers are under way once the server has seen some of their commands.
            seen = self.commands(server)
            while self.commands(server) < seen + 1000:
                time.sleep(0.01)
            sample = benchmark(server, tool, self.n(15_000), 1, 1, "get")
            # CPU per GET would count the writers' work, too.
            del sample["cpu"]
            return sample
        finally:
            if writers:
                writers.kill()
                writers.wait()
            self.done(server)

    def commands(self, server):
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"INFO stats\r\n")
            data = b""
            while b"total_commands_processed:" not in data or not data.endswith(b"\r\n"):
                data += connection.recv(65536)
        return int(re.search(rb"total_commands_processed:(\d+)", data).group(1))

    def replay(self, name):
        """Start-up on a log of SET commands."""
        commands = self.n(3_000_000)
        server = self.fresh(name, "everysec")
        try:
            server.start()
            benchmark(server, self.options.benchmark, commands, 50, 64, "set")
            server.stop()
            seconds = server.start()
            # The stream is what redis logs: *3, SET, key:000000000000, value.
            stream = commands * len("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000000\r\n$100\r\n" + "x" * VALUE + "\r\n")
            return {"rate": commands / seconds, "mb": stream / 1e6 / seconds}
        finally:
            self.done(server)

    def memory(self, name):
        """Resident memory per key: distinct keys of 16 bytes, values of 100."""
        count = self.n(KEYS)
        server = self.fresh(name, "everysec")
        try:
            server.start()
            before = server.rss()
            value = b"x" * VALUE
            with socket.create_connection(("127.0.0.1", server.port)) as connection:
                for first in range(0, count, 1000):
                    keys = range(first, min(first + 1000, count))
                    connection.sendall(
                        b"".join(b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n$100\r\n%s\r\n" % (key, value) for key in keys)
                    )
                    expected, got = 5 * len(keys), 0
                    while got < expected:
                        got += len(connection.recv(65536))
            return {"bytes": (server.rss() - before) / count}
        finally:
            self.done(server)

    def startup(self, name):
        """From exec to the first PONG, on an empty directory."""
        server = self.fresh(name, "always")
        try:
            return {"ms": server.start() * 1000}
        finally:
            self.done(server)


# name: (title, method, metric that counts, its unit, larger is better, the floor or ceiling of the ratio)
ROWS = {
    "set-always-1": ("SET, `always`, 1 client", "set_always_1", "rate", "/s", True, 1.1),
    "set-always-50": ("SET, `always`, 50 clients", "set_always_50", "rate", "/s", True, 1.2),
    "set-always-50-p16": ("SET, `always`, 50 clients, pipeline 16", "set_always_50_p16", "rate", "/s", True, 2.2),
    "set-everysec-p16": ("SET, `everysec`, pipeline 16", "set_everysec_p16", "rate", "/s", True, 1.8),
    "get-p16": ("GET, pipeline 16", "get_p16", "rate", "/s", True, 1.3),
    "get-beside-writers": ("GET by one client while 8 SET, `always`", "get_beside_writers", "rate", "/s", True, 5.0),
    "eval-get": ("EVALSHA of one GET, pipeline 16, CPU", "eval_get", "cpu", " µs", False, "≤ 1.0 ×"),
    "eval-set-incr": ("EVALSHA of SET and INCR, `everysec`, pipeline 16, CPU", "eval_set_incr", "cpu", " µs", False, "≤ 1.0 ×"),
    "replay": ("log replay", "replay", "rate", " SET/s", True, 3.0),
    "memory": ("memory, strings of 100 bytes, RSS per key", "memory", "bytes", " B", False, "≤ 160 B"),
    "startup": ("start-up on an empty directory", "startup", "ms", " ms", False, "< 50 ms"),
}


def interval(ratios):
    """The geometric mean of ratios and its 95 % interval."""
    logs = [math.log(ratio) for ratio in ratios]
    mean = statistics.fmean(logs)
    if len(logs) < 2:
        return math.exp(mean), float("nan"), float("nan")
    spread = T95.get(len(logs) - 1, 1.96) * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - spread), math.exp(mean + spread)


def shown(value):
    if value != value:
        return "?"
    if value >= 10_000_000:
        return f"{value / 1e6:.1f}M"
    if value >= 10_000:
        return f"{value / 1000:.0f}k"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def report(results, names, known):
    """The results of these rows as markdown."""
    ackd, others = names[0], names[1:]
    out = ["| work | " + " | ".join(names) + " | " + " | ".join(f"ratio to {o} (95 %)" for o in others) + " | asked |"]
    out.append("|---|" + "---:|" * (len(names) + len(others) + 1))
    for row, (title, _, metric, unit, larger, floor) in known.items():
        if row not in results:
            continue
        values = {name: [sample[metric] for sample in results[row][name]] for name in names}
        cells = [f"{shown(statistics.median(values[name]))}{unit}" for name in names]
        for other in others:
            mean, low, high = interval([a / b for a, b in zip(values[ackd], values[other])])
            cells.append(f"{mean:.2f} ({low:.2f} to {high:.2f})")
        asked = f"≥ {floor} ×" if isinstance(floor, float) else floor
        out.append(f"| {title} | " + " | ".join(cells) + f" | {asked} |")
    out += ["", "Latencies in milliseconds (p50 / p99 / p99.9), and server CPU per operation in microseconds:", ""]
    out.append("| work | " + " | ".join(f"{name} latency" for name in names) + " | "
               + " | ".join(f"{name} CPU" for name in names) + " | " + " | ".join(f"CPU ratio to {o}" for o in others) + " |")
    out.append("|---|" + "---:|" * (2 * len(names) + len(others)))
    for row, (title, *_rest) in known.items():
        if row not in results or "p50" not in results[row][ackd][0]:
            continue
        median = {n: {m: statistics.median(s[m] for s in results[row][n]) for m in results[row][n][0]} for n in names}
        cells = [" / ".join(f"{median[n][m]:.3g}" for m in ("p50", "p99", "p999")) for n in names]
        cells += [f"{median[n]['cpu']:.2f}" if "cpu" in median[n] else "" for n in names]
        for other in others:
            if "cpu" not in median[ackd]:
                cells.append("")
                continue
            pairs = [(a["cpu"], b["cpu"]) for a, b in zip(results[row][ackd], results[row][other])]
            if all(a > 0 and b > 0 for a, b in pairs):
                mean, low, high = interval([a / b for a, b in pairs])
                cells.append(f"{mean:.2f} ({low:.2f} to {high:.2f})")
            else:
                cells.append("too short")
        out.append(f"| {title} | " + " | ".join(cells) + " |")
    if "replay" in results:
        out += ["", "Log replay in MB/s of the command stream: " + ", ".join(
            f"{name} {statistics.median(s['mb'] for s in results['replay'][name]):.0f}" for name in names) + "."]
    return "\n".join(out)


def prepare_folder(options):
    """Makes the folder for the data, and answers the name of its file system, which must be on a disk."""
    options.dir = options.dir.resolve()
    options.dir.mkdir(parents=True, exist_ok=True)
    filesystem = subprocess.run(["stat", "-f", "-c", "%T", str(options.dir)], capture_output=True, text=True).stdout.strip()
    if filesystem in ("tmpfs", "ramfs"):
        sys.exit(f"{options.dir} is {filesystem}: measure on a real disk")
    return filesystem


def version(binary):
    result = subprocess.run([binary, "--version"], capture_output=True, text=True)
    return " ".join((result.stdout or result.stderr).split()[:4])


def main(known=ROWS, kind=Rows, description=__doc__):
    """Measures rows that are methods of `kind`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default=ROOT / "target" / "bench", type=pathlib.Path, help="where the data go: a real disk")
    parser.add_argument("--rounds", type=int, default=None, help="pairs per row (5; 2 with --quick)")
    parser.add_argument("--quick", action="store_true", help="a first look: fewer and shorter runs")
    parser.add_argument("--rows", default=",".join(known), help="comma-separated: " + ", ".join(known))
    parser.add_argument("--ackd", default=ROOT / "target" / "release" / "ackd", type=pathlib.Path)
    parser.add_argument("--redis", default=shutil.which("redis-server"), help="redis-server 7.0.15")
    parser.add_argument("--valkey", help="a valkey-server to measure as well")
    parser.add_argument("--benchmark", default=shutil.which("redis-benchmark"))
    parser.add_argument("--markdown", type=pathlib.Path, help="write the report here, too")
    options = parser.parse_args()
    filesystem = prepare_folder(options)
    rounds = options.rounds or (2 if options.quick else 5)
    if not options.redis or not options.benchmark:
        sys.exit("redis-server and redis-benchmark are needed")
    servers = {"ackd": str(options.ackd), "redis": options.redis}
    if options.valkey:
        servers["valkey"] = options.valkey
    wanted = options.rows.split(",")
    unknown = [row for row in wanted if row not in known]
    if unknown:
        sys.exit(f"unknown rows: {', '.join(unknown)}")
    rows, results, names = kind(options, servers), {}, list(servers)
    for row in wanted:
        results[row] = {name: [] for name in names}
        for turn in range(rounds):
            order = names if turn % 2 == 0 else names[::-1]
            for name in order:
                sample = getattr(rows, known[row][1])(name)
                results[row][name].append(sample)
                told = ", ".join(f"{metric} {value:.4g}" for metric, value in sample.items())
                print(f"{row} {turn + 1}/{rounds} {name}: {told}", file=sys.stderr, flush=True)
    head = [
        f"Date: {datetime.date.today().isoformat()}. Command: `python3 benches/{pathlib.Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}`.",
        "",
        f"Machine: {os.cpu_count()} CPUs, {platform.system()} {platform.release()}, file system {filesystem}. "
        + f"Servers: {version(servers['redis'])}" + (f"; {version(options.valkey)}" if options.valkey else "")
        + f". {rounds} alternating pairs a row; medians; ratios with their 95 % interval.",
        "",
    ]
    text = "\n".join(head) + report(results, names, known) + "\n"
    print(text)
    if options.markdown:
        options.markdown.write_text(text)


if __name__ == "__main__":
    main()
