"""redis-py across `kill -9` of the server: `redis_py_kill.py SOCKET`. It writes until the server dies, says `waiting`
when writing and `lost` when the connection broke, and once the server is back at the same socket checks that every
write that was acked is there. A write whose ack never came may be there or not; a transaction is whole or absent."""

import sys
import threading

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

WRITERS = 4
NEVER_AGAIN = Retry(NoBackoff(), 0)


class Writer(threading.Thread):
    """Counts up under its own keys, and knows what was sent and what was acked."""

    def __init__(self, socket, number, protocol):
        super().__init__(daemon=True)
        self.redis = redis.Redis(unix_socket_path=socket, protocol=protocol, retry=NEVER_AGAIN)
        self.number, self.sent, self.acked, self.cause = number, 0, 0, None
        self.warm = threading.Event()

    def key(self, name):
        return f"{name}:{self.number}"

    def run(self):
        try:
            while True:
                self.sent += 1
                self.write(self.sent)
                self.acked = self.sent
                if self.acked == 20:
                    self.warm.set()
        except (redis.ConnectionError, redis.WatchError) as lost:
            # Nobody else writes these keys: redis-py says WatchError when it loses the connection while it watches.
            self.cause = lost

    def write(self, n):
        assert self.redis.set(self.key("plain"), n) is True
        assert self.redis.incr(self.key("count")) >= n
        with self.redis.pipeline(transaction=False) as pipe:
            pipe.set(self.key("piped"), n).append(self.key("long"), "x").set(self.key(f"each:{n}"), n, ex=1000)
            pipe.execute()
        with self.redis.pipeline() as pipe:
            pipe.watch(self.key("left"))
            pipe.multi()
            pipe.set(self.key("left"), n).set(self.key("right"), n)
            pipe.execute()

    def check(self):
        def whole(name):
            return int(self.redis.get(self.key(name)) or 0)

        assert self.acked >= 20 and self.cause is not None, self.acked
        known = f"writer {self.number}: sent {self.sent}, acked {self.acked}"
        for name in ("plain", "count", "piped", "left", "right"):
            assert self.acked <= whole(name) <= self.sent, f"{known}, {name} holds {whole(name)}"
        assert whole("left") == whole("right"), f"{known}: half a transaction"
        assert self.acked <= self.redis.strlen(self.key("long")) <= self.sent, known
        each = self.redis.mget([self.key(f"each:{n}") for n in range(1, self.acked + 1)])
        assert each == [str(n).encode() for n in range(1, self.acked + 1)], known
        assert 900 < self.redis.ttl(self.key("each:1")) <= 1000, known


def main():
    writers = [Writer(sys.argv[1], number, 2 + number % 2) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        assert writer.warm.wait(60), "a writer got no acks"
    print("waiting", flush=True)
    for writer in writers:
        writer.join(60)
        assert not writer.is_alive(), "a writer did not notice that the server died"
    print("lost", flush=True)
    assert sys.stdin.readline() == "back\n"
    for writer in writers:
        writer.check()
    print(f"redis-py: {sum(writer.acked for writer in writers)} acked rounds of writes, all there")


main()
