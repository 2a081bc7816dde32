"""The two programs that can be a region's engine. Each has its command, and its own form of data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import assert_never

from failover.lab.config import EngineKind, LabConfig
from failover.lab.environment import NO_CLOUD
from failover.lab.errors import LabError


def engine_command(config: LabConfig, region: str, port: int) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of a region's engine. Raises LabError when it is not installed."""
    data, scratch = config.engine_dir(region) / "data", config.engine_dir(region) / "tmp"
    data.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(exist_ok=True)
    env = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    env |= {**NO_CLOUD, "HOME": str(scratch), "TMPDIR": str(scratch)}
    match config.engine:
        case EngineKind.MINISTACK:
            env |= {
                "GATEWAY_PORT": str(port),
                "BIND_HOST": "127.0.0.1",  # its default is every interface
                "MINISTACK_REGION": region,
                "SERVICES": "dynamodb,dynamodbstreams",
                "IOT_MTLS_ENABLED": "0",
                "SFTP_ENABLED": "0",
                "PERSIST_STATE": "1",
                "STATE_DIR": str(data),
                "LOG_LEVEL": "WARNING",
            }
            return config.find_ministack(), env
        case EngineKind.DYNAMODB_LOCAL:
            jars = config.find_dynamodb_local()
            java = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m"]
            library = f"-Djava.library.path={jars / 'DynamoDBLocal_lib'}"
            jar = ["-jar", str(jars / "DynamoDBLocal.jar"), "-dbPath", str(data), "-port", str(port)]
            return [*java, library, *jar, "-disableTelemetry"], env
        case _:
            assert_never(config.engine)


def snapshot_file(config: LabConfig, region: str) -> Path | None:
    """The file into which an engine saves its tables when it is stopped.

    None for DynamoDB Local, which writes to its database at once.
    """
    is_ministack = config.engine is EngineKind.MINISTACK
    return config.engine_dir(region) / "data" / "dynamodb.json" if is_ministack else None


def refuse_another_engine(config: LabConfig) -> None:
    """Note which kind of engine the directory belongs to. Raises LabError when it is another kind.

    Each kind stores tables in its own format, so another one would start empty beside the votes.
    """
    note = config.lab_dir / "engines" / "kind"
    kept = note.read_text().strip() if note.exists() else _kind_of_data(config)
    if kept != config.engine:
        raise LabError(
            f"LAB_DIR={config.lab_dir} keeps the votes of ENGINE={kept}: start with that, or set another LAB_DIR"
        )
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(f"{config.engine}\n")


def _kind_of_data(config: LabConfig) -> EngineKind:
    """The kind of engine that wrote a directory without a note. Earlier versions made no note."""
    data = [path for region in config.regions for path in config.engine_dir(region).glob("data/*")]
    if any(path.suffix == ".db" for path in data):
        return EngineKind.DYNAMODB_LOCAL
    return EngineKind.MINISTACK if data else config.engine
