# SPDX-License-Identifier: MIT
"""Prints the test cases of the installed Twisted that docs/conformance.md does
not name, and fails if there are any.  A class that is left out as a whole has
"all of it" behind its name there."""
import ast
import os
import re
import sys

import twisted

VERSION = (22, 4)
FILES = [
    ("test/test_defer.py", None),
    ("test/test_defgen.py", None),
    ("internet/test/test_inlinecb.py", None),
    ("test/test_task.py", "DeferLaterTests"),
]


def list_cases():
    """The classes of the test files with the names of their cases."""
    home = os.path.dirname(twisted.__file__)
    for name, only in FILES:
        with open(os.path.join(home, name), encoding="utf-8") as source:
            tree = ast.parse(source.read())
        for group in tree.body:
            if not isinstance(group, ast.ClassDef):
                continue
            if only in (None, group.name):
                yield group.name, [
                    member.name for member in group.body
                    if isinstance(member,
                                  (ast.FunctionDef, ast.AsyncFunctionDef))
                    and member.name.startswith("test")]


def main():
    if (twisted.version.major, twisted.version.minor) != VERSION:
        print("conformance: docs/conformance.md is about Twisted %d.%d, and "
              "this is %s" % (VERSION + (twisted.version.base(),)))
        return 0
    with open(sys.argv[1], encoding="utf-8") as page:
        text = page.read()
    named = set(re.findall(r"\w+", text))
    left_out = set(re.findall(r"`(\w+)`, all of it", text))
    cases = 0
    missing = []
    for group, names in list_cases():
        cases += len(names)
        if group not in left_out:
            missing += [group + "." + name for name in names
                        if name not in named]
    for name in missing:
        print("docs/conformance.md does not name " + name)
    print("conformance: %d test cases of Twisted, %d not in "
          "docs/conformance.md" % (cases, len(missing)))
    return 1 if missing else 0


sys.exit(main())
