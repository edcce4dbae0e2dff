"""What dig, nslookup and host share (BIND 9.18: dighost.c, libirs, libdns): messages, texts, and the asking.

resolvconf   /etc/resolv.conf as BIND reads it (not as libc does)
wire         building a query, taking an answer apart; what is wrong with it in BIND's words
rdata, text  records and sections as text, in columns
engine       lookups, servers, tries, search list, TCP after truncation, transfers, +trace
"""
