"""hostname, dnsdomainname: the machine's name and addresses (Debian's hostname 3.23)."""

from __future__ import annotations

import re

from kubenet_course.errors import KernelError
from kubenet_course.userland.options import OptionError, letters, parse, value
from kubenet_course.userland.process import Process
from kubenet_course.userland.res_query import HostError
from kubenet_course.userland.resolver import ResolverError, getaddrinfo, gethostbyname2, getnameinfo
from kubenet_course.wire.addresses import IpAddress

NAMES = ("hostname", "dnsdomainname", "domainname")
LONG = {
    "alias": "a", "all-fqdns": "A", "all-ip-addresses": "I", "domain": "d", "fqdn": "f", "long": "f",
    "ip-address": "i", "short": "s", "file=": "F", "boot": "b", "yp": "y", "nis": "y",
}  # fmt: skip
USAGE = """Usage: hostname [-b] {hostname|-F file}         set host name (from file)
       hostname [-a|-A|-d|-f|-i|-I|-s|-y]       display formatted name
       hostname                                 display host name

       {yp,nis,}domainname {nisdomain|-F file}  set NIS domain name (from file)
       {yp,nis,}domainname                      display NIS domain name

       dnsdomainname                            display dns domain name

       hostname -V|--version|-h|--help          print info and exit

Program name:
       {yp,nis,}domainname=hostname -y
       dnsdomainname=hostname -d

Program options:
    -a, --alias            alias names
    -A, --all-fqdns        all long host names (FQDNs)
    -b, --boot             set default hostname if none available
    -d, --domain           DNS domain name
    -f, --fqdn, --long     long host name (FQDN)
    -F, --file             read host name or NIS domain name from given file
    -i, --ip-address       addresses for the host name
    -I, --all-ip-addresses all addresses for the host
    -s, --short            short host name
    -y, --yp, --nis        NIS/YP domain name

Description:
   This command can get or set the host name or the NIS domain name. You can
   also get the DNS domain or the FQDN (fully qualified domain name).
   Unless you are using bind or NIS for host lookups you can change the
   FQDN (Fully Qualified Domain Name) and the DNS domain name (which is
   part of the FQDN) in the /etc/hosts file."""


def _addresses(proc: Process) -> list[IpAddress]:
    """Addresses of all devices that are up, but for loopback and link-local ones."""
    net = proc.net
    found: list[IpAddress] = [
        one.local
        for dev in net.devices.values()
        if dev.up and not dev.is_loopback
        for one in net.ipv4.device_addresses(dev)
    ]
    found += [
        one.local
        for dev in net.devices.values()
        if dev.up and not dev.is_loopback
        for one in net.ipv6.device_addresses(dev)
        if not one.local.is_link_local
    ]
    return found


def _set(proc: Process, name: str) -> int:
    name = name.strip()
    if len(name) > 64:
        proc.error("hostname: name too long")
        return 1
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", name):
        proc.error("hostname: the specified hostname is invalid")
        return 1
    proc.uts.hostname = name
    return 0


async def main(proc: Process, argv: list[str]) -> int:
    program = argv[0].rpartition("/")[2]
    try:
        options, words = parse(argv, "aAdfbF:iIsyvh", LONG)
    except OptionError as error:
        return error.report(proc, argv[0], 255, USAGE)
    flags = letters(options)
    if "h" in flags:
        proc.print(USAGE)
        return 0
    path = value(options, "F")
    if path is not None:
        try:
            text = proc.files.read_text(path, proc)
        except KernelError:
            proc.error(f"hostname: can't open `{path}'")
            return 1
        words = [line for line in text.splitlines() if line.strip() and not line.startswith("#")][:1]
    if len(words) > 1:
        proc.error(USAGE)
        return 255
    if words and program == "hostname":
        return _set(proc, words[0])
    if "y" in flags or program == "domainname":
        proc.error("hostname: Local domain name not set")
        return 1
    return await _show(proc, {"d"} if program == "dnsdomainname" else flags)


async def _show(proc: Process, flags: set[str]) -> int:
    name = proc.uts.hostname
    if "I" in flags:
        proc.print("".join(f"{address} " for address in _addresses(proc)))
        return 0
    if "s" in flags:
        proc.print(name.partition(".")[0])
        return 0
    if not flags & {"f", "d", "i", "a", "A"}:
        proc.print(name)
        return 0
    if "A" in flags:
        names = [await getnameinfo(proc, address) for address in _addresses(proc)]
        proc.print("".join(f"{one} " for one in names if one))
        return 0
    try:
        found = await getaddrinfo(proc, name)
        aliases = (await gethostbyname2(proc, name, 4)).aliases if "a" in flags else []
    except ResolverError as problem:
        proc.error(f"hostname: {problem}")
        return 1
    except HostError:
        proc.error("hostname: Host name lookup failure")
        return 1
    full = found[0].canonname or name
    if "i" in flags:
        proc.print(" ".join(str(info.address) for info in found))
    elif "d" in flags:
        if full.partition(".")[2]:
            proc.print(full.partition(".")[2])
    elif "a" in flags:
        proc.print(" ".join(aliases))
    else:
        proc.print(full)
    return 0
