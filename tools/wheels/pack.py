"""Writes a wheel: the same bytes for the same content, with licenses and an SBOM."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import tomllib
import uuid
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import fetch
from targets import Target

TOP = fetch.HERE.parents[1]


def version() -> str:
    """Return bolide's version, which is in meson.build."""
    found = re.search(r"version: '([^']+)'", (TOP / "meson.build").read_text())
    assert found is not None
    return found[1]


def epoch() -> int:
    """Return the timestamp of files in wheels: that of the last commit."""
    import os

    own = os.environ.get("SOURCE_DATE_EPOCH")
    if own:
        return int(own)
    done = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=TOP, capture_output=True, text=True
    )
    return int(done.stdout) if done.returncode == 0 else 315532800


def tags(python: str, target: Target) -> str:
    """Return the tags of a wheel's name."""
    short = "cp" + python.replace(".", "")
    return f"{short}-{short}-{target.tag}"


def metadata(libraries: dict[str, dict]) -> bytes:
    """Return METADATA: that of pyproject.toml, and the licenses of linked libraries."""
    from pyproject_metadata import StandardMetadata

    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    found = StandardMetadata.from_pyproject(project, TOP)
    found.version = found.version or _as_version()
    text = str(found.as_rfc822())
    names = dict.fromkeys(["MIT", *(x["license"] for x in libraries.values())])
    expression = f"License-Expression: {' AND '.join(names)}"
    text = re.sub(r"^License-Expression: .*$", expression, text, count=1, flags=re.M)
    found_in = "License-File: LICENSE\n"
    texts = [f"{key}/{name}" for key, x in libraries.items() for name in x["texts"]]
    more = "".join(f"License-File: {name}\n" for name in texts)
    return text.replace(found_in, found_in + more).encode()


def _as_version() -> object:
    from packaging.version import Version

    return Version(version())


def entry_points() -> bytes:
    """Return entry_points.txt."""
    scripts = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["scripts"]
    lines = [f"{name} = {value}\n" for name, value in sorted(scripts.items())]
    return ("[console_scripts]\n" + "".join(lines)).encode()


def sbom(libraries: dict[str, dict], tag: str, extension: bytes) -> bytes:
    """Return a CycloneDX bill of materials: bolide and the libraries linked into it."""
    own = f"pkg:pypi/bolide@{version()}"
    parts = [_component(key, library) for key, library in libraries.items()]
    about = f"{own} {tag} {hashlib.sha256(extension).hexdigest()}"
    when = datetime.fromtimestamp(epoch(), UTC).isoformat().replace("+00:00", "Z")
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, about)}",
        "version": 1,
        "metadata": {
            "timestamp": when,
            "component": {
                "type": "library",
                "bom-ref": own,
                "name": "bolide",
                "version": version(),
                "purl": own,
                "licenses": [{"license": {"id": "MIT"}}],
            },
        },
        "components": parts,
        "dependencies": [
            {"ref": own, "dependsOn": sorted(part["bom-ref"] for part in parts)},
            *({"ref": part["bom-ref"]} for part in parts),
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True).encode() + b"\n"


def _component(key: str, library: dict) -> dict:
    reference = f"pkg:generic/{key}@{library['version']}"
    return {
        "type": "library",
        "bom-ref": reference,
        "name": key,
        "version": library["version"],
        "purl": reference,
        "cpe": library["cpe"],
        "licenses": [{"license": {"id": library["license"]}}],
        "hashes": [
            {"alg": "SHA-256", "content": digest}
            for path, digest in library["files"].items()
            if ".debian.tar" not in path
        ],
        "properties": [{"name": "bolide:revision", "value": library["revision"]}],
    }


def pack(
    stage: Path, folder: Path, python: str, target: Target, licences: Path
) -> Path:
    """Write the wheel of the files installed below ``stage``; return its path."""
    libraries = fetch.sources()["libraries"]
    tag = tags(python, target)
    info = f"bolide-{version()}.dist-info"
    content = {
        str(path.relative_to(stage)): path.read_bytes()
        for path in stage.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    (extension,) = (v for k, v in content.items() if k.endswith(".so"))
    for path in licences.rglob("*"):
        if path.is_file():
            name = path.relative_to(licences)
            content[f"{info}/licenses/{name}"] = path.read_bytes()
    content[f"{info}/licenses/LICENSE"] = (TOP / "LICENSE").read_bytes()
    content[f"{info}/METADATA"] = metadata(libraries)
    content[f"{info}/entry_points.txt"] = entry_points()
    content[f"{info}/sboms/bolide.cdx.json"] = sbom(libraries, tag, extension)
    content[f"{info}/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: bolide tools/wheels\n"
        f"Root-Is-Purelib: false\nTag: {tag}\n"
    ).encode()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"bolide-{version()}-{tag}.whl"
    _write(wheel, content, f"{info}/RECORD")
    return wheel


def _write(wheel: Path, content: dict[str, bytes], record: str) -> None:
    lines = [_record(name, data) for name, data in sorted(content.items())]
    content[record] = "".join([*lines, f"{record},,\n"]).encode()
    when = datetime.fromtimestamp(max(epoch(), 315532800), UTC).timetuple()[:6]
    # Installers read from the end: the metadata comes last.
    order = sorted(
        content, key=lambda name: (".dist-info/" in name, name == record, name)
    )
    part = wheel.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for name in order:
            entry = zipfile.ZipInfo(name, when)
            mode = 0o755 if name.endswith(".so") else 0o644
            entry.external_attr = (0o100000 | mode) << 16
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(entry, content[name], compresslevel=9)
    part.replace(wheel)


def _record(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"{name},sha256={digest.decode()},{len(data)}\n"
