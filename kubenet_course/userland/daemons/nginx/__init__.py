"""A small nginx: static files, return, rewrite, error_page, listings, locations, proxy_pass and upstreams, TLS, logs.

Directives that only tune speed are read and have no effect; those whose effect is missing here are refused (`config.py`).
"""
