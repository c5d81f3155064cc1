#!/usr/bin/env python3
"""How long one very large SET keeps another client waiting, and how much memory it takes: ackd beside redis-server.

    cargo build --release
    python3 benches/large_value.py --dir target/bench            # 500 MB, `always` and `everysec`
"""

import argparse
import pathlib
import socket
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHUNK = b"v" * (1 << 20)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connect(port):
    deadline = time.monotonic() + 30
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def measure(binary, policy, size, folder):
    """Seconds until the SET was acknowledged, of the longest PING meanwhile, and the peak of resident memory in MB."""
    with tempfile.TemporaryDirectory(dir=folder) as directory:
        port = free_port()
        config = pathlib.Path(directory) / "server.conf"
        config.write_text(f'port {port}\nbind 127.0.0.1\ndir {directory}\nappendonly yes\nappendfsync {policy}\nsave ""\n')
        server = subprocess.Popen([binary, str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            writer, prober = connect(port), connect(port)
            done, longest = threading.Event(), [0.0]

            def probe():
                while not done.is_set():
                    begin = time.perf_counter()
                    prober.sendall(b"PING\r\n")
                    prober.recv(100)
                    longest[0] = max(longest[0], time.perf_counter() - begin)
                    time.sleep(0.001)

            thread = threading.Thread(target=probe)
            thread.start()
            begin = time.perf_counter()
            writer.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n" % size)
            for sent in range(0, size, len(CHUNK)):
                writer.sendall(CHUNK[: size - sent])
            writer.sendall(b"\r\n")
            reply = writer.recv(100)
            acknowledged = time.perf_counter() - begin
            time.sleep(0.2)
            done.set()
            thread.join()
            if reply != b"+OK\r\n":
                raise SystemExit(f"{binary}: {reply!r}")
            status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
            return acknowledged, longest[0], int(peak) // 1024
        finally:
            server.terminate()
            server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", default=ROOT / "target" / "bench", type=pathlib.Path, help="where the data go: a real disk")
    parser.add_argument("--ackd", default=ROOT / "target" / "release" / "ackd")
    parser.add_argument("--redis", default=ROOT / "target" / "oracles" / "redis7-server")
    parser.add_argument("--megabytes", default=500, type=int)
    options = parser.parse_args()
    options.dir.mkdir(parents=True, exist_ok=True)
    print("| server | policy | until acked | longest PING | peak memory |\n|---|---|---:|---:|---:|")
    for policy in ["always", "everysec"]:
        for name, binary in [("ackd", options.ackd), ("Redis", options.redis)]:
            acknowledged, longest, peak = measure(binary, policy, options.megabytes * 1_000_000, options.dir)
            print(f"| {name} | `{policy}` | {acknowledged:.2f} s | {longest * 1000:.0f} ms | {peak} MB |", flush=True)


if __name__ == "__main__":
    main()
