"""DHCP for CNI: a client for one interface, the daemon that keeps leases alive, and a server for the lab.

On real machines Debian's `dhcp` plugin and dnsmasq do this; these are their counterparts for the emulated
kernel, with the same commands, configuration, messages and files.
"""
