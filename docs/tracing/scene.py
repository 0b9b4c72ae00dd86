#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""scene.py PORT: four clients of kvd that wait for each other, for a picture."""

import socket
import sys
import threading
import time


class Client:
    def __init__(self):
        self.socket = socket.create_connection(
            ("127.0.0.1", int(sys.argv[1])))
        self.replies = self.socket.makefile("rb")

    def call(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.replies.readline()

    def call_meanwhile(self, line):
        thread = threading.Thread(target=self.call, args=(line,))
        thread.start()
        return thread


ann, bob, cid, dan = [Client() for _ in range(4)]
ann.call("LOCK jobs READ")
time.sleep(.01)
bob.call("LOCK jobs READ")
time.sleep(.02)
writer = cid.call_meanwhile("LOCK jobs WRITE")
time.sleep(.015)
reader = dan.call_meanwhile("LOCK jobs READ")
time.sleep(.01)
for i in range(3):
    ann.call(f"SET x {i}")
    time.sleep(.004)
ann.call("UNLOCK jobs")
time.sleep(.012)
bob.call("UNLOCK jobs")
writer.join()
cid.call("LOCK mail WRITE")
mail = bob.call_meanwhile("LOCK mail WRITE")
time.sleep(.03)
cid.call("UNLOCK jobs")
reader.join()
time.sleep(.008)
cid.call("UNLOCK mail")
mail.join()
time.sleep(.015)
dan.call("UNLOCK jobs")
bob.call("UNLOCK mail")
