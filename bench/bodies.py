"""The bodies that several servers of the benchmark send."""

import json

JSON = json.dumps(
    [
        {"id": i, "name": f"user {i * 7919 % 1000}", "mail": f"u{i * 31}@example.org"}
        for i in range(340)
    ]
).encode()[: 20 << 10]
"""20 KiB, cut in the middle of a row."""
