# SPDX-License-Identifier: MIT
"""Builds the library and the contenders."""
import glob
import os
import shlex
import shutil
import subprocess

WARNINGS = "-std=c11 -O2 -g -D_DEFAULT_SOURCE -Wall -Wextra"
CARGO = "/usr/bin/cargo"
CRATES = "/usr/share/cargo/registry"


class Missing(Exception):
    """The name of the package that is not there."""


class Build:
    def __init__(self, source, out):
        self.source = os.path.abspath(source)
        self.bench = os.path.join(self.source, "tests", "bench")
        self.out = os.path.abspath(out)
        self.cc = shlex.split(os.environ.get("CC", "cc")) + WARNINGS.split()
        self.installed = os.path.join(self.out, "installed")
        self.log = os.path.join(self.out, "build.log")
        os.makedirs(self.out, exist_ok=True)
        open(self.log, "w").close()

    def run(self, command, cwd=None, env=None):
        with open(self.log, "a") as log:
            print("+", shlex.join(command), file=log, flush=True)
            status = subprocess.run(
                command, cwd=cwd or self.out, stdout=log, stderr=log,
                env=dict(os.environ, **(env or {}))).returncode
        if status != 0:
            with open(self.log) as log:
                print("".join(log.readlines()[-20:]), end="")
            raise SystemExit("bench: %s failed; all of it is in %s"
                             % (command[0], self.log))

    def library(self):
        """As it would be installed: -O2, shared, not for debugging.  Whatever
        the tree that we are called from was configured for."""
        tree = os.path.join(self.out, "tree")
        os.makedirs(tree, exist_ok=True)
        # Not of the make that called us: its options are not for this one.
        plain = {"MAKEFLAGS": "", "MFLAGS": "", "MAKELEVEL": ""}
        if not os.path.exists(os.path.join(tree, "Makefile")):
            self.run([os.path.join(self.source, "configure"), "--quiet",
                      "--disable-static", "--prefix=" + self.installed,
                      "CFLAGS=-O2 -g"], tree)
        make = ["make", "--silent", "-j%d" % os.cpu_count()]
        for part in ("include", "lib"):
            self.run(make + ["-C", part, "install"], tree, plain)
        self.run(make + ["-C", "docs/kvd"], tree, plain)
        return os.path.join(tree, "docs", "kvd", "kvd")

    def package(self, module, package):
        """The flags of a library."""
        config = os.environ.get("PKG_CONFIG", "pkg-config")
        found = subprocess.run([config, "--cflags", "--libs", module],
                               stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
        if found.returncode != 0:
            raise Missing(package)
        return found.stdout.decode().split()

    def program(self, name, sources, flags):
        paths = [os.path.join(self.bench, s) for s in sources + ["bench.c"]]
        self.run(self.cc + ["-o", name] + paths + flags)

    def shared(self, name, source):
        self.run(self.cc + ["-shared", "-fPIC", "-o", name,
                            os.path.join(self.bench, source)])

    # One for each program.  They return how it is called.

    def evdefer(self):
        lib = os.path.join(self.installed, "lib")
        sources = ["evdefer.c", "evdefer_deferred.c", "evdefer_lock.c",
                   "evdefer_waiters.c", "evdefer_group.c", "threads.c"]
        self.program("evdefer", sources, [
            "-I" + os.path.join(self.installed, "include"), "-L" + lib,
            "-Wl,-rpath," + lib, "-levdefer", "-ldl", "-pthread"] +
            self.package("libevent_core", "libevent-dev"))
        return ["./evdefer"]

    def floor(self):
        self.shared("libfloor.so", "floor_lock.c")
        self.program("floor", ["floor.c"],
                     ["-L.", "-Wl,-rpath," + self.out, "-lfloor"])
        return ["./floor"]

    def pthread(self):
        self.program("pthread", ["pthread.c", "threads.c"], ["-pthread"])
        return ["./pthread"]

    def libevent(self):
        self.program("libevent", ["libevent.c"],
                     self.package("libevent_core", "libevent-dev"))
        return ["./libevent"]

    def eventfd(self):
        self.program("eventfd", ["eventfd.c", "threads.c"],
                     self.package("libevent_core", "libevent-dev") +
                     ["-pthread"])
        return ["./eventfd"]

    def tevent(self):
        self.program("tevent", ["tevent.c"],
                     self.package("tevent talloc", "libtevent-dev"))
        return ["./tevent"]

    def eina(self):
        self.program("eina", ["eina.c"],
                     self.package("eina", "libefl-all-dev"))
        return ["./eina"]

    def twisted_peer(self):
        for python in ("/usr/bin/python3", "python3"):
            if shutil.which(python) and subprocess.run(
                    [python, "-c", "import twisted"],
                    stderr=subprocess.DEVNULL).returncode == 0:
                return [python, os.path.join(self.bench, "twisted_peer.py")]
        raise Missing("python3-twisted")

    def tokio(self):
        """With Debian's crates and the compiler that they are for."""
        if not glob.glob(os.path.join(CRATES, "tokio-[0-9]*")):
            raise Missing("librust-tokio-dev")
        if not os.path.exists(CARGO):
            raise Missing("cargo")
        home = os.path.join(self.out, "cargo")
        os.makedirs(home, exist_ok=True)
        with open(os.path.join(home, "config"), "w") as config:
            print('[source.crates-io]\nreplace-with = "debian"\n'
                  '[source.debian]\ndirectory = "%s"' % CRATES, file=config)
        copy = os.path.join(self.out, "tokio-source")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(os.path.join(self.bench, "tokio"), copy)
        self.run([CARGO, "build", "--offline", "--release", "--quiet",
                  "--target-dir", os.path.join(self.out, "tokio")], copy,
                 {"CARGO_HOME": home, "RUSTC": "/usr/bin/rustc"})
        return ["tokio/release/tokio"]
