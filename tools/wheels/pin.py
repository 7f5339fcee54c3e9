"""Writes a newer version of a library, or of a Python's headers, into sources.toml.

usage: pin.py NAME [--suite SUITE] [--version PREFIX]

NAME is one in sources.toml. apt's signed lists of SUITE (with its security updates)
have the available versions; the newest one that begins with PREFIX and can be
downloaded is selected. Then `make wheels` builds the library again.
"""

from __future__ import annotations

import argparse
import functools
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import fetch

ENTRIES = {
    "debian": ["debian {suite} main", "debian {suite}-updates main"],
    "debian-security": ["debian-security {suite}-security main"],
}


def records(suite: str, package: str) -> list[dict[str, str]]:
    """Return the records of a source package in a suite, from apt."""
    found = []
    for archive, entries in ENTRIES.items():
        if suite in ("sid", "forky") and archive != "debian":
            continue
        with tempfile.TemporaryDirectory(prefix="bolide-apt-") as folder:
            text = _show(Path(folder), archive, entries, suite, package)
        for paragraph in text.split("\n\n"):
            fields = _fields(paragraph)
            if fields.get("Package") == package:
                found.append({**fields, "archive": archive})
    return found


def _show(
    folder: Path, archive: str, entries: list[str], suite: str, package: str
) -> str:
    for mirror in fetch.mirrors(archive):
        lines = []
        for entry in entries:
            if suite == "sid" and "-updates" in entry:
                continue
            _, name, component = entry.format(suite=suite).split()
            lines.append(f"deb-src {mirror} {name} {component}\n")
        (folder / "list").write_text("".join(lines))
        for name in ("lists/partial", "cache/archives/partial", "empty"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        options = [
            *("-o", f"Dir::Etc::SourceList={folder}/list"),
            *("-o", f"Dir::Etc::SourceParts={folder}/empty"),
            *("-o", f"Dir::State::Lists={folder}/lists"),
            *("-o", f"Dir::Cache={folder}/cache"),
            *("-o", "APT::Sandbox::User=root"),
        ]
        update = ["apt-get", *options, "-qq", "update"]
        if subprocess.run(update, capture_output=True).returncode == 0:
            show = ["apt-cache", *options, "showsrc", "--only-source", package]
            return subprocess.run(show, capture_output=True, text=True).stdout
    raise fetch.Refused(f"no mirror of {archive} has {suite}")


def _fields(paragraph: str) -> dict[str, str]:
    found: dict[str, str] = {}
    name = ""
    for line in paragraph.splitlines():
        if line[:1] in (" ", "\t"):
            found[name] += "\n" + line.strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            found[name] = value.strip()
    return found


def newest(found: list[dict[str, str]], prefix: str) -> dict[str, str]:
    """Return the record with the highest version whose files can be downloaded."""

    def order(one: dict[str, str], other: dict[str, str]) -> int:
        compare = ["dpkg", "--compare-versions", one["Version"], "gt", other["Version"]]
        return 1 if subprocess.run(compare).returncode == 0 else -1

    some = [x for x in found if upstream(x["Version"]).startswith(prefix)]
    for record in sorted(some, key=functools.cmp_to_key(order), reverse=True):
        try:
            for path, digest in files_of(record).items():
                fetch.fetch(path, digest)
            return record
        except fetch.Refused as error:
            print(f"pin: not {record['Version']}: {error}", file=sys.stderr)
    raise fetch.Refused(f"there is no version that begins with {prefix}")


def upstream(version: str) -> str:
    """Return the upstream part of a Debian version."""
    text = re.sub(r"^\d+:", "", version).rpartition("-")[0] or version
    return re.sub(r"^.*\+really|\+?dfsg.*$", "", text)


def files_of(record: dict[str, str]) -> dict[str, str]:
    """Return the files to fetch with their SHA-256: all but signatures and the .dsc."""
    found = {}
    for line in record["Checksums-Sha256"].split("\n"):
        parts = line.split()
        if len(parts) == 3 and re.search(r"\.tar\.\w+$", parts[2]):
            path = f"{record['archive']}/{record['Directory']}/{parts[2]}"
            found[path] = parts[0]
    return found


def rewrite(text: str, key: str, record: dict[str, str]) -> str:
    """Return sources.toml with another version of a library."""
    begin = text.index(f"[libraries.{key}]")
    other = re.compile(rf"^\[(?!libraries\.{re.escape(key)}\b)", re.M)
    match = other.search(text, begin + 1)
    end = match.start() if match else len(text)
    block = text[begin:end]
    comment = re.search(r"(^#.*\n)*\Z", block, re.M)
    tail = comment[0] if comment else ""
    version = upstream(record["Version"])
    old = fetch.sources()["libraries"][key]["version"]
    block = re.sub(r"^version = .*$", f'version = "{version}"', block, flags=re.M)
    block = re.sub(
        r"^revision = .*$", f'revision = "{record["Version"]}"', block, flags=re.M
    )
    block = block.replace(f":{old}:", f":{version}:")
    head = block[: block.index(f"[libraries.{key}.files]")]
    lines = [f'"{path}" = "{digest}"\n' for path, digest in files_of(record).items()]
    files = f"[libraries.{key}.files]\n" + "".join(lines) + "\n"
    return text[:begin] + head + files + tail + text[end:]


def main() -> int:
    """Pin the requested version; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(fetch.sources()["libraries"]))
    parser.add_argument("--suite")
    parser.add_argument("--version", default="")
    given = parser.parse_args()
    library = fetch.sources()["libraries"][given.name]
    suite = given.suite or library["suite"]
    # Without a version the branch is kept: 3.5 is supported until 2030.
    prefix = given.version or library["version"].rpartition(".")[0] + "."
    try:
        record = newest(records(suite, given.name), prefix)
    except fetch.Refused as error:
        print(f"pin: {error}", file=sys.stderr)
        return 1
    if record["Version"] == library["revision"]:
        print(f"pin: {given.name} {record['Version']} is the newest")
        return 0
    fetch.SOURCES.write_text(rewrite(fetch.SOURCES.read_text(), given.name, record))
    print(f"pin: {given.name} is now {record['Version']}, it was {library['revision']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
