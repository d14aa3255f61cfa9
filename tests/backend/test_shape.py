"""How large the backend is: it is a pattern to copy, so it has to be read in an afternoon.

Counted is every .py file under backend/, migrations included: all lines, and lines of code, which
are those that hold a token other than a comment or a docstring.
"""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

_BACKEND = Path(__file__).parents[2] / "backend"
LINES_MAX, CODE_LINES_MAX = 4870, 3433
_NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENDMARKER,
}  # fmt: skip


def code_lines(source: str) -> int:
    """Lines without blank ones, comments and docstrings."""
    documented: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = node.body[0] if ast.get_docstring(node) is not None else None
            documented |= set(range(text.lineno, (text.end_lineno or 0) + 1)) if text else set()
    used: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            used |= set(range(token.start[0], token.end[0] + 1))
    return len(used - documented)


def test_lines_are_counted_as_they_say() -> None:
    source = (
        '"""One\ntwo."""\n\n# a comment\nx = """\na\n"""  # two more\n\n\ndef f():\n    "No."\n'
    )
    assert code_lines(source) == 4


def test_the_backend_does_not_grow() -> None:
    sources = [path.read_text(encoding="utf-8") for path in sorted(_BACKEND.rglob("*.py"))]
    assert len(sources) > 30
    lines = sum(len(source.splitlines()) for source in sources)
    code = sum(code_lines(source) for source in sources)
    assert (lines <= LINES_MAX, code <= CODE_LINES_MAX) == (True, True), (lines, code)
