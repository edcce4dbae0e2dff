"""The IP virtual server (net/netfilter/ipvs/): one address in front of many servers, inside the kernel.

    LOCAL_IN    98 ip_vs_out (answers)    99 ip_vs_in (requests of other hosts)
    LOCAL_OUT  -99 ip_vs_out             -98 ip_vs_in (requests of this host)
    FORWARD     99 ICMP                  100 ip_vs_out (answers on their way to the client)

A request is scheduled only if it reaches LOCAL_IN, so the virtual address must be one of the host's own
(kube-proxy puts it on the dummy device kube-ipvs0). `state.py` holds services, destinations and
connections, `core.py` the hooks, `xmit.py` the three ways to forward, `schedulers/` one file each.
"""
