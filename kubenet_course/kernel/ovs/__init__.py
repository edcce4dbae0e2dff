"""Open vSwitch: bridges that follow OpenFlow rules (ovs-vswitchd and its kernel datapath in one).

`switch.py` holds the bridges and ports that `ovs-vsctl` makes, `flows.py` the OpenFlow table, `actions.py`
what a
rule does. There is one switch a machine, in its own network namespace.
"""
