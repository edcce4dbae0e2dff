"""The emulated Linux network kernel.

A `Host` is one machine's kernel; it holds network namespaces (`NetNamespace`), which hold
devices, addresses, routes, neighbours, sockets and netfilter. A packet is an `SkBuff` on its way
through functions named as the kernel names them (`ip_rcv`, `ip_forward`, `ip_output`, …), and
ends in `skb.consume()` or `skb.drop(reason)`.

Nothing here touches the computer it runs on.
"""
