"""nginx: the configuration that `facet nginx` writes is one that the nginx here takes, and its certificates hold."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conf.load import SETTINGS_JSON, dump
from conf.schema import Settings
from doctor.finding import Finding, fail, ok, warn

LEAST = (1, 22)
SOON = datetime.timedelta(days=14)
_MODULES = ("http_ssl_module", "http_v2_module")


def public_hosts(settings: Settings) -> list[str]:
    """Every host name that the settings say leads here, without wildcards."""
    names = [site.host for site in settings.sites] + list(settings.nginx.media_hosts)
    if settings.nginx.s3_host:
        names += [
            settings.nginx.s3_host,
            *settings.origin.hosts,
            *settings.origin.domains,
            *settings.origin.bucket_hosts,
        ]
    return list(dict.fromkeys(names))


def nginx(settings: Settings) -> Iterator[Finding]:
    """Version and modules, `nginx -t` of what `facet nginx` writes, and the certificates it names."""
    if not public_hosts(settings):
        yield warn("nginx", "there is nothing for it to serve", "set sites, nginx.media_hosts or nginx.s3_host")
        return
    yield from _certificates(settings)
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if program is None:
        yield warn("nginx", "is not installed here", "apt install nginx, or run the doctor on the machine that has it")
        return
    told = subprocess.run([program, "-V"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    version = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", told)
    if version is None or (int(version[1]), int(version[2])) < LEAST:
        yield fail("nginx", told.split("\n", 1)[0], "nginx 1.22 or newer is needed (Debian 12)")
        return
    missing = [name for name in _MODULES if name not in told]
    if missing:
        yield warn("nginx", f"{version[0]} lacks {', '.join(missing)}", "install Debian's nginx, which has them")
    else:
        yield ok("nginx", version[0])
    yield _parses(settings, program)


def _parses(settings: Settings, program: str) -> Finding:
    """`nginx -t` with everything that it would open moved to a folder of our own."""
    with tempfile.TemporaryDirectory(prefix="facet-doctor-") as scratch:
        folder = Path(scratch)
        changed = {
            "logs": folder,
            "state": folder,
            "acme": folder,
            "pid": folder / "pid",
            "http": 18080,
            "https": 18443,
        }
        certificate, key = _stand_in(folder)
        changed |= {"certificate": certificate, "certificate_key": key, "listen": ("127.0.0.1",)}
        there = settings.model_copy(update={"nginx": settings.nginx.model_copy(update=changed)})
        written = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "facet", "nginx", "--out", scratch],
            env=os.environ | {SETTINGS_JSON: dump(there)},
            capture_output=True,
            text=True,
            check=False,
        )
        if written.returncode:
            return fail("nginx", written.stderr.strip().removeprefix("facet: "), "mend that setting")
        main = folder / "nginx.conf"
        done = subprocess.run(  # noqa: S603
            [program, "-t", "-p", scratch, "-c", str(main)], capture_output=True, text=True, check=False
        )
    if done.returncode:
        worst = next((line for line in done.stderr.split("\n") if "[emerg]" in line), done.stderr.strip())
        return fail(
            "nginx",
            f"refuses the configuration: {worst}",
            "`facet nginx` must match this nginx; see docs/operations.md",
        )
    return ok("nginx", "takes the configuration that `facet nginx` writes")


def _stand_in(folder: Path) -> tuple[Path, Path]:
    """A certificate for nobody, so that the configuration can be tried by who must not read the real key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "doctor")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    files = folder / "stand-in.pem", folder / "stand-in.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def _certificates(settings: Settings) -> Iterator[Finding]:
    by_file: dict[Path, list[str]] = {}
    for host in public_hosts(settings):
        path = Path(str(settings.nginx.certificate).replace("{host}", host.replace(":", "_")))
        by_file.setdefault(path, []).append(host)
    for domain in settings.origin.domains if settings.nginx.s3_host else ():
        path = Path(str(settings.nginx.certificate).replace("{host}", settings.nginx.s3_host or ""))
        by_file.setdefault(path, []).append(f"*.{domain}")
    now = datetime.datetime.now(datetime.UTC)
    for path, hosts in by_file.items():
        try:
            chain = x509.load_pem_x509_certificates(path.read_bytes())
        except PermissionError:
            yield warn("certificate", f"{path} cannot be read by this user", "run the doctor as root to check it")
            continue
        except OSError:
            yield fail(
                "certificate", f"{path} is missing", "get it (docs/guides/certificates.md), or set nginx.certificate"
            )
            continue
        except ValueError:
            yield fail("certificate", f"{path} holds no certificate", "set nginx.certificate to a PEM chain")
            continue
        names = chain[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        held = set(names.get_values_for_type(x509.DNSName))
        left = chain[0].not_valid_after_utc - now
        without = [host for host in hosts if not _covers(held, host)]
        if without:
            yield fail("certificate", f"{path} is not for {', '.join(without)}", "get one that names every host")
        elif left < datetime.timedelta(0):
            yield fail("certificate", f"{path} ended {-left.days} days ago", "renew it: certbot renew")
        elif left < SOON:
            yield warn(
                "certificate", f"{path} ends in {left.days} days", "look why it is not renewed: certbot renew --dry-run"
            )
        else:
            yield ok("certificate", f"{path}, {left.days} days left")


def _covers(held: set[str], host: str) -> bool:
    return host in held or (not host.startswith("*.") and f"*.{host.partition('.')[2]}" in held)
