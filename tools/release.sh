#!/bin/sh
# Checks that this commit can be released as VERSION, builds all wheels and the sdist,
# tests the wheel for this machine as a user would install it, writes checksums, and tags.
# Nothing is uploaded: .github/workflows/release.yml does that for a pushed tag.
#   tools/release.sh PYTHON VERSION
set -eu

python=$1
version=${2:-}
fail() {
    echo "release: $*" >&2
    exit 1
}

[ -n "$version" ] || fail "which? make release VERSION=1.2.3"
own=$(sed -n "s/^project('bolide', version: '\([^']*\)'.*/\1/p" meson.build)
[ "$own" = "$version" ] || fail "meson.build says $own: set the version there first"
[ -z "$(git status --porcelain)" ] || fail "the tree has changes that are not committed"
[ "$(git rev-parse --abbrev-ref HEAD)" = main ] || fail "releases are made on main"
git rev-parse -q --verify "refs/tags/v$version" >/dev/null && fail "v$version exists"
grep -q "^## $version\b" CHANGELOG.md || fail "CHANGELOG.md has no heading for $version"
for command in curl openssl; do
    command -v "$command" >/dev/null || fail "$command is missing"
done

SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
out=dist/$version
rm -rf "$out"
mkdir -p "$out"
"$python" tools/wheels/build.py --out "$out"
"$python" -c "import mesonpy; print(mesonpy.build_sdist('$out'))"
"$python" tools/wheels/try.py --python "$python" --dist "$out" /
(cd "$out" && sha256sum -- *.whl *.tar.gz >SHA256SUMS)
git tag -a "v$version" -m "bolide $version"
echo "release: $(ls "$out" | wc -l) files in $out, tagged v$version"
echo "release: git push origin v$version has them built again and published"
