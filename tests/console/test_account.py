import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
REFUSAL = json.dumps({"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}})


@asynccontextmanager
async def refusing_api() -> AsyncIterator[tuple[str, list[str]]]:
    """An API that refuses every request; the credentials of each are kept."""
    credentials: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        credentials.extend(
            value.strip()
            for name, _, value in (line.partition(":") for line in head.splitlines())
            if name.lower() in ("x-api-key", "authorization")
        )
        body = REFUSAL.encode()
        writer.write(
            b"HTTP/1.1 401 Unauthorized\r\nContent-Type: application/json\r\nConnection: close\r\n"
            + f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}", credentials


def files_with(folder: Path, text: bytes) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


async def test_without_rehearsal_the_credential_of_the_environment_is_used_and_a_refusal_is_told(
    tmp_path: Path,
) -> None:
    async with refusing_api() as (url, credentials):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orchestrator_tui", "--idea", "A link checker", "--no-interactive"),
            *("--autonomy", "full", "--set", "agent.api_retries=0"),
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "HOME": str(tmp_path),
                "ORCHESTRATOR_HOME": str(tmp_path),
                "ANTHROPIC_API_KEY": "planted-credential",
                "ANTHROPIC_BASE_URL": url,
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
    text = (out + err).decode()
    assert process.returncode == 1, text
    assert credentials
    assert all("planted-credential" in credential for credential in credentials)
    assert "Claude refused the credentials" in text
    assert "Correct CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY" in text
    assert "planted-credential" not in text
    assert files_with(tmp_path, b"planted-credential") == []
