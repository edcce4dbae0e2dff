"""Queueing disciplines (net/sched/): what stands between `dev_queue_xmit()` and a device.

    dev.queue_xmit(skb) → TxQueue (clsact egress filters) → root qdisc … → dev.xmit(skb)
    netif_receive(skb)  → dev.ingress (ingress or clsact filters) → stack

A discipline is one file with a subclass of `Qdisc`; `KINDS` in `registry.py` lists them. Time is the loop's,
chance
is the host's seeded random.
"""
