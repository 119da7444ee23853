"""Certificates and TLS for the stand-in.

Makes a CA of its own at each start, writes its certificate for clients (one file, and an OpenSSL-hashed
directory) and gives the server one TLS context for each way a certificate can be good or bad.
No private key ever reaches a disk.
"""
import datetime
import ipaddress
import os
import ssl
import subprocess
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = ("localhost", "127.0.0.1")
DAY = datetime.timedelta(days=1)


class Pair(NamedTuple):
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def contexts(folder: Path) -> dict[str, ssl.SSLContext]:
    """Write the CA into `folder`; return a TLS context for each listener that needs one."""
    home, foreign = authority("pam_ibmiam stand-in CA"), authority("pam_ibmiam foreign CA")
    publish(home.certificate, folder)
    good = issue("localhost", LOOPBACK, by=home)
    return {
        "good": context(good),
        "http2": context(good, alpn=("h2", "http/1.1")),
        "expired": context(issue("localhost", LOOPBACK, by=home, start=-3 * DAY, end=-1 * DAY)),
        "not_yet_valid": context(issue("localhost", LOOPBACK, by=home, start=+1 * DAY, end=+3 * DAY)),
        "foreign_ca": context(issue("localhost", LOOPBACK, by=foreign)),
        "wrong_host": context(issue("elsewhere.example", ["elsewhere.example"], by=home)),
        "self_signed": context(issue("localhost", LOOPBACK, by=None)),
        "old_tls": context(good, ssl.TLSVersion.TLSv1_1),
    }


def authority(name: str) -> Pair:
    return issue(name, [], by=None, ca=True)


def issue(name, hosts, by, ca=False, start=-1 * DAY, end=30 * DAY) -> Pair:
    """A new key and its certificate, signed `by` that pair, or by itself where `by` is None."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer, issuer = (by.key, by.certificate.subject) if by else (key, subject)
    now = datetime.datetime.utcnow()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + start).not_valid_after(now + end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(usage(ca), critical=True)
    )
    if not ca:
        builder = (builder
                   .add_extension(x509.SubjectAlternativeName([general_name(h) for h in hosts]), critical=False)
                   .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False))
    return Pair(key, builder.sign(signer, hashes.SHA256()))


def usage(ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, crl_sign=ca, content_commitment=False,
                         key_encipherment=False, data_encipherment=False, key_agreement=False,
                         encipher_only=False, decipher_only=False)


def general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def context(pair: Pair, only: ssl.TLSVersion | None = None, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
    """A server's TLS context. Python wants files, so the key goes through one that exists in memory only."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if only:
        tls.set_ciphers("ALL:@SECLEVEL=0")  # Debian's default level has no cipher left for TLS 1.1
        tls.minimum_version = tls.maximum_version = only
    if alpn:
        tls.set_alpn_protocols(alpn)
    with open(os.memfd_create("standin"), "wb") as memory:
        memory.write(pair.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                            serialization.NoEncryption()))
        memory.write(pair.certificate.public_bytes(serialization.Encoding.PEM))
        memory.flush()
        tls.load_cert_chain(f"/proc/self/fd/{memory.fileno()}")
    return tls


def publish(certificate: x509.Certificate, folder: Path) -> None:
    """ca.pem for CURLOPT_CAINFO and ca/ for CURLOPT_CAPATH, readable for an unprivileged client."""
    pem, hashed = folder / "ca.pem", folder / "ca"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    hashed.mkdir(exist_ok=True)
    for stale in hashed.iterdir():
        stale.unlink()
    name = subprocess.run(["/usr/bin/openssl", "x509", "-noout", "-subject_hash", "-in", pem],
                          check=True, capture_output=True, text=True).stdout.strip()
    (hashed / f"{name}.0").write_bytes(pem.read_bytes())
