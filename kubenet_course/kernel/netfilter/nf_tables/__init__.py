"""nf_tables: what `nft` puts into the kernel beside iptables' own rules (net/netfilter/nf_tables_api.c).

    datatypes     what a value is and how it is written (ipv4_addr, mark, ct_state …)
    protocols     the fields of headers, and how a packet gives them
    expressions   what a rule looks at: payload, meta, ct, fib, numgen, hash, sets, maps, verdicts
    statements    what a rule does: match, counter, limit, log, nat, reject …
    sets, objects named sets and maps; named counters, quotas, limits
    rule          a rule as a list of statements, and how it becomes one step of a chain
    build_*       closures and generated tests for the packet path

Chains, tables and the run through them are those of `netfilter/tables.py`, which iptables shares.
"""
