"""TLS as far as a lesson sees it: its records, the server's name in the clear, the certificate and its check.

    stream = await connect(stream, "github.com", trusted=read_certificates(text), random=…)
    stream = await accept(stream, certificate, random=…)

On the wire are the records of TLS 1.2 with a real ClientHello and the real certificate, so a capture
shows what it shows of the true protocol. **It is not secure**: nothing is signed, and the stream that
hides the data follows from what both sides say in the open. A certificate is trusted if it, or its
issuer by name, is in the list of trusted ones; signatures are not checked.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubenet_course import errno
from kubenet_course.errors import KernelError, KubenetError

if TYPE_CHECKING:
    from kubenet_course.userland.process import Process
    from kubenet_course.userland.sockets import Peer, Stream

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, DONE, KEY_EXCHANGE, FINISHED = 1, 2, 11, 14, 16, 20
VERSION = b"\x03\x03"
MOST = 16384
UNKNOWN_CA, BAD_CERTIFICATE = 48, 42
Random = Callable[[int], bytes]


class TlsError(KubenetError):
    """The handshake failed; `kind` is "not TLS", "untrusted", "name", "alert" or "closed"; `data` what came instead."""

    def __init__(self, kind: str, data: bytes = b""):
        super().__init__(kind)
        self.kind = kind
        self.data = data


# -- certificates -------------------------------------------------------------------------------
@dataclass(frozen=True)
class Certificate:
    """What is looked at of an X.509 certificate (RFC 5280); `names` are its DNS names and addresses."""

    der: bytes
    subject: str
    issuer: str
    names: tuple[str, ...] = field(default=())

    @property
    def self_signed(self) -> bool:
        return self.subject == self.issuer

    def fits(self, host: str) -> bool:
        """RFC 6125: the very name, or a wildcard for its first label."""
        host = host.lower().rstrip(".")
        wild = "*." + host.partition(".")[2]
        return any(name.lower() in (host, wild) for name in self.names)


def read_certificates(text: str) -> list[Certificate]:
    """Every certificate in a PEM file; ValueError for one that cannot be read."""
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", text, re.S)
    return [parse_certificate(base64.b64decode(block)) for block in blocks]


def parse_certificate(der: bytes) -> Certificate:
    """ValueError where it is none."""
    try:
        outer = next(_elements(der))[1]
        fields = list(_elements(next(_elements(outer))[1]))
        if fields and fields[0][0] == 0xA0:
            fields.pop(0)  # the version
        issuer, subject = _common_name(fields[2][1]), _common_name(fields[4][1])
        names = [name for tag, value in fields if tag == 0xA3 for name in _alternative_names(value)]
    except (IndexError, StopIteration, UnicodeDecodeError):
        raise ValueError("not an X.509 certificate") from None
    return Certificate(der, subject, issuer, tuple(names) or (subject,))


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, content) of each DER element."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            count = length & 0x7F
            length, at = int.from_bytes(data[at : at + count], "big"), at + count
        if at + length > len(data):
            raise IndexError("cut short")
        yield tag, data[at : at + length]
        at += length


def _common_name(name: bytes) -> str:
    for _, part in _elements(name):
        for _, pair in _elements(part):
            (_, oid), (_, value) = list(_elements(pair))[:2]
            if oid == b"\x55\x04\x03":
                return value.decode()
    return ""


def _alternative_names(extensions: bytes) -> Iterator[str]:
    for _, extension in _elements(next(_elements(extensions))[1]):
        parts = list(_elements(extension))
        if parts[0][1] == b"\x55\x1d\x11":  # subjectAltName
            for tag, value in _elements(next(_elements(parts[-1][1]))[1]):
                if tag == 0x82:
                    yield value.decode()
                elif tag == 0x87 and len(value) == 4:
                    yield ".".join(str(byte) for byte in value)


def trusted_certificates(proc: Process) -> list[Certificate]:
    """Those in the machine's /etc/ssl/certs/ca-certificates.crt."""
    try:
        return read_certificates(proc.files.read_text("/etc/ssl/certs/ca-certificates.crt", proc))
    except (KernelError, ValueError):
        return []


# -- records ------------------------------------------------------------------------------------
class TlsStream:
    """A `Stream` in TLS records."""

    def __init__(self, inner: Stream, certificate: Certificate | None = None):
        self.inner = inner
        self.local: Peer = inner.local
        self.peer: Peer = inner.peer
        self.certificate = certificate
        self._raw = b""
        self._plain = b""
        self._sent = self._received = 0
        self._secret = (b"", b"")

    def _hide(self, data: bytes, secret: bytes, number: int) -> bytes:
        stream = b""
        block = 0
        while len(stream) < len(data):
            stream += hashlib.sha256(secret + number.to_bytes(8, "big") + block.to_bytes(4, "big")).digest()
            block += 1
        return bytes(a ^ b for a, b in zip(data, stream))

    def secrets(self, mine: bytes, theirs: bytes) -> None:
        self._secret = (mine, theirs)

    async def read_record(self, timeout: float | None = None) -> tuple[int, bytes] | None:
        """(type, content); None at the end. TlsError where it is no record."""
        while True:
            if self._raw and self._raw[0] not in (CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, DATA):
                raise TlsError("not TLS", self._raw)
            if len(self._raw) >= 5:
                length = int.from_bytes(self._raw[3:5], "big")
                if len(self._raw) >= 5 + length:
                    kind, content = self._raw[0], self._raw[5 : 5 + length]
                    self._raw = self._raw[5 + length :]
                    return kind, content
            data = await self.inner.read(65536, timeout)
            if not data:
                return None
            self._raw += data

    async def write_record(self, kind: int, content: bytes) -> None:
        await self.inner.write(bytes([kind]) + VERSION + len(content).to_bytes(2, "big") + content)

    # -- a stream ---------------------------------------------------------------------------
    async def read(self, size: int = 65536, timeout: float | None = None) -> bytes:
        while not self._plain:
            try:
                record = await self.read_record(timeout)
            except TlsError:
                raise KernelError(errno.EPROTO) from None
            if record is None or record[0] == ALERT:
                return b""
            if record[0] == DATA:
                self._plain = self._hide(record[1], self._secret[1], self._received)
                self._received += 1
        data, self._plain = self._plain[:size], self._plain[size:]
        return data

    async def write(self, data: bytes) -> None:
        for at in range(0, len(data), MOST):
            hidden = self._hide(data[at : at + MOST], self._secret[0], self._sent)
            self._sent += 1
            await self.write_record(DATA, hidden)

    def write_eof(self) -> None:
        self.inner.write_eof()

    def close(self) -> None:
        self.inner.close()


def _message(kind: int, content: bytes) -> bytes:
    return bytes([kind]) + len(content).to_bytes(3, "big") + content


def _prefixed(data: bytes, size: int) -> bytes:
    return len(data).to_bytes(size, "big") + data


def client_hello(host: str, random: bytes) -> bytes:
    """RFC 5246 7.4.1.2, with the server's name (RFC 6066) unless it is an address."""
    suites = bytes.fromhex("c02bc02fc02cc030cca9cca8009c009d")
    extensions = bytes.fromhex("000a00080006001d00170018" + "000b00020100" + "000d000a000804030804040105010601"[:28])
    if not re.fullmatch(r"[\d.]+|.*:.*", host):
        name = _prefixed(b"\0" + _prefixed(host.encode("idna"), 2), 2)
        extensions = b"\0\0" + _prefixed(name, 2) + extensions
    body = VERSION + random + b"\0" + _prefixed(suites, 2) + b"\x01\0" + _prefixed(extensions, 2)
    return _message(CLIENT_HELLO, body)


async def connect(
    stream: Stream, host: str, *, trusted: list[Certificate] | None, random: Random, timeout: float | None = None
) -> TlsStream:
    """The client's side. `trusted` None: whatever certificate there is, is taken. TlsError, KernelError."""
    tls = TlsStream(stream)
    mine = random(32)
    await stream.write(b"\x16\x03\x01" + _prefixed(client_hello(host, mine), 2))
    theirs, certificate = b"", None
    while True:
        record = await tls.read_record(timeout)
        if record is None:
            raise TlsError("closed")
        kind, content = record
        if kind == ALERT:
            raise TlsError("alert")
        for number, body in _messages(content) if kind == HANDSHAKE else ():
            if number == SERVER_HELLO:
                theirs = body[2:34]
            elif number == CERTIFICATE:
                try:
                    certificate = parse_certificate(body[6:])
                except ValueError:
                    raise TlsError("untrusted") from None
            elif number == DONE:
                break
        else:
            continue
        break
    if certificate is None:
        raise TlsError("alert")
    tls.certificate = certificate
    problem = check(certificate, host, trusted)
    if problem:
        await tls.write_record(ALERT, bytes([2, UNKNOWN_CA if problem == "untrusted" else BAD_CERTIFICATE]))
        raise TlsError(problem)
    await tls.write_record(HANDSHAKE, _message(KEY_EXCHANGE, b"\x20" + random(32)))
    await tls.write_record(CHANGE_CIPHER_SPEC, b"\x01")
    await tls.write_record(HANDSHAKE, _message(FINISHED, random(36)))
    tls.secrets(b"c" + mine + theirs, b"s" + mine + theirs)
    while (record := await tls.read_record(timeout)) is not None:
        if record[0] == HANDSHAKE:
            return tls
    raise TlsError("closed")


def check(certificate: Certificate, host: str, trusted: list[Certificate] | None) -> str:
    """ "" where it is good for `host`, else "untrusted" or "name"."""
    if trusted is None:
        return ""
    known = {one.der for one in trusted}
    issuers = {one.subject for one in trusted}
    if certificate.der not in known and (certificate.self_signed or certificate.issuer not in issuers):
        return "untrusted"
    return "" if certificate.fits(host) else "name"


def _messages(content: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(content):
        length = int.from_bytes(content[at + 1 : at + 4], "big")
        yield content[at], content[at + 4 : at + 4 + length]
        at += 4 + length


async def accept(stream: Stream, certificate: Certificate, *, random: Random, timeout: float | None = None) -> TlsStream:
    """The server's side. TlsError("not TLS", what came) for a client that does not speak it."""
    tls = TlsStream(stream, certificate)
    record = await tls.read_record(timeout)
    if record is None or record[0] != HANDSHAKE or record[1][:1] != bytes([CLIENT_HELLO]):
        raise TlsError("closed")
    theirs, mine = record[1][6:38], random(32)
    hello = VERSION + mine + b"\x20" + random(32) + bytes.fromhex("c02b00")
    await tls.write_record(HANDSHAKE, _message(SERVER_HELLO, hello))
    await tls.write_record(HANDSHAKE, _message(CERTIFICATE, _prefixed(_prefixed(certificate.der, 3), 3)))
    await tls.write_record(HANDSHAKE, _message(DONE, b""))
    changed = False
    while (record := await tls.read_record(timeout)) is not None:
        if record[0] == ALERT:
            raise TlsError("alert")
        if record[0] == CHANGE_CIPHER_SPEC:
            changed = True
        elif record[0] == HANDSHAKE and changed:
            await tls.write_record(CHANGE_CIPHER_SPEC, b"\x01")
            await tls.write_record(HANDSHAKE, _message(FINISHED, random(36)))
            tls.secrets(b"s" + theirs + mine, b"c" + theirs + mine)
            return tls
    raise TlsError("closed")
