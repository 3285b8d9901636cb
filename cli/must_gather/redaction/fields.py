"""Names and flags with their values, within one line of any text. What a name is of, `names` decides."""

import re
from typing import Final

from cli.must_gather.redaction.mask import LEFT_OUT, MASK
from cli.must_gather.redaction.names import is_secret

_NAME: Final = re.compile(r"(?<![\w.-])([\w.-]++)([\\\"'`)\]]{0,6}[ \t]{0,8}(?:=>|:=|[:=])[ \t]*+)")
_FLAG: Final = re.compile(r"(?<![\w.-])(--?[A-Za-z][\w.-]*+)(?:[ \t]++|[\\\"']{1,4},[ \t]{0,4})(?=[^\s-])")
"""Also in lists as programs print them."""
_FLAG_ALONE: Final = re.compile(r"[ \t]*+(?:- )?[ \t]*+[\"']?(--?[A-Za-z][\w.-]*+)[\"']?,?[ \t\r]*+")
_ITEM: Final = re.compile(r"[ \t]*+(?:- )?[ \t]*+(\S.*+)")
_TAKES_PASSWORD: Final = re.compile(r"\b(?:sshpass|mysql\w*+|mariadb|login)\b")
_PASSWORD_FLAG: Final = re.compile(r"[ \t]-p[ \t]{0,4}(?=[^\s-])")
_USER_FLAGS: Final = frozenset({"-u", "--user", "-U", "--proxy-user"})
_USER: Final = re.compile(r"[^\s:]{0,256}+:(?!\d{1,10}+(?:\s|$))\S")
_OPENING: Final = re.compile(r"(\\*+)([\"'`])")
_CLOSING: Final = re.compile(r"(?<!\\)(\\*+)([\"'`])")
_SPACE: Final = re.compile(r"\s")
_ENDS_IN_A_QUERY: Final = re.compile(r"[&\s\"'<>#\\]")
_NEXT: Final = re.compile(
    r"(?:[,;&|]{1,2}[ \t]++|(?<![ \t])[ \t]++|,(?=[\"'\\]))"
    r"(?=(?:-{1,2}|[\"'\\{]{0,4})[A-Za-z][\w.-]*+[\"'\\]{0,4}[ \t]?[:=])"
)
_PAIR: Final = re.compile(r"[\\\"'`]{0,4}([\w.-]++)")
_QUERY_ONLY: Final = frozenset({"sig", "signature", "x-amz-signature", "x-goog-signature", "code", "key", "sv"})
"""Names that mean a secret only in the query of an address."""
_BEFORE_A_WHOLE_LINE: Final = frozenset({"", "-", "export", "set", "+", "+ export", "env", "ENV", ">", "<", "*", "#"})
_HEADER: Final = re.compile(r"cookie2?$|authorization$", re.IGNORECASE)
"""What a header has may be several names with their values."""
_LOOK_BACK: Final = 80
"""Characters before a name that are looked at."""

_EMPTY: Final = frozenset({"true", "false", "null", "none", "nil", "<nil>", "", "|", ">", "~"})
_VARIABLE: Final = re.compile(r"\$[({]{0,2}[A-Z_][A-Z0-9_]*[)}]{0,2}")
_OBJECT: Final = re.compile(
    r"\b(?:secret|configmap|pod|serviceaccount|node|namespace|key)s? \\*+\"[\w./-]{1,253}+\\*+\""
)
_WORD: Final = re.compile(r"[^\s:,.;()]++")
_SAYS_WHAT: Final = re.compile(
    r"cannot|denied|empty|error|exceeded|expired|failed|forbidden|invalid|malformed|missing|not|refused|rejected|required"
    r"|timed|timeout|unauthorized|unknown|unsupported|wrong"
)
_AROUND: Final = re.compile(
    r"an?|and|are|as|at|audience|be|been|but|by|cache|configmap|context|could|deadline|does|exist|expected|file|for|format"
    r"|found|get|has|header|in|internal|is|it|lookup|must|no|of|on|open|or|out|permission|permitted|provided|read|resource"
    r"|retrying|secrets?|server|signature|such|sync|the|time|to|token|user|valid|verification|waiting|was|while|with|yet"
)
"""Of both alone, and of one of the first, consist sentences on what is wrong with a secret."""


class Line:
    """Cleans lines that follow each other: a name in one may be of the value in the next."""

    def __init__(self) -> None:
        self.named = ""
        """The name, if the last field was the `name` or `key` of a pair and it is of a secret."""
        self._flag = ""
        """The flag, if the last line was one alone that takes a secret."""

    def __call__(self, text: str) -> str:
        before = self.named, self._flag
        clean = self._named(self._follows(text))
        if text.lstrip(" \t")[:1] in ("", "#"):  # what is said between a name and its value
            self.named, self._flag = before
        return clean

    def _follows(self, text: str) -> str:
        """Without the value of a flag that the line before has."""
        item, alone = _ITEM.match(text), _FLAG_ALONE.fullmatch(text)
        flag, self._flag = self._flag, alone[1] if alone and not text.startswith("#") else ""
        value = item[1].strip("\"',") if item else ""
        if not flag or item is None or value.startswith(("-", "#", MASK)) or not flag_takes_secret(flag, value):
            return text
        return text if is_kept(value) else f"{text[: item.start(1)]}{MASK}"

    def _named(self, text: str) -> str:
        parts, done, at, named = [], 0, 0, self.named
        self.named = ""
        while found := _NAME.search(text, at):
            at, name = found.end(), found[1]
            if name in ("name", "key", "Name", "Key") and (pair := _PAIR.match(text, at)):
                named = pair[1] if is_secret(pair[1]) else ""
                self.named = named
                continue
            if not (_is_secret(text, found) or (named and name in ("value", "Value"))):
                continue
            self.named = named = ""
            end = _end(text, found)
            if not is_kept(text[at:end]):
                parts += [text[done:at], MASK]
                done = end
            at = max(end, at)
        return _flags("".join((*parts, text[done:])))


def _is_secret(text: str, found: re.Match[str]) -> bool:
    name = found[1]
    if name in _USER_FLAGS:
        return _USER.match(text, found.end()) is not None
    return is_secret(name) or (name.lower() in _QUERY_ONLY and text[found.start() - 1 : found.start()] in ("?", "&"))


def opens_secret(text: str) -> str:
    """The name of a secret of which the value begins where the text ends; empty if there is none."""
    last = None
    for last in _NAME.finditer(text, max(0, len(text) - 200)):  # noqa: B007  # the last one counts
        pass
    return last[1] if last is not None and not text[last.end() :].strip() and is_secret(last[1]) else ""


def flag_takes_secret(flag: str, value: str) -> bool:
    """Whether the value of a flag is a secret."""
    if flag in _USER_FLAGS:
        return _USER.match(value) is not None
    return flag.startswith("-") and is_secret(flag)


def _flags(text: str) -> str:
    """`--token VALUE`, `-u user:VALUE`, `sshpass -p VALUE`."""
    parts, done, at = [], 0, 0
    while found := _FLAG.search(text, at):
        at = found.end()
        if found[1] not in _USER_FLAGS and not is_secret(found[1]):
            continue
        end = _word_end(text, at)
        value = text[at:end]
        if flag_takes_secret(found[1], value.strip("\"'\\")) and not is_kept(value):
            parts += [text[done:at], MASK]
            done = at = end
    text = "".join((*parts, text[done:]))
    return _password_flag(text) if " -p" in text else text


def _password_flag(text: str) -> str:
    command = _TAKES_PASSWORD.search(text)
    if command is None:
        return text
    parts, done = [], 0
    while found := _PASSWORD_FLAG.search(text, max(done, command.end())):
        parts += [text[done : found.end()], MASK]
        done = _word_end(text, found.end())
    return "".join((*parts, text[done:]))


def _end(text: str, found: re.Match[str]) -> int:
    """Where the value ends. Values have spaces, so that one without quotes goes to the next name or the line's end."""
    at = found.end()
    if text.startswith((MASK, LEFT_OUT), at):
        return at + len(MASK if text.startswith(MASK, at) else LEFT_OUT)
    if (end := _quoted_end(text, at)) is not None:
        return end
    if text[at : at + 1] in ("{", "["):
        return _balanced_end(text, at)
    before = text[max(0, found.start() - _LOOK_BACK) : found.start()]
    if found[1].startswith("-"):
        return _word_end(text, at)
    if before.endswith(("?", "&")):
        return _until(text, at, _ENDS_IN_A_QUERY)
    quote = before[-1:]
    if quote in ("'", '"', "`") and quote not in found[2]:  # the name and the value are in one pair of quotes
        end = text.find(quote, at)
        return end if end >= 0 else len(text)
    if _HEADER.search(found[1]) or (len(before) < _LOOK_BACK and before.strip() in _BEFORE_A_WHOLE_LINE):
        return len(text)
    return _until(text, at, _NEXT)


def _until(text: str, at: int, pattern: re.Pattern[str]) -> int:
    found = pattern.search(text, at)
    return found.start() if found else len(text)


def _quoted_end(text: str, at: int) -> int | None:
    """Behind the closing quote, which has as many backslashes as the opening one; None without one."""
    opening = _OPENING.match(text, at)
    if opening is None:
        return None
    for found in _CLOSING.finditer(text, opening.end()):
        slashes = len(found[1])
        if found[2] == opening[2] and (slashes == len(opening[1]) if opening[1] else slashes % 2 == 0):
            return found.end()
    return len(text)


def _balanced_end(text: str, at: int) -> int:
    depth = 0
    for place in range(at, len(text)):
        depth += (text[place] in "{[") - (text[place] in "}]")
        if depth == 0:
            return place + 1
    return len(text)


def _word_end(text: str, at: int) -> int:
    """Of a word of a shell."""
    end = _quoted_end(text, at)
    return end if end is not None else _until(text, at, _SPACE)


def is_kept(value: str) -> bool:
    """Whether it is no secret: nothing, a switch, where a secret is to be put in, or what is wrong with one."""
    bare = value.strip(" \t\r\"'\\,;)}]")
    if (
        bare.lower() in _EMPTY
        or value.strip(" \t\r\"'\\,;)}") in (MASK, LEFT_OUT)
        or _VARIABLE.fullmatch(value.strip())
    ):
        return True
    words = [word.strip("\"'\\") for word in _WORD.findall(_OBJECT.sub("", value.lower()))]
    around = [word for word in words if not _SAYS_WHAT.fullmatch(word)]
    return len(around) < len(words) and all(_AROUND.fullmatch(word) for word in around)
