# SPDX-License-Identifier: MIT
"""clients.py PORT COUNT: clients of kvd that read, write and LOCK at once."""

import socket
import sys
import threading

ROUNDS = 30


def work(port, number):
    with socket.create_connection(("127.0.0.1", port)) as client:
        reader = client.makefile("rb")

        def call(line):
            client.sendall(line.encode() + b"\r\n")
            answer = reader.readline()
            # A bulk string, or an array of them, has more lines.
            if answer[:1] == b"*":
                for _ in range(int(answer[1:])):
                    if int(reader.readline()[1:]) >= 0:
                        reader.readline()
            elif answer[:1] == b"$" and int(answer[1:]) >= 0:
                reader.readline()
            return answer

        for i in range(ROUNDS):
            name = f"lock{i % 2}"
            mode = "WRITE" if (i + number) % 3 == 0 else "READ"
            locked = call(f"LOCK {name} {mode} 2000").startswith(b"+")
            call(f"SET key{i % 5} {number}")
            call("MGET key1 key2")
            if locked:
                call(f"UNLOCK {name}")


port, count = int(sys.argv[1]), int(sys.argv[2])
threads = [threading.Thread(target=work, args=(port, number))
           for number in range(count)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
