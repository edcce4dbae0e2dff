"""Commands back to text, as bash shows them in `jobs`, `type` and ``declare -f``."""

from __future__ import annotations

from kubenet_course.userland.shell.nodes import (
    AndOr,
    ArithCommand,
    ArithFor,
    Assign,
    Case,
    Command,
    Cond,
    CondNode,
    CondTest,
    Coproc,
    For,
    Function,
    Group,
    If,
    Pipeline,
    Redirect,
    Redirected,
    Script,
    Simple,
    Subshell,
    While,
    Word,
)


def unparse(node: Command) -> str:
    """One command on one line where it has no body of its own."""
    return _command(node, 0)


def unparse_line(node: Command | None) -> str:
    """``BASH_COMMAND``: of a loop or `case` only its first line."""
    if isinstance(node, For):
        return f"for {node.name} in{_for_words(node)}"
    return "" if node is None else _command(node, 0).partition("\n")[0]


def _for_words(node: For) -> str:
    return ' "$@"' if node.words is None else "".join(f" {word.raw}" for word in node.words)


def unparse_function(function: Function) -> str:
    """``name () \\n{ … }``."""
    body = function.body
    if isinstance(body, Group):
        return f"{function.name} () \n{{ \n{_script(body.body, 4)}\n}}"
    return f"{function.name} () \n{_command(body, 0)}"


def _pad(depth: int) -> str:
    return " " * depth


def _script(script: Script, depth: int) -> str:
    """The lines of a body."""
    lines = []
    for at, (command, background) in enumerate(script.items):
        text = _pad(depth) + _command(command, depth)
        last = at == len(script.items) - 1
        lines.append(text + (" &" if background else "" if last else ";"))
    return "\n".join(lines)


def _flat(script: Script, depth: int) -> str:
    """A condition: on one line."""
    return "; ".join(_command(command, depth) + (" &" if back else "") for command, back in script.items)


def _word(word: Word | Assign) -> str:
    return word.raw


def _redirect(redirect: Redirect) -> str:
    fd = "" if redirect.fd is None else str(redirect.fd)
    fd = f"{{{fd}}}" if isinstance(redirect.fd, str) else fd
    if redirect.op in (">&", "<&"):
        fd = fd or ("1" if redirect.op == ">&" else "0")
        return f"{fd}{redirect.op}{redirect.target.raw}"
    if redirect.op in ("<<", "<<-"):
        body = redirect.body.raw if redirect.body else ""
        return f"{fd}{redirect.op}{redirect.target.raw}\n{body}{redirect.target.literal or ''}\n"
    return f"{fd}{redirect.op} {redirect.target.raw}"


def _command(node: Command, depth: int) -> str:
    if isinstance(node, Simple):
        words = [*map(_word, node.assigns), *map(_word, node.words), *map(_redirect, node.redirects)]
        return " ".join(words)
    if isinstance(node, Pipeline):
        text = " | ".join(_command(command, depth) for command in node.commands)
        return ("time " if node.timed else "") + ("! " if node.negate else "") + text
    if isinstance(node, AndOr):
        rest = "".join(f" {operator} {_command(command, depth)}" for operator, command in node.rest)
        return _command(node.first, depth) + rest
    if isinstance(node, Subshell):
        return f"( {_flat(node.body, depth)} )"
    if isinstance(node, Redirected):
        return f"{_command(node.command, depth)} {' '.join(map(_redirect, node.redirects))}"
    if isinstance(node, ArithCommand):
        return f"(({node.expression.raw}))"
    if isinstance(node, Cond):
        return f"[[ {_condition(node.expression)} ]]"
    if isinstance(node, Coproc):
        return f"coproc {node.name} {_command(node.command, depth)}"
    if isinstance(node, Function):
        return unparse_function(node).replace("\n", "\n" + _pad(depth))
    return _block(node, depth)


def _block(node: Command, depth: int) -> str:
    pad, inner = _pad(depth), depth + 4
    if isinstance(node, Group):
        return f"{{ \n{_script(node.body, inner)}\n{pad}}}"
    if isinstance(node, If):
        text = ""
        for at, (test, body) in enumerate(node.clauses):
            word = "if" if at == 0 else f"{pad}elif"
            text += f"{word} {_flat(test, inner)}; then\n{_script(body, inner)};\n"
        if node.otherwise:
            text += f"{pad}else\n{_script(node.otherwise, inner)};\n"
        return f"{text}{pad}fi"
    if isinstance(node, While):
        word = "until" if node.until else "while"
        return f"{word} {_flat(node.test, inner)}; do\n{_script(node.body, inner)};\n{pad}done"
    if isinstance(node, For):
        return f"for {node.name} in{_for_words(node)};\n{pad}do\n{_script(node.body, inner)};\n{pad}done"
    if isinstance(node, ArithFor):
        head = f"for (({node.init.raw}; {node.test.raw}; {node.step.raw}))"
        return f"{head}\n{pad}do\n{_script(node.body, inner)};\n{pad}done"
    assert isinstance(node, Case)
    text = f"case {node.word.raw} in \n"
    for patterns, body, stop in node.items:
        shown = " | ".join(pattern.raw for pattern in patterns)
        lines = f"{_script(body, depth + 8)}\n" if body.items else ""
        text += f"{_pad(inner)}{shown})\n{lines}{_pad(inner)}{stop}\n"
    return f"{text}{pad}esac"


def _condition(node: CondTest | CondNode) -> str:
    if isinstance(node, CondTest):
        if node.right is None:
            return f"{node.op} {node.left.raw}" if node.op else f"-n {node.left.raw}"
        return f"{node.left.raw} {node.op} {node.right.raw}"
    if node.op == "!":
        return f"! {_condition(node.children[0])}"
    if node.op == "()":
        return f"( {_condition(node.children[0])} )"
    return f" {node.op} ".join(_condition(child) for child in node.children)
