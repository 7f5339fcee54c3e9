"""Builds the documentation site: site.py [FOLDER], by default build/site.

Zensical builds a copy of docs/. The documents are also read in the repository, where
they link to files outside of docs/; the site does not contain those files, so in the
copy such a link becomes the name of the file.
"""

import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPY = ROOT / "build" / "site-source"
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#\s]+)(#[^)]*)?\)")


def without_links_out(text: str, folder: str) -> str:
    """Return a page of ``folder`` with links out of docs/ as code spans."""

    def plain(match: re.Match[str]) -> str:
        if "://" in match[2]:
            return match[0]
        path = posixpath.normpath(posixpath.join(folder, match[2]))
        return f"`{path[3:]}`" if path.startswith("../") else match[0]

    return LINK.sub(plain, text)


def copy() -> None:
    """Copy docs/ to COPY/docs."""
    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(ROOT / "docs", COPY / "docs")
    for page in COPY.rglob("*.md"):
        folder = page.parent.relative_to(COPY / "docs").as_posix()
        text = without_links_out(page.read_text("utf-8"), folder)
        page.write_text(text, "utf-8")


def main() -> int:
    """Build the site."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "site")
    copy()
    settings = (ROOT / "mkdocs.yml").read_text("utf-8")
    settings = settings.replace("site_dir: build/site", f"site_dir: {COPY / 'site'}")
    settings = settings.replace("paths: [.]", f"paths: [{ROOT}]")
    (COPY / "mkdocs.yml").write_text(settings, "utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(command, cwd=COPY, capture_output=True, text=True)
    said = done.stdout + done.stderr
    if done.returncode != 0 or "No issues found" not in said:
        sys.stderr.write(said)
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(COPY / "site", folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
