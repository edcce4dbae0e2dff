"""How a transfer fails: curl's exit codes (curl(1), EXIT CODES) and its sentences (lib/strerror.c, lib/vtls/openssl.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kubenet_course.userland import tls

if TYPE_CHECKING:
    from kubenet_course.userland.commands.curl.url import Url
    from kubenet_course.userland.http import HttpError

VERIFY = """
More details here: https://curl.se/docs/sslcerts.html

curl failed to verify the legitimacy of the server and therefore could not
establish a secure connection to it. To learn more about this situation and
how to fix it, please visit the web page mentioned above."""


class CurlError(Exception):
    """A transfer failed: curl's exit code and its words.

    With `quiet_meter` it failed before there was anything to measure, so the progress meter says nothing.
    """

    def __init__(self, code: int, message: str, quiet_meter: bool = False):
        super().__init__(message)
        self.code = code
        self.quiet_meter = quiet_meter


def tls_problem(problem: Exception, url: Url) -> CurlError:
    """What OpenSSL's curl says of a handshake that failed."""
    kind = problem.kind if isinstance(problem, tls.TlsError) else "closed"
    if kind == "untrusted":
        return CurlError(60, f"SSL certificate problem: self-signed certificate{VERIFY}")
    if kind == "name":
        return CurlError(
            60, f"SSL: no alternative certificate subject name matches target host name '{url.host}'{VERIFY}"
        )
    if kind == "not TLS":
        return CurlError(35, "OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number")
    return CurlError(35, f"OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to {url.host}:{url.port} ")


def protocol_problem(problem: HttpError) -> CurlError:
    """What curl says of an answer that is not HTTP, or not whole."""
    if str(problem) == "not HTTP":
        return CurlError(1, "Received HTTP/0.9 when not allowed")
    if "Content-Length" in str(problem):
        return CurlError(8, "Invalid Content-Length: value")
    if "chunk" in str(problem):
        return CurlError(56, "Illegal or missing hexadecimal sequence in chunked-encoding")
    return CurlError(8, "Weird server reply")
