"""Docker Swarm on one node: overlay networks, services, the routing mesh.

    state.py       what the manager remembers: node, services, tasks, addresses
    overlay.py     an overlay network's own namespace: a bridge and a VXLAN device
    balancer.py    a network's load balancer: a namespace with IPVS services that are chosen by mark
    ingress.py     DOCKER-INGRESS: from a published port of the host to the load balancer of `ingress`
    cluster.py     init, leave, the node
    specs.py       what a service is asked to be, checked
    orchestrator.py  tasks that there should be, and containers that there are
    agent.py       dockerd's part: it looks after all of that whenever something has changed

Source: moby daemon/libnetwork (drivers/overlay, service_linux.go, network.go, default_gateway.go), daemon/cluster, swarmkit.
"""
