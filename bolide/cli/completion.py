"""``--completion``: scripts with which bash, zsh or fish complete the options."""

from __future__ import annotations

from bolide.cli.help import topics
from bolide.cli.options import OPTIONS, Option
from bolide.cli.sources import UsageError

SHELLS = ("bash", "zsh", "fish")

_PATHS = frozenset(("PATH", "FOLDER"))


def script(shell: str) -> str:
    """Return the script for ``shell``, one of SHELLS; raise UsageError."""
    if shell not in SHELLS:
        names = ", ".join(SHELLS)
        raise UsageError(f"--completion is one of {names}, not {shell!r}")
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()


def _names(option: Option) -> list[str]:
    names = (option.name, option.negative, option.alias)
    return [x for x in names if x]


def _choices(option: Option) -> list[str]:
    """Return the values that may follow an option; none if they cannot be listed."""
    if option.kind == "bool":
        return ["on", "off"]
    if option.kind == "topic":
        return [*topics(), "all"]
    words = option.takes.split("|")
    return [x for x in words if x.islower()] if len(words) > 1 else []


def _bash() -> str:
    every = " ".join(name for option in OPTIONS for name in _names(option))
    cases = []
    for option in OPTIONS:
        names = "|".join(_names(option))
        if option.takes in _PATHS:
            cases.append(f'    {names}) COMPREPLY=($(compgen -f -- "$word")); return;;')
        elif _choices(option):
            words = " ".join(_choices(option))
            reply = f'COMPREPLY=($(compgen -W "{words}" -- "$word"))'
            cases.append(f"    {names}) {reply}; return;;")
        elif option.takes:
            cases.append(f"    {names}) return;;")
    lines = [
        "_bolide() {",
        "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}",
        "  COMPREPLY=()",
        '  case "$before" in',
        *cases,
        "  esac",
        f'  COMPREPLY=($(compgen -W "{every}" -- "$word"))',
        "}",
        "complete -F _bolide bolide",
    ]
    return "\n".join(lines) + "\n"


def _zsh() -> str:
    lines = [
        "#compdef bolide",
        "_bolide() {",
        "local state line context",
        "_arguments \\",
    ]
    for option in OPTIONS:
        meaning = option.meaning.replace("'", "").replace("[", "(").replace("]", ")")
        meaning = meaning.replace(":", "\\:")
        value = ""
        if option.takes in _PATHS:
            value = ":path:_files"
        elif _choices(option):
            value = f":value:({' '.join(_choices(option))})"
        elif option.takes:
            value = ":value:"
        for name in _names(option):
            many = "*" if option.kind in ("list", "texts") else ""
            lines.append(f"  '{many}{name}[{meaning}]{value}' \\")
    # An unused state: with a message zsh would not complete options.
    lines.append("  '1:module\\:app:->app'")
    # Read by `source`, or found as a file `_bolide` in $fpath.
    lines += [
        "}",
        'if [ "${funcstack[1]}" = _bolide ]; then _bolide "$@"',
        "else compdef _bolide bolide; fi",
    ]
    return "\n".join(lines) + "\n"


def _fish() -> str:
    lines = []
    for option in OPTIONS:
        for name in _names(option):
            flag = f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
            meaning = option.meaning.replace("\\", "").replace("'", "")
            line = f"complete -c bolide {flag} -d '{meaning}'"
            if _choices(option):
                line += f" -x -a '{' '.join(_choices(option))}'"
            elif option.takes:
                line += " -r" if option.takes in _PATHS else " -x"
            lines.append(line)
    return "\n".join(lines) + "\n"
