"""A small nginx: static files, return, redirects, prefix and regex locations, proxy_pass, access and error logs."""
