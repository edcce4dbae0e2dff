"""Labs: topologies as data, machines, history, on two kernels."""
