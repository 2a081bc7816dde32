"""What the lab is told: where it keeps its state, which regions it plays, and with which engine."""

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
"""The account that the lab's regions play; as on AWS, every account has endpoint names of its own."""
RTT_MS = 70.0
"""Round trip between the first region and the second: what AWS's two coasts are apart."""


class EngineKind(StrEnum):
    """The DynamoDB-compatible program that plays a region."""

    MINISTACK = "ministack"
    DYNAMODB_LOCAL = "dynamodb-local"


def endpoint_host(region: str) -> str:
    """The region's own name, which the application asks the nameserver for."""
    return f"dynamodb.{region}.amazonaws.com"


def account_host(region: str) -> str:
    """The name that an SDK asks for when it knows its account, unless it is told not to."""
    return f"{ACCOUNT}.ddb.{region}.amazonaws.com"


@dataclass(frozen=True)
class LabConfig:
    """Everything the lab is told. ``rtt_ms`` is the round trip (ms) of every region but the first; with ``tls`` the
    fronts speak nothing else.
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
        """Read LAB_DIR, LAB_RTT_MS, LAB_TLS, ENGINE, LAB_MINISTACK and DYNAMODB_LOCAL_DIR."""
        ministack = environ.get("LAB_MINISTACK")
        local = environ.get("DYNAMODB_LOCAL_DIR")
        return cls(
            lab_dir=(lab_dir or Path(environ.get("LAB_DIR") or ".lab")).resolve(),
            rtt_ms=_number(environ, "LAB_RTT_MS", RTT_MS),
            tls=_yes(environ, "LAB_TLS"),
            engine=_engine(environ.get("ENGINE") or EngineKind.MINISTACK),
            ministack=Path(ministack) if ministack else None,
            dynamodb_local=Path(local) if local else None,
        )

    def rtt_of(self, region: str) -> float:
        """Added round trip to a region, ms: the first region is next door."""
        return 0.0 if region == self.regions[0] else self.rtt_ms

    def engine_dir(self, region: str) -> Path:
        """Where a region's engine keeps its data, lock and pid."""
        return self.lab_dir / "engines" / region

    def find_ministack(self) -> list[str]:
        """The command of the ministack program: told, else in the engine's environment, else on the PATH. Raises
        LabError.

        The environment's own Python runs it, since a console script holds a path that is gone when a checkout moves.
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
        """The folder with DynamoDBLocal.jar, which only the user may download. Raises LabError."""
        folder = self.dynamodb_local or PROJECT / ".dynamodb-local"
        if not (folder / "DynamoDBLocal.jar").is_file():
            raise LabError(f"ENGINE=dynamodb-local: {folder / 'DynamoDBLocal.jar'} is missing: set DYNAMODB_LOCAL_DIR")
        if shutil.which("java") is None:
            raise LabError("ENGINE=dynamodb-local needs java on the PATH: install a Java runtime (17 or newer)")
        return folder


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        raise LabError(f"{name}={text}: not a number") from None
    if name == "LAB_RTT_MS" and not 0 <= value <= 5_000:
        raise LabError(f"{name}={text}: must be between 0 and 5000 (ms)")
    return value


def _yes(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name) or "0"
    if text not in ("0", "1"):
        raise LabError(f"{name}={text}: must be 0 or 1")
    return text == "1"


def _engine(name: str) -> EngineKind:
    try:
        return EngineKind(name)
    except ValueError:
        raise LabError(f"ENGINE={name}: must be one of {', '.join(EngineKind)}") from None
