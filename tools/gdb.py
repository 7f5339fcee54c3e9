"""Pretty printers for gdb: slices, buffers, connections, streams, timers and errors.

    (gdb) source tools/gdb.py
    (gdb) p *conn

Errors are printed by name, slices as text, and a connection or a stream on one line
with the members that say what it is doing; ``p/r`` prints the plain struct.
"""

import gdb

MOST = 120
"""Bytes of a slice that are printed."""


def text_of(ptr, length):
    """Return [ptr, ptr + length) as a quoted text; None if it cannot be read."""
    length = int(length)
    if length == 0:
        return '""'
    try:
        data = gdb.selected_inferior().read_memory(int(ptr), min(length, MOST))
    except gdb.MemoryError:
        return f"<{length} bytes at {int(ptr):#x}>"
    text = bytes(data).decode("latin-1").encode("unicode_escape").decode()
    more = f"... ({length} bytes)" if length > MOST else ""
    return f'"{text}"{more}'


def name_of(value, enum, prefix=""):
    """Return the name of ``value`` in the enum type ``enum``."""
    try:
        kind = gdb.lookup_type(f"enum {enum}")
    except gdb.error:
        return str(int(value))
    for field in kind.fields():
        if field.enumval == int(value):
            return field.name.removeprefix(prefix)
    return str(int(value))


class Slice:
    """``struct slice`` as a text."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return text_of(self.value["ptr"], self.value["len"])


class Buf:
    """``struct buf`` as the text that has not been consumed."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        start = int(self.value["data"]) + int(self.value["start"])
        return text_of(start, self.value["len"])


class OnOneLine:
    """A struct by the members that matter."""

    ENUMS = ()
    FLAGS = ()
    NUMBERS = ()

    def __init__(self, value):
        self.value = value

    def has(self, member):
        return any(x.name == member for x in self.value.type.fields())

    def to_string(self):
        said = [
            f"{member}={name_of(self.value[member], enum, prefix)}"
            for member, enum, prefix in self.ENUMS
            if self.has(member)
        ]
        said += [f"{x}={int(self.value[x])}" for x in self.NUMBERS if self.has(x)]
        said += [x for x in self.FLAGS if self.has(x) and bool(self.value[x])]
        return "{" + " ".join(said) + "}"


class Link(OnOneLine):
    """``struct link``."""

    ENUMS = (("state", "link_state", "LINK_"),)
    NUMBERS = ("opened_ms",)
    FLAGS = ("is_busy", "is_ahead", "is_over", "is_evicted")


class Conn(OnOneLine):
    """``struct conn``: its link, and what TCP adds."""

    NUMBERS = ("send_due_ms", "linger_end_ms", "ahead_bytes")
    FLAGS = ("wants_write", "was_high", "is_mute", "is_hung_up")

    def to_string(self):
        return Link(self.value["link"]).to_string() + super().to_string()


class Stream(OnOneLine):
    """``struct stream``."""

    ENUMS = (("state", "stream_state", "STREAM_"), ("version", "http_version", "HTTP_"))
    NUMBERS = ("status", "body_received", "body_sent")
    FLAGS = (
        "is_head",
        "body_ended",
        "pulling",
        "can_tunnel",
        "is_tunnel",
        "waits_for_budget",
        "waits_for_writable",
        "expect_continue",
        "owes_trailers",
    )


class Timer(OnOneLine):
    """``struct timer``."""

    NUMBERS = ("due_ms", "slot_ms")


PRINTERS = {
    "slice": Slice,
    "buf": Buf,
    "conn": Conn,
    "link": Link,
    "stream": Stream,
    "timer": Timer,
}


def find(value):
    """Return the printer for ``value``, or None."""
    kind = value.type.strip_typedefs()
    if kind.code == gdb.TYPE_CODE_STRUCT and kind.tag in PRINTERS:
        return PRINTERS[kind.tag](value)
    return None


class Err(gdb.Command):
    """Print the name of a negative enum err: ``err -12``."""

    def __init__(self):
        super().__init__("err", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        print(name_of(gdb.parse_and_eval(argument), "err"))


gdb.pretty_printers.insert(0, find)
Err()
