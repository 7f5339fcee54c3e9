"""What a ready worker has imported: nothing that it does not need."""

from command import Command

LAZY = [
    "argparse",
    "difflib",
    "email",
    "hashlib",
    "importlib.metadata",
    "importlib.resources",
    "json",
    "logging.config",
    "multiprocessing",
    "textwrap",
    "unittest",
    "urllib",
]
REPORT = """
import asyncio, sys
before = set(sys.modules)
from bolide.cli.main import main
def report():
    sys.stderr.write(" ".join(sorted(set(sys.modules) - before)) + "\\n")
    sys.stderr.flush()
from bolide import server
banner = server.banner
def listening(*args):
    report()
    return banner(*args)
server.banner = listening
main(["--loop", "asyncio", "--port", "0", "apps:hello"])
"""


def test_a_worker_imports_little_besides_asyncio():
    with Command(code=REPORT) as command:
        command.port()
        loaded = command.err.line_with("bolide.cli.main ").split()
        assert "bolide._engine" in loaded
        assert [x for x in LAZY if x in loaded] == []
        own = [x for x in loaded if not x.startswith("bolide") and x != "apps"]
        assert len(own) < 20, own
