"""The lab's own certificate authority, made anew at each start.

One file makes it known to the application.

All private keys stay in this process. The authority's key is never written. A front's key passes
through a file that only its owner may read, because Python's TLS loads certificates only
from files.
"""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Sequence
from pathlib import Path

import trustme

from failover.lab.config import account_host, endpoint_host
from failover.lab.files import CA, write_whole
from failover.lab.network.front import FrontTls

ANOTHER_NAME = "another-name.lab.invalid"


def make_certificates(lab_dir: Path, regions: Sequence[str]) -> dict[str, FrontTls]:
    """Make two certificates per region: one for both of its host names, and one for another name.

    Writes the authority's certificate, which is no secret, to ``lab_dir / CA``.
    """
    folder = (lab_dir / CA).parent
    shutil.rmtree(folder, ignore_errors=True)  # that of a lab that was killed
    folder.mkdir(mode=0o700)
    authority = trustme.CA(organization_name="surveyapp lab")
    write_whole(lab_dir / CA, authority.cert_pem.bytes().decode())
    wrong = _context(authority.issue_cert(ANOTHER_NAME), folder)
    return {
        region: FrontTls(_context(authority.issue_cert(endpoint_host(region), account_host(region)), folder), wrong)
        for region in regions
    }


def _context(certificate: trustme.LeafCert, folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Mode 0600, removed at once.
    with certificate.private_key_and_cert_chain_pem.tempfile(dir=str(folder)) as path:
        context.load_cert_chain(path)
    return context
