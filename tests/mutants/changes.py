# SPDX-License-Identifier: MIT
"""All the small changes that can be made to a C source which is formatted as
those of lib/ are: to what is in the bodies of functions, without comments,
strings, assertions, directives and the names and types that are declared."""
import re

OTHERS = {
    "==": ["!="], "!=": ["=="],
    "<": ["<=", ">="], ">=": [">", "<"],
    ">": [">=", "<="], "<=": ["<", ">"],
    "&&": ["||"], "||": ["&&"],
    "+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["/"],
    "&": ["|"], "|": ["&"], "^": ["&"], "<<": [">>"], ">>": ["<<"],
    "+=": ["-="], "-=": ["+="], "*=": ["/="], "/=": ["*="], "%=": ["/="],
    "&=": ["|="], "|=": ["&="], "^=": ["&="], "<<=": [">>="], ">>=": ["<<="],
    "++": ["--"], "--": ["++"], "!": [""],
    "true": ["false"], "false": ["true"], "0": ["1"], "1": ["0"],
    "-1": ["0"],
}
# What is 0 or -1 may as well be 1, as long as it is not -1.
SUCCESS = re.compile(r"0(?= : -1)|(?<=return )0(?=;)")
# What has one operand has no space beside it, and a pointer's * none after it.
WORDS = re.compile(
    r"(?<=\s)(?:%s)(?=\s)" % "|".join(
        re.escape(word) for word in sorted(OTHERS, key=len, reverse=True)
        if not word.isalnum() and word not in ("++", "--", "!"))
    + r"|\+\+|--|!(?!=)|\b(?:true|false)\b|-1\b|(?<![\w.])[01](?![\w.])")
NO_CODE = re.compile(
    r"/\*.*?\*/|//[^\n]*"
    r"|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'"
    r"|^[ \t]*#(?:[^\n\\]|\\.)*", re.DOTALL | re.MULTILINE)
FUNCTION = re.compile(r"^(\w+)\([^;{}]*\)\n\{\n(.*?)^\}",
                      re.DOTALL | re.MULTILINE)
# The latter is one where the library is built to look at threads.
ASSERTION = re.compile(r"\b(?:(?:static_)?assert|evdefer_base_check_)(?=\()")
HEAD = re.compile(r"\s*(?:(if|while|for|switch) (?=\()|else\b|do\b|case [^:]*:"
                  r"|\w+:|[{};])|\s+")
DECLARATION = re.compile(
    r"(?!return\b|goto\b)(?:const|static|struct|enum|union|unsigned|void)\b"
    r"|(?!return\b|goto\b)\w+\s+\**\w+\s*[=;,\[]")
UNUSED = re.compile(r"\(void\)\w+$")


class Change:
    """In file, the text from start to end gives way to new."""

    def __init__(self, source, function, start, end, new):
        text = source.text
        first = text.rfind("\n", 0, start) + 1
        last = text.find("\n", end)
        self.file = source.name
        self.line = text.count("\n", 0, start) + 1
        # Lines keep their numbers, which assertions know.
        new += "\n" * (text.count("\n", start, end) - new.count("\n"))
        self.result = text[:start] + new + text[end:]
        before = " ".join(text[first:last].split())
        after = " ".join((text[first:start] + new + text[end:last]).split())
        # What it is known by, wherever the function moves.
        self.key = " | ".join((function, before, after))
        self.what = "%s:%d: %s(): %s  ->  %s" % (
            self.file, self.line, function, before, after)


class Source:
    def __init__(self, name, text):
        self.name = name
        self.text = text
        self.code = without_assertions(NO_CODE.sub(blank, text))

    def sites(self):
        """For each place, the changes there: one or two."""
        for function in FUNCTION.finditer(self.code):
            name, (start, end) = function[1], function.span(2)
            for site in self.places(start, end):
                yield [Change(self, name, *edit) for edit in site]

    def places(self, start, end):
        for word in WORDS.finditer(self.code, start, end):
            others = OTHERS[word[0]]
            if SUCCESS.match(self.code, word.start()):
                others = ["-1"]
            yield [(*word.span(), other) for other in others]
        kind = None
        while start < end:
            head = HEAD.match(self.code, start, end)
            if head and head[0].strip():
                kind = head[1]
            if head and head[1]:
                start = closing(self.code, head.end())
                condition = self.condition(head[1], head.end() + 1, start - 1)
                if condition:
                    yield [condition]
            elif head:
                start = head.end()
            else:
                after = semicolon(self.code, start, end) + 1
                if may_be_dropped(self.code[start:after - 1], kind):
                    yield [(start, after, ";")]
                start = after
                kind = None

    def condition(self, kind, start, end):
        """Negated, where that is not the same as to turn its operator."""
        if kind == "switch":
            return None
        if kind == "for":
            start = semicolon(self.code, start, end) + 1
            end = semicolon(self.code, start, end)
        code = self.code[start:end].strip()
        alone = not re.search(r"&&|\|\|", code)
        if not code or alone and re.search(r"^!|\s[=!<>]=?=?\s", code):
            return None
        start += len(self.code[start:end]) - len(self.code[start:end].lstrip())
        return start, end, "!(%s)" % self.text[start:end]


def blank(match):
    return re.sub(r"[^\n]", " ", match[0])


def without_assertions(code):
    for match in ASSERTION.finditer(code):
        end = code.find(";", closing(code, match.end()))
        code = (code[:match.start()]
                + re.sub(r"[^\n]", " ", code[match.start():end]) + code[end:])
    return code


def closing(code, start):
    """Behind the bracket that closes the one at start."""
    depth = 0
    for at in range(start, len(code)):
        depth += (code[at] in "([{") - (code[at] in ")]}")
        if depth == 0:
            return at + 1
    raise ValueError("an open bracket: " + code[start:start + 40])


def semicolon(code, start, end):
    """The next one that is in no brackets; end without one."""
    while start < end and code[start] != ";":
        start = closing(code, start) if code[start] in "([{" else start + 1
    return start


def may_be_dropped(statement, kind):
    if statement == "continue" and kind in ("for", "while"):
        return False
    return not DECLARATION.match(statement) and not UNUSED.match(statement)
