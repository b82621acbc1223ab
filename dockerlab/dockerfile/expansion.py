"""The shell-word rules of a Dockerfile: quotes, escapes and $VARIABLES, as BuildKit's lexer reads them.

Source: BuildKit, frontend/dockerfile/shell (ProcessWord, ProcessWords); POSIX shell, "Parameter Expansion".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dockerlab.errors import DockerfileError

# Go's unicode.IsSpace. Python's str.isspace also takes U+001C-U+001F, which are no space to BuildKit.
SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
MAX_DEPTH = 100  # nested ${...}: far more than anyone writes, far less than Python's recursion limit

_SPECIAL = "@*#?-$!0"


def expand(word: str, env: Mapping[str, str], *, escape: str = "\\") -> str:
    """Return `word` with quotes and escapes taken off and $variables replaced, white space kept.

    Knows $x ${x} ${x:-d} ${x-d} ${x:+d} ${x+d} ${x:?e} ${x?e} ${x#p} ${x##p} ${x%p} ${x%%p} ${x/p/r}
    ${x//p/r}, nested; an unset variable gives "". Raises DockerfileError without a line: the caller knows it.
    """
    return _lex(word, env, escape=escape)[0]


def expand_words(word: str, env: Mapping[str, str], *, escape: str = "\\") -> list[str]:
    """As expand(), then split on white space that is not quoted (spaces of a variable's value split too)."""
    return _lex(word, env, escape=escape)[1]


def expand_heredoc(content: str, env: Mapping[str, str]) -> str:
    r"""Expand the body of an unquoted COPY or ADD heredoc: variables and `\` escapes; quotes stay.

    The escape here is always `\`, whatever the `escape` directive says.
    """
    return _Lexer(content, env, skip_quotes=True).run()[0]


def heredoc_words(line: str) -> list[str]:
    """Split a line into words with quotes, escapes and variables kept; [] where its quotes do not close."""
    try:
        return _Lexer(line, {}, raw_quotes=True, raw_escapes=True, skip_unset=True).run()[1]
    except DockerfileError:
        return []


def heredoc_delimiter(word: str) -> tuple[str, bool] | None:
    """Return a heredoc delimiter without its quotes, and whether it had none; None: it is not one word."""
    bare = _Lexer(word, {}, skip_unset=True).run()[1]
    raw = _Lexer(word, {}, raw_quotes=True, skip_unset=True).run()[1]
    if len(bare) != 1 or len(raw) != 1:
        return None
    return bare[0], _count_quotes(bare[0]) == _count_quotes(raw[0])


def _count_quotes(text: str) -> int:
    return text.count("'") + text.count('"')


def _lex(word: str, env: Mapping[str, str], *, escape: str) -> tuple[str, list[str]]:
    try:
        return _Lexer(word, env, escape=escape).run()
    except DockerfileError as error:
        raise DockerfileError(f"cannot expand {word!r}: {error.message}", hint=error.hint) from error


@dataclass
class _Words:
    """Collects words the way the lexer splits them: bare spaces split, quoted ones do not."""

    words: list[str] = field(default_factory=list)
    word: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        for char in text:
            if char not in SPACES:
                self.word.append(char)
            elif any(self.word):
                self._close()

    def add_raw(self, text: str) -> None:
        self.word.append(text)

    def finish(self) -> list[str]:
        if any(self.word):
            self._close()
        return self.words

    def _close(self) -> None:
        self.words.append("".join(self.word))
        self.word = []


class _Lexer:
    """One pass over one text; the options are the names of BuildKit's."""

    def __init__(
        self,
        text: str,
        env: Mapping[str, str],
        *,
        escape: str = "\\",
        raw_quotes: bool = False,
        raw_escapes: bool = False,
        skip_quotes: bool = False,
        skip_unset: bool = False,
    ) -> None:
        self.text, self.env, self.escape = text, env, escape
        self.raw_quotes, self.raw_escapes = raw_quotes, raw_escapes
        self.skip_quotes, self.skip_unset = skip_quotes, skip_unset
        self.at = 0
        self.depth = 0

    def run(self) -> tuple[str, list[str]]:
        return self._until("", raw_escapes=self.raw_escapes)

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _next(self) -> str:
        char = self._peek()
        self.at += len(char)
        return char

    def _until(self, stop: str, *, raw_escapes: bool) -> tuple[str, list[str]]:
        """Read up to the character `stop` ("" is the end of the text)."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise DockerfileError(
                f"${{...}} is nested more than {MAX_DEPTH} deep", hint="Write it in steps, with ARG."
            )
        outer, self.raw_escapes = self.raw_escapes, raw_escapes
        try:
            return self._read(stop)
        finally:
            self.raw_escapes = outer
            self.depth -= 1

    def _read(self, stop: str) -> tuple[str, list[str]]:
        result: list[str] = []
        words = _Words()
        while char := self._peek():
            if char == stop:
                self._next()
                return "".join(result), words.finish()
            if char == "$":
                part = self._dollar()
                words.add(part)
            elif char in "'\"" and not self.skip_quotes:
                part = self._single_quoted() if char == "'" else self._double_quoted()
                words.add_raw(part)
            elif self._next() == self.escape:
                kept = char if self.raw_escapes else ""
                part = kept + self._next()
                if part:
                    words.add_raw(part)
            else:
                part = char
                words.add(char)
            result.append(part)
        if stop:
            raise DockerfileError(
                f"the text ends before the matching {stop}", hint=f"Add the missing {stop}."
            )
        return "".join(result), words.finish()

    def _single_quoted(self) -> str:
        start = self.at
        end = self.text.find("'", start + 1)
        if end < 0:
            raise DockerfileError(
                "a single quote is not closed", hint="Add the missing ' at the end of the value."
            )
        self.at = end + 1
        return self.text[start : end + 1] if self.raw_quotes else self.text[start + 1 : end]

    def _double_quoted(self) -> str:
        quote = self._next() if self.raw_quotes else self._next()[1:]
        result = [quote]
        while char := self._peek():
            if char == "$":
                result.append(self._dollar())
                continue
            self._next()
            if char == '"':
                return "".join([*result, quote])
            if char == self.escape:
                if self.raw_escapes:
                    result.append(char)
                if not self._peek():
                    break
                if self._peek() in ('"', "$", self.escape):
                    char = self._next()
            result.append(char)
        raise DockerfileError(
            "a double quote is not closed", hint='Add the missing " at the end of the value.'
        )

    def _dollar(self) -> str:
        self._next()
        if self._peek() != "{":
            name = self._name()
            if not name:
                return "$"
            return f"${name}" if self.skip_unset and name not in self.env else self.env.get(name, "")
        self._next()
        if self._peek() in ("{", "}", ":"):
            raise DockerfileError(
                f"bad substitution: ${{ is followed by {self._peek()}",
                hint="Write ${NAME}, with a name after the brace.",
            )
        name = self._name()
        modifier = self._next()
        if modifier == "}":
            return f"${{{name}}}" if self.skip_unset and name not in self.env else self.env.get(name, "")
        if modifier == "/":
            return self._replaced(name)
        null_is_unset = modifier == ":"
        kind = self._next() if null_is_unset else modifier
        if not null_is_unset and kind not in ("+", "-", "?", "#", "%"):
            raise self._bad_modifier(name, modifier)
        word = self._part("}", raw_escapes=kind in ("#", "%"))
        shown = modifier + kind if null_is_unset else modifier
        if self.skip_unset and name not in self.env:
            return f"${{{name}{shown}{word}}}"
        return self._modified(name, kind, word, null_is_unset=null_is_unset)

    def _modified(self, name: str, kind: str, word: str, *, null_is_unset: bool) -> str:
        value = self.env.get(name)
        absent = value is None or (null_is_unset and value == "")
        if kind == "-":
            return word if absent else value or ""
        if kind == "+":
            return "" if absent else word
        if kind == "?":
            if absent:
                what = "must be set" if value is None else "must not be empty"
                raise DockerfileError(
                    f"{name}: {word or what}", hint=f"Give {name} a value with ARG, ENV or --build-arg."
                )
            return value or ""
        if kind in ("#", "%"):
            greedy = word.startswith(kind)
            pattern = word[1:] if greedy else word
            return _trimmed(value or "", pattern, greedy=greedy, suffix=kind == "%")
        raise self._bad_modifier(name, f":{kind}")

    def _replaced(self, name: str) -> str:
        every = self._peek() == "/"
        if every:
            self._next()
        pattern = self._part("/", raw_escapes=True)
        replacement = self._part("}", raw_escapes=True)
        if self.skip_unset and name not in self.env:
            return f"${{{name}/{pattern}/{replacement}}}"
        regex = re.compile(_regex(pattern, greedy=True))
        value = self.env.get(name, "")
        if every:
            return _replace_all(regex, replacement, value)
        return regex.sub(lambda _: replacement, value, count=1)

    def _part(self, stop: str, *, raw_escapes: bool) -> str:
        try:
            return self._until(stop, raw_escapes=raw_escapes)[0]
        except DockerfileError:
            if self._peek():
                raise
            raise DockerfileError(f"${{ has no matching {stop}", hint=f"Add the missing {stop}.") from None

    def _bad_modifier(self, name: str, modifier: str) -> DockerfileError:
        if not modifier:
            return DockerfileError(f"${{{name} has no matching }}", hint="Add the missing }.")
        known = ":-  :+  :?  -  +  ?  #  ##  %  %%  /  //"
        return DockerfileError(
            f"${{{name}{modifier}...}} has an unknown modifier", hint=f"The modifiers are {known}."
        )

    def _name(self) -> str:
        start = self.at
        first = self._peek()
        if first.isdecimal():
            while self._peek().isdecimal():
                self._next()
        elif first and first in _SPECIAL:
            self._next()
        else:
            while (char := self._peek()) and (char.isalpha() or char.isdecimal() or char == "_"):
                self._next()
        return self.text[start : self.at]


def _regex(pattern: str, *, greedy: bool) -> str:
    """Translate a shell pattern (* ? and escapes; brackets are plain characters) to a regular expression."""
    out: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        at += 1
        if char == "*":
            out.append(".*" if greedy else ".*?")
        elif char == "?":
            out.append(".")
        elif char != "\\":
            out.append(re.escape(char))
        elif pattern[at : at + 1] not in ("}", "/"):
            escaped = pattern[at : at + 1]
            at += 1
            if escaped not in ("*", "?", "\\"):
                raise DockerfileError(
                    f"\\{escaped} in the pattern {pattern!r} is not an escape",
                    hint=r"Only \* \? \\ \/ and \} are.",
                )
            out.append(re.escape(escaped))
    return "".join(out)


def _trimmed(value: str, pattern: str, *, greedy: bool, suffix: bool) -> str:
    if suffix:
        # The shortest match at the right end is the leftmost one of the mirrored text.
        units = re.findall(r"\\.|.", pattern, flags=re.DOTALL)
        return _trimmed(value[::-1], "".join(reversed(units)), greedy=greedy, suffix=False)[::-1]
    found = re.match(_regex(pattern, greedy=greedy), value)
    return value[found.end() :] if found else value


def _replace_all(regex: re.Pattern[str], replacement: str, value: str) -> str:
    """Replace every match. As in Go's ReplaceAllString, $0 in the replacement is the match, $$ a dollar."""

    def one(match: re.Match[str]) -> str:
        def reference(found: re.Match[str]) -> str:
            name = found.group(1) or found.group(2) or ""
            return "$" if found.group() == "$$" else match.group() if name == "0" else ""

        return re.sub(r"\$\$|\$(\w+)|\$\{(\w+)\}", reference, replacement)

    return regex.sub(one, value)
