"""dockerlab.dockerfile.patterns: Go's filepath.Match; .dockerignore's patterns are in test_ignorefile."""

from __future__ import annotations

import pytest

from dockerlab.dockerfile.patterns import glob, has_wildcard, split_wildcards

# The table of Go's own path/filepath tests has these rows among others.
MATCHES = [
    ("abc", "abc", True),
    ("*", "abc", True),
    ("*c", "abc", True),
    ("a*", "a", True),
    ("a*", "ab/c", False),
    ("a*/b", "abc/b", True),
    ("a*/b", "a/c/b", False),
    ("a*b*c*d*e*/f", "axbxcxdxexxx/f", True),
    ("a*b*c*d*e*/f", "axbxcxdxexxx/fff", False),
    ("ab[c]", "abc", True),
    ("ab[b-d]", "abc", True),
    ("ab[e-g]", "abc", False),
    ("ab[^c]", "abc", False),
    ("ab[^e-g]", "abc", True),
    ("a\\*b", "a*b", True),
    ("a\\*b", "ab", False),
    ("a?b", "a\u263ab", True),
    ("a[^a]b", "a\u263ab", True),
    ("a???b", "a\u263ab", False),
    ("[a-\u03b6]*", "\u03b1", True),
    ("*[a-\u03b6]", "A", False),
    ("a?b", "a/b", False),
    ("a*b", "a/b", False),
    ("[\\]a]", "]", True),
    ("[\\-]", "-", True),
    ("[x\\-]", "z", False),
    ("[\\-x]", "x", True),
    ("[z-a]", "m", False),
    ("*x", "xxx", True),
    ("**", "a/b", False),
    ("a.c", "abc", False),
    ("[!a]", "!", True),
]


@pytest.mark.parametrize(("pattern", "path", "fits"), MATCHES)
def test_a_pattern_matches_as_in_go(pattern: str, path: str, fits: bool) -> None:
    """* and ? stay within one folder; a class has ranges, a ^ and escapes, and ! is no sign in it."""
    assert (glob(pattern).fullmatch(path) is not None) is fits


@pytest.mark.parametrize("pattern", ["[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[", "[^", "[^bc", "a["])
def test_what_go_refuses(pattern: str) -> None:
    """A class that does not close or begins with what it must escape is no pattern."""
    with pytest.raises(ValueError, match=r"\["):
        glob(pattern)


def test_a_path_is_split_before_its_first_wildcard() -> None:
    """An escaped sign is no wildcard; what stands above the first one is looked up as a path."""
    assert split_wildcards("a/b*/c") == ("a", "b*/c")
    assert split_wildcards("a\\*/b") == ("a\\*/b", "")
    assert not has_wildcard("a\\[b")
