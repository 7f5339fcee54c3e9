"""A certificate authority in a folder, by the openssl command."""

import subprocess
from pathlib import Path
from typing import NamedTuple

KINDS = {
    "ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-newkey", "rsa:2048"],
}


def openssl(*words, **kwargs):
    """Run the command and return its output."""
    done = subprocess.run(
        ["openssl", *map(str, words)], capture_output=True, check=False, **kwargs
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Pair(NamedTuple):
    """A certificate and its key, as files."""

    cert: Path
    key: Path

    def settings(self):
        """Return the settings for Config."""
        return {"ssl_certfile": str(self.cert), "ssl_keyfile": str(self.key)}

    def words(self):
        """Return the arguments for the command."""
        return ["--ssl-certfile", str(self.cert), "--ssl-keyfile", str(self.key)]


class Authority:
    """Issues certificates below a folder; ``cert`` is its own certificate."""

    def __init__(self, folder, name, above=None):
        """``above`` is the Authority that issues its certificate; None: self-signed."""
        self.folder = folder
        self.cert, self.key = folder / "ca.pem", folder / "ca.key"
        self.count = 0
        if above is not None:
            rights = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign"
            self.cert, self.key = above.issue(name, extensions=rights)
        else:
            openssl(
                *("req", "-x509", *KINDS["ec"], "-nodes", "-days", "30"),
                *("-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert),
                *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
            )
        (folder / "index.txt").touch()
        (folder / "ca.conf").write_text(
            "[ca]\ndefault_ca = own\n[own]\n"
            f"database = {folder}/index.txt\ndefault_md = sha256\n"
            f"certificate = {self.cert}\nprivate_key = {self.key}\n"
            "default_crl_days = 30\npolicy = any\n"
            f"new_certs_dir = {folder}\nrand_serial = yes\n"
            "[any]\ncommonName = supplied\n"
        )

    def issue(
        self,
        subject,
        names="",
        kind="ec",
        password=None,
        extensions="",
    ):
        """Return a Pair for ``subject``, perhaps a distinguished name: /O=A/CN=b."""
        self.count += 1
        stem = self.folder / f"{self.count}"
        pair = Pair(stem.with_suffix(".pem"), stem.with_suffix(".key"))
        request, rights = stem.with_suffix(".csr"), stem.with_suffix(".ext")
        rights.write_text(
            "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
            + (f"subjectAltName={names}\n" if names else "")
            + extensions
        )
        secret = ["-nodes"] if password is None else ["-passout", f"pass:{password}"]
        openssl(
            *("req", *KINDS[kind], *secret, "-utf8", "-multivalue-rdn"),
            *("-subj", subject if subject[0] == "/" else f"/CN={subject}"),
            *("-keyout", pair.key, "-out", request),
        )
        openssl(
            *("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key),
            *("-set_serial", self.count, "-extfile", rights, "-out", pair.cert),
            *("-days", "30"),
        )
        return pair

    def issue_authority(self, name, folder):
        """Return an Authority whose certificate this one has issued."""
        return Authority(folder, name, self)

    def issue_expired(self, subject):
        """Return a Pair that expired on 2 January 2020."""
        pair = self.issue(subject)
        openssl(
            *("ca", "-batch", "-notext", "-config", self.folder / "ca.conf"),
            *("-startdate", "20200101000000Z", "-enddate", "20200102000000Z"),
            *("-in", pair.cert.with_suffix(".csr"), "-out", pair.cert),
        )
        return pair

    def revoke(self, pair):
        """Revoke a certificate."""
        openssl("ca", "-config", self.folder / "ca.conf", "-revoke", pair.cert)

    def list_revoked(self, name):
        """Return the path of a new revocation list."""
        path = self.folder / name
        openssl("ca", "-config", self.folder / "ca.conf", "-gencrl", "-out", path)
        return path

    def answer_ocsp(self, pair, folder):
        """Return the path of an OCSP response (DER) that says that a certificate is
        good.
        """
        number = openssl("x509", "-in", pair.cert, "-noout", "-serial").split(b"=")[1]
        subject = openssl("x509", "-in", pair.cert, "-noout", "-subject").split(b"=", 1)
        index, path = folder / "index.txt", folder / "ocsp.der"
        index.write_text(
            f"V\t350101000000Z\t\t{number.decode().strip()}\tunknown\t"
            f"{subject[1].decode().strip()}\n"
        )
        openssl(
            *("ocsp", "-index", index, "-CA", self.cert, "-rsigner", self.cert),
            *("-rkey", self.key, "-issuer", self.cert, "-cert", pair.cert),
            *("-respout", path, "-ndays", "7"),
        )
        return path
