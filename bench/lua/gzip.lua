-- A client that accepts gzip.
wrk.headers["Accept-Encoding"] = "gzip"
