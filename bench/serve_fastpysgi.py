"""Starts fastpysgi, which has no command line: APP PORT."""

import sys

import apps
import fastpysgi

fastpysgi.server.backlog = 4096
fastpysgi.run(
    getattr(apps, sys.argv[1]),
    host="127.0.0.1",
    port=int(sys.argv[2]),
    loglevel=0,
    workers=1,
)
