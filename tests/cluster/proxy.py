# SPDX-License-Identifier: MIT
"""What a member's connections with the servers go through where it has no network of its
own, so that it can be cut off: then nothing comes through, and nobody is told."""
import socket
import threading


class Proxy:
    def __init__(self, servers):
        self.lets_through = threading.Event()
        self.lets_through.set()
        self.addresses = ",".join(self.listen(s) for s in servers.split(","))

    def listen(self, server):
        host, port = server.rsplit(":", 1)
        listener = socket.create_server(("127.0.0.1", 0))
        self.start(self.accept, listener, (host, int(port)))
        return "127.0.0.1:%d" % listener.getsockname()[1]

    @staticmethod
    def start(function, *args):
        threading.Thread(target=function, args=args, daemon=True).start()

    def accept(self, listener, server):
        while True:
            client, _ = listener.accept()
            self.start(self.connect, client, server)

    def connect(self, client, server):
        self.lets_through.wait()
        try:
            other = socket.create_connection(server, 10)
            other.settimeout(None)
        except OSError:
            client.close()
            return
        self.start(self.pump, client, other)
        self.pump(other, client)

    def pump(self, one, other):
        try:
            while True:
                data = one.recv(65536)
                self.lets_through.wait()
                if not data:
                    break
                other.sendall(data)
        except OSError:
            pass
        for end in one, other:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
