# SPDX-License-Identifier: MIT
"""python3-redis against kvd: redis-py.py PORT"""
import sys

import redis

port = int(sys.argv[1])


def expect(actual, wanted):
    if actual != wanted:
        raise SystemExit(f"redis-py: {actual!r} instead of {wanted!r}")


def expect_error(function, word):
    try:
        result = function()
    except redis.RedisError as error:
        expect(word in str(error), True)
    else:
        raise SystemExit(f"redis-py: {result!r} instead of an error")


client = redis.Redis(port=port, client_name="python")
binary = bytes(range(256)) * 1000
expect(client.ping(), True)
expect(client.client_getname(), "python")
expect(client.client_id() > 0, True)
expect(client.get("p:nothing"), None)
expect(client.set("p:a", "1"), True)
expect(client.get("p:a"), b"1")
expect(client.set("p:b", binary), True)
expect(client.get("p:b"), binary)
expect(client.mset({"p:c": 1, "p:d": "ä"}), True)
expect(client.mget("p:c", "p:d", "p:e"), [b"1", "ä".encode(), None])
expect(client.exists("p:c", "p:e"), 1)
expect(client.incr("p:n"), 1)
expect(client.incr("p:n", 41), 42)
expect(client.decr("p:n"), 41)
expect(client.decr("p:n", 50), -9)
expect(client.incrby("p:n", 10), 1)
expect_error(lambda: client.incr("p:d"), "not an integer")
expect(client.echo("x"), b"x")
expect(client.config_get("save"), {"save": ""})
expect("process_id" in client.info(), True)
expect(client.delete("p:c", "p:e"), 1)

# A pipeline is a transaction, unless it is told not to be.
pipeline = client.pipeline()
pipeline.set("p:t", 1).incr("p:t").get("p:t").get("p:nothing")
expect(pipeline.execute(), [True, 2, b"2", None])
pipeline = client.pipeline(transaction=False)
pipeline.get("p:t").delete("p:t").get("p:t")
expect(pipeline.execute(), [b"2", 1, None])
pipeline = client.pipeline()
pipeline.set("p:u", 1).incr("p:d").get("p:u")
results = pipeline.execute(raise_on_error=False)
expect(results[0], True)
expect(isinstance(results[1], redis.ResponseError), True)
expect(results[2], b"1")

# Another connection of the pool; and one that selects a database.
second = redis.Redis(port=port, db=0, decode_responses=True)
expect(second.get("p:d"), "ä")
expect_error(lambda: redis.Redis(port=port, db=1000).ping(), "DB index")
client.delete("p:a", "p:b", "p:d", "p:n", "p:u")
