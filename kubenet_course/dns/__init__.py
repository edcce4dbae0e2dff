"""Names: DNS messages, zones, a resolver, and CoreDNS, on dnspython's messages.

The engine does no input or output of its own: `server.py` turns one query into one answer, and asks
others through an `Upstream` that it is given. So the same engine runs on an emulated machine and, as
`python -m kubenet_course.dns`, on a real one.
"""
