"""What `skb.nf_flags` says about a packet that passes a bridge under bridge-nf-call-iptables."""

#: It came in at, or leaves by, a bridge port, and iptables sees it (the kernel's nf_bridge_info).
IN_BRIDGE = 2
#: It goes from port to port (nf_bridge->physoutdev of a bridged packet).
BRIDGED = 4
#: Its destination was rewritten before the bridge decided; see bridge.py.
BRIDGE_DNAT = 8
#: It has been through PRE_ROUTING at its port: the host above the bridge does not run that again.
PREROUTED = 32
