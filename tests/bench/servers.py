# SPDX-License-Identifier: MIT
"""kvd with and without its lock, and redis-server, for redis-benchmark."""
import glob
import os
import shutil
import socket
import subprocess
import time

import works

KEYS = 10000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def command(name, sync, kvd, port, folder):
    if name == works.REDIS:
        return ["redis-server", "--port", str(port), "--bind", "127.0.0.1",
                "--dir", folder, "--save", "", "--appendonly", "yes",
                "--appendfsync", {"never": "no", "always": "always"}[sync],
                # kvd does not do that by itself either.
                "--auto-aof-rewrite-percentage", "0"]
    # It is named after its options.
    return [kvd, "--port=%d" % port, "--dir=" + folder,
            "--sync=" + sync] + name.split()[1:]


class Server:
    def __init__(self, name, sync, kvd, folder):
        self.name = "%s, %s" % (name, sync)
        self.port = free_port()
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        self.log = os.path.join(folder, "log")
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                command(name, sync, kvd, self.port, folder),
                stdout=log, stderr=log)

    def wait(self):
        end = time.monotonic() + 20
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("bench: %s does not start; see %s"
                         % (self.name, self.log))

    def processor_time(self):
        """Nanoseconds so far, of all threads."""
        total = 0
        for path in glob.glob("/proc/%d/task/*/schedstat" % self.process.pid):
            with open(path) as stat:
                total += int(stat.read().split()[0])
        return total

    def fill(self):
        """So that a GET finds something."""
        self.benchmark("set", 5 * KEYS if "never" in self.name else 200, 16)

    def benchmark(self, test, requests, pipeline):
        """Requests in a second."""
        args = ["redis-benchmark", "-p", str(self.port), "-c", "50",
                "-P", str(pipeline), "-n", str(requests), "-r", str(KEYS),
                "-t", test, "--csv"]
        run = subprocess.run(args, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=300)
        for line in run.stdout.decode().splitlines():
            fields = line.replace('"', "").split(",")
            if fields[0].lower() == test:
                return float(fields[1])
        raise SystemExit("bench: redis-benchmark and %s: %s"
                         % (self.name, run.stdout.decode()))


class Servers:
    def __init__(self, kvd, folder, names):
        self.kvd = kvd
        self.folder = folder
        self.names = names
        self.started = {}

    def start(self, syncs):
        for sync in syncs:
            for i, name in enumerate(self.names):
                server = Server(name, sync, self.kvd, os.path.join(
                    self.folder, "%s-%d" % (sync, i)))
                self.started[name, sync] = server
        for server in self.started.values():
            server.wait()
            server.fill()

    def stop(self):
        for server in self.started.values():
            server.process.terminate()
        for server in self.started.values():
            server.process.wait()
            shutil.rmtree(os.path.dirname(server.log), ignore_errors=True)

    def measure(self, work, name):
        """Requests in a second, and processor time of one, if that is told."""
        sync, test, pipeline = work.args
        server = self.started[name, sync]
        before = server.processor_time()
        rate = server.benchmark(test, work.n, pipeline)
        return rate, (server.processor_time() - before) / work.n
