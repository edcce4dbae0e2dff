"""Go's patterns: what matches, and what is refused with which words (as regexp/syntax of Go says it)."""

from __future__ import annotations

import pytest

from kubenet_course.dns.goregexp import RegexpError, compile_regexp

#: Pattern | a text that it finds | one that it does not.
MATCHES = [
    (r"^a\Q.+\Eb$", "a.+b", "axxb"), (r"\pL+\.", "ä.", "1."), (r"^\p{Lu}$", "A", "a"), (r"^\P{Lu}$", "a", "A"), (r"^\p{^Lu}$", "a", "A"),
    (r"^[\pL\d]+$", "ä1", "-"), (r"^[[:alpha:]_]+$", "a_b", "a1"), (r"^[[:^digit:]]$", "a", "1"), (r"a\z", "xa", "ax"), ("a$", "xa", "a\n"),
    ("(?m)a$", "a\nb", "ab"), ("x(?i)a", "xA", "XA"), ("(?i:a)b", "Ab", "AB"), ("(x(?i)a)b", "xAb", "xAB"), ("x(?i)a|b", "B", "XA"),
    ("(?s)a.b", "a\nb", "ab"), ("a.b", "axb", "a\nb"), (r"^\x41\x{42}\103$", "ABC", "abc"), ("a{,2}", "a{,2}", "aa"), ("a{x", "a{x", "a"),
    (r"^\d$", "5", "٥"), ("^[]a]$", "]", "b"), ("^[a-]$", "-", "b"), ("^[[&&]$", "&", "a"), ("(?P<a>x)(?<b>y)", "xy", "x"),
    (r"^[^\d.]$", "a", "."), ("a+?b", "aab", "b"), ("a{2,3}?$", "aa", "a"), ("", "anything", None), (r"\-\.\/", "-./", "-"),
]  # fmt: skip
REFUSED = {
    "(": "missing closing ): `(`", "(a": "missing closing ): `(a`", "a)": "unexpected ): `a)`", "())": "unexpected ): `())`",
    "[": "missing closing ]: `[`", "x[a": "missing closing ]: `[a`", "*": "missing argument to repetition operator: `*`",
    "a|*": "missing argument to repetition operator: `*`", "(+a)": "missing argument to repetition operator: `+`",
    "a**": "invalid nested repetition operator: `**`", "a++": "invalid nested repetition operator: `++`", "a+*b": "invalid nested repetition operator: `+*`",
    "a{1001}": "invalid repeat count: `{1001}`", "a{3,2}": "invalid repeat count: `{3,2}`", "(?=a)": "invalid or unsupported Perl syntax: `(?=`",
    "(?!a)": "invalid or unsupported Perl syntax: `(?!`", "(?<=a)": "invalid or unsupported Perl syntax: `(?<=`",
    "(?<!a)b": "invalid or unsupported Perl syntax: `(?<!`", r"(a)\1": r"invalid escape sequence: `\1`", r"\Z": r"invalid escape sequence: `\Z`",
    r"\y": r"invalid escape sequence: `\y`", "a\\": "trailing backslash at end of expression", "[b-a]": "invalid character class range: `b-a`",
    "[[:foo:]]": "invalid character class range: `[:foo:]`", "(?P<n>a)(?P<n>b)": "duplicate capture group name", "\udcec": "invalid UTF-8",
    r"\p{Foo}": r"invalid character class range: `\p{Foo}`",
}  # fmt: skip


@pytest.mark.parametrize(("pattern", "found", "not_found"), MATCHES, ids=[repr(row[0]) for row in MATCHES])
def test_matches(pattern: str, found: str, not_found: str | None) -> None:
    compiled = compile_regexp(pattern)
    assert compiled.search(found)
    assert not_found is None or not compiled.search(not_found)


@pytest.mark.parametrize("pattern", REFUSED, ids=repr)
def test_refused(pattern: str) -> None:
    with pytest.raises(RegexpError) as problem:
        compile_regexp(pattern)
    assert str(problem.value).startswith(f"error parsing regexp: {REFUSED[pattern]}")
