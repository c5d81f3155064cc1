"""redis-py, unchanged, against the server on a port: `redis_py.py PORT`. Each check runs over RESP2 and RESP3, sync and
asyncio; an AssertionError with its place is the report. The server must be empty and is left so."""

import asyncio
import sys
import threading
import time

import redis
import redis.asyncio
from redis.exceptions import ExecAbortError, LockError, LockNotOwnedError, ResponseError, WatchError

PORT = int(sys.argv[1])


def fails(error, text, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except error as raised:
        assert text in str(raised), f"{raised!r} does not say {text!r}"
    else:
        raise AssertionError(f"{function} did not raise {error.__name__}")


def strings(r):
    assert r.set("s", "hello") is True
    assert r.get("s") == b"hello" and r.get("none") is None
    assert r.set("s", "x", nx=True) is None
    assert r.set("s", "x", xx=True, get=True) == b"hello"
    assert r.append("s", "yz") == 3 and r.strlen("s") == 3
    assert r.getrange("s", 1, 2) == b"yz" and r.setrange("s", 1, "--") == 3 and r.get("s") == b"x--"
    assert r.mset({"a": 1, "b": 2}) is True and r.mget("a", "b", "c") == [b"1", b"2", None]
    assert r.msetnx({"b": 3, "c": 3}) in (False, 0) and r.get("c") is None
    assert r.incr("n") == 1 and r.incrby("n", 41) == 42 and r.decr("n", 2) == 40
    assert r.incrbyfloat("f", 10.5) == 10.5 and r.incrbyfloat("f", 0.1) == 10.6
    assert r.getset("s", "new") == b"x--" and r.getdel("s") == b"new" and r.getdel("s") is None
    assert r.getex("a", ex=100) == b"1" and 0 < r.ttl("a") <= 100 and r.getex("a", persist=True) == b"1"
    binary = bytes(range(256))
    assert r.set(binary, binary) is True and r.get(binary) == binary
    big = b"x" * 3_000_000
    assert r.set("big", big) is True and r.get("big") == big
    r.mset({"left": "ohmytext", "right": "mynewtext"})
    assert r.lcs("left", "right") == b"mytext" and r.lcs("left", "right", len=True) == 6
    fails(ResponseError, "value is not an integer or out of range", r.incr, "left")
    fails(ResponseError, "wrong number of arguments", r.execute_command, "GET")
    fails(ResponseError, "unknown command", r.execute_command, "NOSUCH")
    assert r.echo("x") == b"x" and r.ping() is True


def keys(r):
    r.mset({"a": 1, "b": 2})
    assert r.exists("a", "b", "c") == 2 and r.touch("a", "c") == 1 and r.type("a") in (b"string", "string")
    assert r.rename("a", "c") is True and r.renamenx("b", "c") is False
    fails(ResponseError, "no such key", r.rename, "none", "x")
    assert r.copy("c", "d") is True and r.copy("c", "d") is False and r.copy("c", "d", replace=True) is True
    assert sorted(r.keys("[bc]")) == [b"b", b"c"] and r.randomkey() in (b"b", b"c", b"d") and r.dbsize() == 3
    assert r.move("d", 9) is True and r.dbsize() == 2
    assert r.object("encoding", "b") in (b"int", "int") and r.object("refcount", "b") >= 1
    assert r.unlink("b") == 1 and r.delete("c", "none") == 1
    assert r.swapdb(0, 9) is True and r.get("d") == b"1"
    assert r.flushdb() is True and r.flushall(asynchronous=True) is True and r.dbsize() == 0


def expiry(r):
    assert r.set("k", 1, ex=100) is True and 99 <= r.ttl("k") <= 100 and 99_000 < r.pttl("k") <= 100_000
    at = int(time.time()) + 500
    assert r.expireat("k", at) is True and r.expiretime("k") == at and r.pexpiretime("k") == at * 1000
    assert r.set("k", 2, keepttl=True) is True and r.ttl("k") > 400
    assert r.persist("k") is True and r.ttl("k") == -1 and r.ttl("none") == -2
    assert r.expire("k", 10, xx=True) is False and r.expire("k", 10, nx=True) is True
    assert r.expire("k", 5, gt=True) is False and r.expire("k", 20, gt=True) is True
    assert r.setex("k", 100, "v") is True and r.psetex("k", 20, "v") is True
    deadline = time.monotonic() + 10
    while r.exists("k"):
        assert time.monotonic() < deadline, "a key of 20 ms still lives"
        time.sleep(0.005)
    assert r.get("k") is None


def pipelines(r):
    with r.pipeline(transaction=False) as pipe:
        for n in range(1000):
            pipe.set(f"p:{n}", n)
            pipe.get(f"p:{n}")
        replies = pipe.execute()
    assert replies == [reply for n in range(1000) for reply in (True, str(n).encode())]
    with r.pipeline(transaction=False) as pipe:
        pipe.set("t", "text").incr("t").get("t")
        set_, incr, get = pipe.execute(raise_on_error=False)
    assert set_ is True and isinstance(incr, ResponseError) and get == b"text"


def transactions(r):
    with r.pipeline() as pipe:
        assert pipe.set("a", 1).incr("a").get("a").execute() == [True, 2, b"2"]
    with r.pipeline() as pipe:
        pipe.watch("a")
        before = int(pipe.get("a"))
        pipe.multi()
        pipe.set("a", before + 1)
        r.set("a", "elsewhere")
        fails(WatchError, "Watched variable changed", pipe.execute)
    assert r.get("a") == b"elsewhere"
    with r.pipeline() as pipe:
        pipe.execute_command("NOSUCH")
        pipe.set("never", 1)
        fails((ExecAbortError, ResponseError), "unknown command", pipe.execute)
    assert r.get("never") is None

    r.set("counter", 0)

    def add(pipe):
        value = int(pipe.get("counter"))
        pipe.multi()
        pipe.set("counter", value + 1)

    threads = [threading.Thread(target=lambda: [r.transaction(add, "counter") for _ in range(10)]) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert r.get("counter") == b"40", "a transaction was lost"


def scanning(r):
    with r.pipeline(transaction=False) as pipe:
        [pipe.set(f"scan:{n}", n) for n in range(777)]
        pipe.set("other", 1)
        pipe.execute()
    assert sorted(r.scan_iter()) == sorted([f"scan:{n}".encode() for n in range(777)] + [b"other"])
    assert sum(1 for _ in r.scan_iter(match="scan:1*", count=7)) == 111
    assert len(set(r.scan_iter(_type="string"))) == 778 and list(r.scan_iter(_type="hash")) == []


def locks(r):
    """The lock of one command each: SET NX PX, and DELIFEQ, which replaces the usual script."""
    assert r.set("lock", "mine", nx=True, px=10_000) is True
    assert r.set("lock", "yours", nx=True, px=10_000) is None
    assert r.execute_command("DELIFEQ", "lock", "yours") == 0 and r.exists("lock") == 1
    assert r.execute_command("SET", "lock", "mine2", "IFEQ", "mine", "PX", 10_000) in (True, b"OK")
    assert r.execute_command("DELIFEQ", "lock", "mine2") == 1 and r.exists("lock") == 0
    # redis-py's own Lock needs scripts only to extend and to release.
    lock = r.lock("own", timeout=10)
    assert lock.acquire(blocking=False) and lock.locked()
    assert not r.lock("own", timeout=10).acquire(blocking=False)
    fails(LockError, "unlocked", r.lock("own").release)
    assert r.execute_command("DELIFEQ", "own", lock.local.token) == 1 and not lock.locked()
    assert issubclass(LockNotOwnedError, LockError)


def server(r):
    protocol = r.connection_pool.connection_kwargs["protocol"]
    assert r.config_get("appendfsync") == {"appendfsync": "always"}
    assert {"maxmemory", "maxmemory-policy"} <= set(r.config_get("maxmemory*"))
    assert set(r.config_get("port", "timeout")) == {"port", "timeout"}
    assert r.config_set("timeout", 77) is True and r.config_get("timeout") == {"timeout": "77"}
    fails(ResponseError, "Unknown option", r.config_set, "nosuch", 1)
    assert r.config_set("timeout", 0) is True and r.config_resetstat() is True

    info = r.info()
    for field, kind in {
        "redis_version": str, "tcp_port": int, "uptime_in_seconds": int, "connected_clients": int, "used_memory": int,
        "used_memory_human": str, "maxmemory_policy": str, "loading": int, "aof_enabled": int, "role": str,
        "total_commands_processed": int, "keyspace_hits": int, "cluster_enabled": int, "used_cpu_sys": float,
    }.items():
        assert isinstance(info[field], kind), f"INFO {field}: {info.get(field)!r}"
    assert info["tcp_port"] == PORT and info["role"] == "master"
    r.set("counted", 1)
    r.set("expires", 1, ex=100)
    keyspace = r.info("keyspace")["db0"]
    assert keyspace["keys"] == 2 and keyspace["expires"] == 1 and keyspace["avg_ttl"] >= 0, keyspace
    assert r.info("commandstats")["cmdstat_set"]["calls"] >= 2
    assert set(r.info("server", "clients")) >= {"redis_version", "connected_clients"}

    assert r.client_setname("tester") is True and r.client_getname() in ("tester", b"tester")
    me = r.client_id()
    mine = [c for c in r.client_list() if int(c["id"]) == me][0]
    assert mine["name"] == "tester" and mine["resp"] == str(protocol) and mine["lib-name"] == "redis-py", mine
    assert "addr" in mine and mine["db"] == "0" and mine["cmd"] == "client|list"
    assert int(r.client_info()["id"]) == me and r.client_list(client_id=[me])[0]["id"] == str(me)
    with redis.Redis(port=PORT, protocol=protocol) as other:
        before = other.client_id()
        assert r.client_kill_filter(_id=before) == 1 and other.client_id() > before, "the pool connects again"
    assert r.client_no_evict("ON") in (b"OK", "OK", True) and r.client_no_evict("OFF") in (b"OK", "OK", True)
    assert r.client_pause(1) is True and r.client_unpause() in (b"OK", "OK", True)

    hello = r.execute_command("HELLO")
    pairs = hello if isinstance(hello, dict) else dict(zip(hello[::2], hello[1::2]))
    assert pairs[b"proto"] == protocol and pairs[b"role"] == b"master", pairs
    commands = r.command()
    assert commands["get"]["arity"] == 2 and "readonly" in str(commands["get"]["flags"]) and "set" in commands
    assert r.command_count() == len(commands) and len(r.command_list()) >= len(commands)
    assert r.command_getkeys("MSET", "a", 1, "b", 2) in ([b"a", b"b"], ["a", "b"])
    docs = r.execute_command("COMMAND DOCS", "set")
    entry = docs[b"set"] if isinstance(docs, dict) else docs[1]
    assert b"summary" in entry and b"arguments" in entry
    fails(NotImplementedError, "", r.command_docs)
    seconds, microseconds = r.time()
    assert abs(time.time() - seconds) < 60 and 0 <= microseconds < 1_000_000
    assert r.wait(0, 10) == 0 and r.role()[0] in (b"master", "master")
    assert r.lastsave() is not None and "ver" in str(r.lolwut()) and r.module_list() == []
    assert r.execute_command("WAITAOF", 1, 0, 1000) == [1, 0]
    assert r.execute_command("CLIENT", "DURABILITY") in (b"disk", "disk")


def decoded():
    for protocol in (2, 3):
        with redis.Redis(port=PORT, protocol=protocol, decode_responses=True, client_name="named", db=5) as r:
            r.set("schlüssel", "wert ☃")
            assert r.get("schlüssel") == "wert ☃" and r.client_getname() == "named"
            assert r.client_info()["db"] in (5, "5") and r.flushdb() is True
            assert r.reset() == "RESET"


async def asynchronous(protocol):
    async with redis.asyncio.Redis(port=PORT, protocol=protocol) as r:
        assert await r.set("a", 1) is True and await r.get("a") == b"1"
        await asyncio.gather(*(r.incr("n") for _ in range(50)))
        assert await r.get("n") == b"50"
        async with r.pipeline(transaction=True) as pipe:
            assert await pipe.set("a", 5).incr("a").execute() == [True, 6]
        async with r.pipeline() as pipe:
            await pipe.watch("a")
            pipe.multi()
            pipe.set("a", 7)
            await r.set("a", "elsewhere")
            try:
                await pipe.execute()
                raise AssertionError("the watch was not seen")
            except WatchError:
                pass
        assert {key async for key in r.scan_iter(match="*", count=1)} == {b"a", b"n"}
        assert (await r.info())["role"] == "master"
        assert (await r.config_get("appendfsync")) == {"appendfsync": "always"}
        assert any(c["lib-name"] == "redis-py" for c in await r.client_list())
        assert await r.flushall() is True


def main():
    for protocol in (2, 3):
        with redis.Redis(port=PORT, protocol=protocol, single_connection_client=False) as r:
            for check in (strings, keys, expiry, pipelines, transactions, scanning, locks, server):
                try:
                    check(r)
                except BaseException:
                    print(f"in {check.__name__}, RESP{protocol}", flush=True)
                    raise
                assert r.flushall() is True
                r.client_setname("")
        asyncio.run(asynchronous(protocol))
    decoded()
    print(f"redis-py {redis.__version__}: all checks hold")


main()
