"""The runtime's side of the standard: read configurations, call the plugins in order, remember results.

# CNI SPEC 1.1, section 3; containernetworking/cni libcni
"""
