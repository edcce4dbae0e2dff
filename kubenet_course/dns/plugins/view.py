"""view: a server block for those requests only that an expression lets in (plugin/view)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from kubenet_course.dns.dispenser import Dispenser
from kubenet_course.dns.expressions import Code, ExpressionError, compile_expression
from kubenet_course.dns.plugin import Request, ServerConfig
from kubenet_course.dns.wire import plain_size

#: What expressions may call, with their types (plugin/pkg/expression).
FUNCTIONS = {
    "incidr": "string,string -> bool", "metadata": "string -> string", "type": "-> string", "name": "-> string", "class": "-> string",
    "proto": "-> string", "size": "-> int", "client_ip": "-> string", "port": "-> string", "id": "-> int", "opcode": "-> int",
    "do": "-> bool", "bufsize": "-> int", "server_ip": "-> string", "server_port": "-> string",
}  # fmt: skip


def functions(request: Request) -> dict[str, Callable[..., Any]]:
    """The functions about one request, by name."""
    return {
        "incidr": _in_cidr,
        "metadata": lambda label: (request.metadata.get(label) or str)(),
        "type": lambda: request.type,
        "name": lambda: request.name,
        "class": lambda: request.klass,
        "proto": lambda: request.protocol,
        "size": lambda: plain_size(request.message),
        "client_ip": lambda: request.client,
        "port": lambda: str(request.client_port),
        "id": lambda: request.message.id,
        "opcode": lambda: int(request.message.opcode()),
        "do": lambda: request.do,
        "bufsize": lambda: request.size,
        "server_ip": lambda: request.server,
        "server_port": lambda: str(request.server_port),
    }


def _in_cidr(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)


def setup(c: Dispenser, config: ServerConfig) -> None:
    codes: list[Code] = []
    c.next()
    arguments = c.remaining_args()
    if len(arguments) != 1:
        raise c.arg_error()
    while c.next_block():
        if c.text != "expr":
            raise c.error(f"unknown token '{c.text}'")
        words = c.remaining_args()
        text = " ".join(words)
        try:
            codes.append(compile_expression(text, FUNCTIONS))
        except ExpressionError as problem:
            raise c.plain(str(problem)) from None
    if c.next():
        raise c.plain("only one view definition allowed per server block")
    config.view = arguments[0]

    def allow(request: Request) -> bool:
        """View.Filter(): every expression must hold; one that fails does not."""
        values = functions(request)
        try:
            return all(code(values) is True for code in codes)
        except (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError):
            return False

    config.filters.append(allow)
