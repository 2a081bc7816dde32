"""The lab's configuration: its directory, its regions, and the engine that stores their data."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from failover.lab.errors import LabError

PROJECT = Path(__file__).resolve().parents[2]
REGIONS = ("us-east-1", "us-west-2")
ACCOUNT = "000000000000"
"""The AWS account of the lab's regions. As on AWS, every account has endpoint names of its own."""
RTT_MS = 70.0
"""Round trip between the first region and the second, ms: about that between AWS's two coasts."""


class EngineKind(StrEnum):
    """The DynamoDB-compatible program that plays a region."""

    MINISTACK = "ministack"
    DYNAMODB_LOCAL = "dynamodb-local"


def endpoint_host(region: str) -> str:
    """The region's host name, under which the application looks for it."""
    return f"dynamodb.{region}.amazonaws.com"


def account_host(region: str) -> str:
    """The host name that an SDK uses once it knows its account, unless that is disabled."""
    return f"{ACCOUNT}.ddb.{region}.amazonaws.com"


@dataclass(frozen=True)
class LabConfig:
    """The lab's settings.

    ``rtt_ms`` is the round trip (ms) to every region except the first. With ``tls`` the fronts
    speak TLS only. ``ministack`` and ``dynamodb_local`` are where the engines are installed, if not
    in the usual places.
    """

    lab_dir: Path
    regions: tuple[str, ...] = REGIONS
    rtt_ms: float = RTT_MS
    engine: EngineKind = EngineKind.MINISTACK
    tls: bool = False
    ministack: Path | None = None
    dynamodb_local: Path | None = None

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, *, lab_dir: Path | None = None) -> LabConfig:
        """Read LAB_DIR, LAB_RTT_MS, LAB_TLS, ENGINE, LAB_MINISTACK and DYNAMODB_LOCAL_DIR.

        Raises LabError, in one line, for a value that cannot be used.
        """
        ministack = environ.get("LAB_MINISTACK")
        local = environ.get("DYNAMODB_LOCAL_DIR")
        return cls(
            lab_dir=(lab_dir or Path(environ.get("LAB_DIR") or ".lab")).resolve(),
            rtt_ms=_rtt_ms(environ.get("LAB_RTT_MS") or str(RTT_MS)),
            tls=_tls(environ.get("LAB_TLS") or "0"),
            engine=_engine(environ.get("ENGINE") or EngineKind.MINISTACK),
            ministack=Path(ministack) if ministack else None,
            dynamodb_local=Path(local) if local else None,
        )

    def rtt_of(self, region: str) -> float:
        """The round trip that is added for a region, ms: none for the first region."""
        return 0.0 if region == self.regions[0] else self.rtt_ms

    def engine_dir(self, region: str) -> Path:
        """Where a region's engine keeps its data, lock and pid."""
        return self.lab_dir / "engines" / region

    def find_ministack(self) -> list[str]:
        """The command that runs ministack. Raises LabError when it is not installed.

        It is looked for in LAB_MINISTACK, or in the engine's environment and then on the PATH. The
        environment's Python runs it as a module: a console script holds an absolute path, which is
        wrong once a checkout moves.
        """
        program = self.ministack or PROJECT / ".venv-engine" / "bin" / "python"
        if program.is_file():
            if not os.access(program, os.X_OK):
                raise LabError(f"LAB_MINISTACK={program}: is not a program")
            return [str(program)] if self.ministack else [str(program), "-I", "-m", "ministack"]
        on_path = shutil.which("ministack")
        if on_path and self.ministack is None:
            return [on_path]
        raise LabError(
            f"the engine ministack is not installed ({program} is missing): run make demo, or set LAB_MINISTACK"
        )

    def find_dynamodb_local(self) -> Path:
        """The folder with DynamoDBLocal.jar.

        Only the user may download it. Raises LabError when it is missing.
        """
        folder = self.dynamodb_local or PROJECT / ".dynamodb-local"
        if not (folder / "DynamoDBLocal.jar").is_file():
            raise LabError(f"ENGINE=dynamodb-local: {folder / 'DynamoDBLocal.jar'} is missing: set DYNAMODB_LOCAL_DIR")
        if shutil.which("java") is None:
            raise LabError("ENGINE=dynamodb-local needs java on the PATH: install a Java runtime (17 or newer)")
        return folder


def _rtt_ms(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise LabError(f"LAB_RTT_MS={text}: not a number") from None
    if not 0 <= value <= 5_000:
        raise LabError(f"LAB_RTT_MS={text}: must be between 0 and 5000 (ms)")
    return value


def _tls(text: str) -> bool:
    if text not in ("0", "1"):
        raise LabError(f"LAB_TLS={text}: must be 0 or 1")
    return text == "1"


def _engine(name: str) -> EngineKind:
    try:
        return EngineKind(name)
    except ValueError:
        raise LabError(f"ENGINE={name}: must be one of {', '.join(EngineKind)}") from None
