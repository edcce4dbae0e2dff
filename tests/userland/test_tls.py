"""curl, wget and nginx over TLS: what Debian's own say of certificates (recorded with nginx 1.22, curl 7.88, wget 1.21)."""

from __future__ import annotations

import pytest

from kubenet_course.course.scenarios.coredns import CERTIFICATE, KEY
from kubenet_course.lab.lab import Lab
from kubenet_course.userland.tls import check, client_hello, parse_certificate, read_certificates

NGINX = """events {}
http {
    server {
        listen 443 ssl;
        ssl_certificate /srv/c.pem;
        ssl_certificate_key /srv/k.pem;
        root /srv/www;
    }
    server {
        listen 80;
        root /srv/www;
    }
}
"""
VERIFY = """More details here: https://curl.se/docs/sslcerts.html

curl failed to verify the legitimacy of the server and therefore could not
establish a secure connection to it. To learn more about this situation and
how to fix it, please visit the web page mentioned above.
"""
TRUST = (
    "if [ -L /etc/ssl ]; then rm /etc/ssl; cp -aL /run/.computer/etc/ssl /etc/ssl; fi; mkdir -p /etc/ssl/certs; "
    "cat /srv/c.pem >> /etc/ssl/certs/ca-certificates.crt"
)
ISSUER = "{0}: The certificate of ‘{1}’ is not trusted.\n{0}: The certificate of ‘{1}’ doesn't have a known issuer.\n"
#: command | standard output | standard error (its end) | status
BEFORE = [
    ("curl -sS https://github.com/f", "", "curl: (60) SSL certificate problem: self-signed certificate\n" + VERIFY, 60),
    ("curl -sSk https://github.com/f", "hello\n", "", 0),
    ("wget -nv -O - https://github.com/f", "", ISSUER.format("ERROR", "github.com"), 5),
    ("wget -nv --no-check-certificate -O /dev/null https://other.test/f 2>&1 | head -3", ISSUER.format("WARNING", "other.test") + "The certificate's owner does not match hostname ‘other.test’\n", "", 0),
]
AFTER = [
    ("curl -sS https://github.com/f", "hello\n", "", 0),
    ("curl -sS https://www.github.com/f", "hello\n", "", 0),
    ("curl -sS https://other.test/f", "", "curl: (60) SSL: no alternative certificate subject name matches target host name 'other.test'\n" + VERIFY, 60),
    ("wget -q -O - https://github.com/f", "hello\n", "", 0),
    ("wget -nv -O - https://other.test/f", "", "The certificate's owner does not match hostname ‘other.test’\n", 5),
    ("curl -sS https://github.com:80/f", "", "curl: (35) OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number\n", 35),
    ("wget -nv -O - https://github.com:80/f", "", "GnuTLS: An unexpected TLS packet was received.\nUnable to establish SSL connection.\n", 4),
    ("curl -s http://github.com:443/f | grep -o 'The plain.*port'", "The plain HTTP request was sent to HTTPS port\n" * 1, "", 0),
]  # fmt: skip


@pytest.mark.parametrize("backend", ["emulated", pytest.param("mininet", marks=pytest.mark.real)])
def test_certificates(backend: str) -> None:
    with Lab.load("single", backend=backend) as lab:
        host = lab.machine("host")
        for path, text in (("/srv/nginx.conf", NGINX), ("/srv/c.pem", CERTIFICATE), ("/srv/k.pem", KEY), ("/srv/www/f", "hello\n")):
            host.write(path, text)
        assert lab.run("host", "echo 127.0.0.1 github.com www.github.com other.test >> /etc/hosts; nginx -c /srv/nginx.conf").output == ""
        for rows in (BEFORE, AFTER):
            for line, out, err, status in rows:
                done = lab.run("host", line)
                shown = done.stdout if "plain" not in line else "".join(sorted(set(done.stdout.splitlines(True))))
                assert (shown, done.stderr, done.returncode) == (out, err, status), line
            lab.run("host", TRUST)


def test_certificates_are_read() -> None:
    (certificate,) = read_certificates(CERTIFICATE)
    assert (certificate.subject, certificate.issuer, certificate.names) == ("github.com", "github.com", ("github.com", "www.github.com"))
    assert check(certificate, "github.com", []) == "untrusted"
    assert check(certificate, "github.com", [certificate]) == ""
    assert check(certificate, "example.org", [certificate]) == "name"
    for bad in (b"", b"\x30", b"\x30\x03\x02\x01\x01", certificate.der[:100]):
        with pytest.raises(ValueError, match="not an X.509"):
            parse_certificate(bad)


def test_the_hello_names_the_server_in_the_clear() -> None:
    assert b"github.com" in client_hello("github.com", bytes(32))
    assert client_hello("10.0.0.1", bytes(32))[0] == 1


def test_what_passes_is_not_to_be_read_in_a_capture() -> None:
    with Lab.load("coredns") as lab:
        lab.run("dns", "tcpdump -i eth0 -w /tmp/c.pcap & sleep 1; curl -s https://github.com/coredns > /dev/null; sleep 1; kill %1")
        data = lab.machine("dns").read_bytes("/tmp/c.pcap")
        assert b"github.com" in data and b"GET " not in data and b"nginx" not in data
