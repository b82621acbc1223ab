"""Text as Go prints it: BuildKit is written in Go, and what it prints of an instruction is in the history."""

from __future__ import annotations


def go_quote(text: str) -> str:
    """Return `text` as Go's %q prints it, which is how BuildKit shows commands in the history."""
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b"}
    named |= {"\f": "\\f", "\v": "\\v"}
    out = ""
    for char in text:
        if char in named:
            out += named[char]
        elif char.isprintable():
            out += char
        else:
            out += f"\\x{ord(char):02x}" if ord(char) < 0x80 else f"\\u{ord(char):04x}"
    return f'"{out}"'


def go_rune(value: int) -> str:
    """Return a number as Go's %q prints it, which takes it for a character."""
    known = {7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 39: "\\'", 92: "\\\\"}
    if value in known:
        return f"'{known[value]}'"
    return f"'{chr(value)}'" if 32 <= value < 127 else f"'\\x{value:02x}'"


def go_duration(value: int) -> str:
    """Return a duration in nanoseconds as Go prints it: 90 s is "1m30s"."""
    if value == 0:
        return "0s"
    for limit, unit, size in ((10**3, "ns", 1), (10**6, "µs", 10**3), (10**9, "ms", 10**6)):
        if value < limit:
            return f"{value / size:.9f}".rstrip("0").rstrip(".") + unit
    hours, rest = divmod(value, 3600 * 10**9)
    minutes, rest = divmod(rest, 60 * 10**9)
    seconds = f"{rest / 10**9:.9f}".rstrip("0").rstrip(".") + "s"
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + seconds
