"""redis-py's client-side cache against the server on a port: `redis_py_cache.py PORT`. Two connections cache, a third one writes.
An AssertionError with its place is the report. The server must be empty and is left so.

redis-py turns its cache on for servers that say they are 7.4 or later. The commands that it needs are as old as 6.0, and a
server that keeps the contract of 7.2 says so: that one check is told to be content with it. Nothing else is touched."""

import random
import sys
import time

import redis
from redis.cache import CacheConfig
from redis.connection import CacheProxyConnection

CacheProxyConnection.MIN_ALLOWED_VERSION = "7.2.0"
PORT = int(sys.argv[1])


def caching():
    return redis.Redis(port=PORT, protocol=3, cache_config=CacheConfig(), single_connection_client=True)


def soon(read, wanted, what):
    """What a connection was told arrives by itself, and a moment after the writer's reply at most."""
    deadline = time.monotonic() + 20
    while (found := read()) != wanted:
        assert time.monotonic() < deadline, f"{what}: {found!r} and not {wanted!r}"
        time.sleep(0.001)


def reads(writer):
    """How many GETs the server has executed."""
    return writer.info("commandstats").get("cmdstat_get", {}).get("calls", 0)


def one_key(reader, writer):
    writer.set("k", "one")
    before = reads(writer)
    assert [reader.get("k") for _ in range(50)] == [b"one"] * 50
    assert reads(writer) == before + 1, "49 of them come out of the cache"
    assert len(reader.get_cache().collection) == 1
    for value in (b"two", b"three"):
        writer.set("k", value)
        soon(lambda: reader.get("k"), value, "a changed key")
    writer.delete("k")
    soon(lambda: reader.get("k"), None, "a deleted key")
    writer.set("k", "brief", px=30)
    soon(lambda: reader.get("k"), b"brief", "a key that expires")
    soon(lambda: reader.get("k"), None, "a key that has expired, whom nobody asked for")


def many_keys(readers, writer):
    names = [f"key:{n}" for n in range(50)]
    chance = random.Random(7)
    for _ in range(2000):
        name = chance.choice(names)
        if chance.random() < 0.2:
            writer.hset(name, "f", chance.random())
        else:
            chance.choice(readers).hget(name, "f")
    for reader in readers:
        for name in names:
            soon(lambda: reader.hget(name, "f"), writer.hget(name, "f"), name)
        assert len(reader.get_cache().collection) >= len(names)


def everything(reader, writer):
    writer.mset({"a": 1, "b": 2})
    assert reader.mget("a", "b") == [b"1", b"2"] and reader.get("a") == b"1"
    writer.flushall()
    soon(lambda: reader.get("a"), None, "an emptied database")
    soon(lambda: reader.mget("a", "b"), [None, None], "an emptied database")


writer = redis.Redis(port=PORT, protocol=3)
one, two = caching(), caching()
assert one.ping() is True and two.ping() is True
assert writer.info("clients")["tracking_clients"] == 2
one_key(one, writer)
many_keys([one, two], writer)
everything(one, writer)
one.close()
two.close()
writer.flushall()
