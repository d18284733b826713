"""Real Claude Code sessions, started by claude-agent-sdk."""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    ClaudeSDKError,
    HookCallback,
    HookMatcher,
    PermissionResultDeny,
    ProcessError,
    ToolPermissionContext,
)
from claude_agent_sdk._internal.transport.subprocess_cli import SubprocessCLITransport

from orchestrator_tui.agents import gate
from orchestrator_tui.agents.base import (
    AgentOutput,
    ApiRetried,
    CalledTool,
    Endpoint,
    Said,
    SessionRequest,
    TextDelta,
    ToolReturned,
    TranscriptStore,
    TurnEnded,
    Working,
)
from orchestrator_tui.agents.bubblewrap import Bubblewrap
from orchestrator_tui.agents.cli_file import make_launcher
from orchestrator_tui.agents.discreet import DiscreetCounsel
from orchestrator_tui.agents.environment import AGENT_ID, cli_environment, config_folder, secret_values
from orchestrator_tui.agents.feed import Feed
from orchestrator_tui.agents.gate import COUNSEL_SERVER
from orchestrator_tui.agents.hook import make_hook
from orchestrator_tui.agents.kept_files import is_uuid, remove_conversation
from orchestrator_tui.agents.launch import VARIABLE, pack
from orchestrator_tui.agents.leftovers import end_leftovers, end_strays
from orchestrator_tui.agents.messages import outputs_of, session_id_of
from orchestrator_tui.agents.tools import counsel_server
from orchestrator_tui.agents.transcripts import TranscriptMirror, bring_back, is_kept, key_of
from orchestrator_tui.agents.turn_log import TurnLog
from orchestrator_tui.agents.turnstile import Turnstile
from orchestrator_tui.agents.typing_mask import TypingMask
from orchestrator_tui.config.paths import Paths
from orchestrator_tui.config.secrets import mask, mask_data, mask_tokens
from orchestrator_tui.domain.errors import AgentFailed
from orchestrator_tui.domain.finishing import finish
from orchestrator_tui.domain.records import Usage

_LARGEST_LINE_BYTES = 32 * 1024 * 1024
_STDERR_LINES_KEPT = 40
_INTERRUPT_SECONDS = 10.0
_GOODBYE_SECONDS = 0.7
"""How long a CLI may take to hear that it is to end; an end in a hurry has two seconds for everything."""
_MIRROR_SECONDS = 2.0
_HOOK_SECONDS = 60.0


class ClaudeRuntime:
    """Starts sessions of the CLI that comes with the SDK, each in an environment built for it.

    Args:
        parent_environ: the environment of this program; a few harmless variables of it are passed on.
        api_retries: how often the CLI asks the API again after an error.
        starts: bounds how many sessions start at once; as many as there are cores by default.
        judge: decides every tool call.
        sandbox_of: what the commands of a project's agents run in, by its id; None for no sandbox.
        hide: takes credentials out of everything an agent says, calls, gets and answers.
        transcripts: where conversations are kept and taken up again; None leaves them to the CLI's own folder.
        workspace: the folder below which projects lie, where that need not be the same one on every machine.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        paths: Paths,
        parent_environ: Mapping[str, str],
        api_retries: int,
        starts: asyncio.Semaphore | None = None,
        judge: gate.Judge = gate.judge,
        transcripts: TranscriptStore | None = None,
        sandbox_of: Callable[[str], Bubblewrap | None] = lambda project_id: None,
        hide: Callable[[str], str] = mask_tokens,
        workspace: Path | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._paths = paths
        self._parent_environ = parent_environ
        self._api_retries = api_retries
        self._starts = starts or asyncio.Semaphore(os.cpu_count() or 1)
        self._judge = judge
        self._transcripts = transcripts
        self._sandbox_of = sandbox_of
        self._hide = hide
        self._workspace = workspace

    @property
    def scripted(self) -> bool:
        return self._endpoint.scripted

    @property
    def account(self) -> str:
        return self._endpoint.account

    @contextlib.asynccontextmanager
    async def session(self, request: SessionRequest) -> AsyncIterator["ClaudeSession"]:
        """A session for `request`; leaving the context ends its process and what it left running.

        Raises:
            AgentFailed: the session could not be started; `kind` says why. It is `resume` when `request.resume` names
                a conversation that cannot be gone on with.
            CredentialsMissing: the endpoint has none.
            StoreUnavailable: the conversation to resume cannot be read.
        """
        session = await self._start(request)
        try:
            yield session
        finally:
            await finish(session.close())

    async def keeps(self, session_id: str, directory: Path) -> bool:
        """Whether anything is kept of a conversation in `directory`. Without a store only the CLI knows.

        Raises:
            StoreUnavailable: that cannot be read.
        """
        if self._transcripts is None:
            return True
        return await is_kept(self._transcripts, session_id, directory=directory, workspace=self._workspace)

    async def _start(self, request: SessionRequest) -> "ClaudeSession":
        if not request.directory.is_dir():
            raise AgentFailed(f"{request.directory} is not a folder.", kind="process", hint="Make it and try again.")
        if request.counsel is not None:
            request = replace(request, counsel=DiscreetCounsel(request.counsel, self._hide))
        stderr: deque[str] = deque(maxlen=_STDERR_LINES_KEPT)
        turnstile = Turnstile(request.lease_holds)
        transcripts = self._transcripts and (request.transcripts or self._transcripts)
        mirror = None
        if transcripts is not None:
            key = await asyncio.to_thread(key_of, request.directory, self._workspace)
            mirror = TranscriptMirror(transcripts, self._hide, key)
        async with self._starts:
            try:
                options, secrets = await asyncio.to_thread(self._options, request, stderr, turnstile, mirror)
                if request.resume is not None and transcripts is not None:
                    config = config_folder(self._paths, request.project_id)
                    await bring_back(
                        transcripts,
                        request.resume,
                        directory=request.directory,
                        config=config,
                        workspace=self._workspace,
                    )
            except OSError as error:
                raise AgentFailed(f"The files of the CLI cannot be written: {error}", kind="process") from error
            client = ClaudeSDKClient(options)
            try:
                await client.connect()
            except Exception as error:
                # The SDK has no base class for what can go wrong here.
                await asyncio.to_thread(end_leftovers, AGENT_ID, request.agent_id)
                text = mask(" ".join([_why(error), *stderr]), secrets)
                # The CLI ends by itself when it cannot take up a conversation.
                kind = "resume" if request.resume is not None and isinstance(error, ProcessError) else "process"
                raise AgentFailed(f"Claude could not be started: {text}", kind=kind) from error
        config = config_folder(self._paths, request.project_id)
        return ClaudeSession(client, request, stderr, secrets, turnstile, mirror, self._hide, config)

    def _options(
        self, request: SessionRequest, stderr: deque[str], turnstile: Turnstile, mirror: TranscriptMirror | None
    ) -> tuple[ClaudeAgentOptions, tuple[str, ...]]:
        environment = cli_environment(
            request,
            self._endpoint,
            parent_environ=self._parent_environ,
            paths=self._paths,
            api_retries=self._api_retries,
            sandbox=self._sandbox_of(request.project_id),
        )
        config = config_folder(self._paths, request.project_id)
        config.mkdir(parents=True, exist_ok=True)
        cli = SubprocessCLITransport(prompt="", options=ClaudeAgentOptions())._find_cli()
        hook = make_hook(request, judge=self._judge, readable=(config / "projects",), turnstile=turnstile)
        matcher = HookMatcher(
            matcher=None,
            hooks=[cast(HookCallback, hook)],
            timeout=_HOOK_SECONDS + (request.counsel.patience_seconds if request.counsel else 0),
            on_failure="block",
        )
        options = ClaudeAgentOptions(
            cwd=request.directory,
            cli_path=make_launcher(self._paths),
            # The launcher drops all but the first; the SDK finds the CLI's transcripts by the second.
            env={VARIABLE: pack(cli, environment, os.getpid()), "CLAUDE_CONFIG_DIR": str(config)},
            model=request.model,
            system_prompt=request.system_prompt,
            verbatim_prompts=True,
            tools=list(request.tools),
            permission_mode="default",
            hooks={"PreToolUse": [matcher]},
            can_use_tool=_refuse_tool,
            setting_sources=[],
            skills=[],
            strict_mcp_config=True,
            mcp_servers={} if request.counsel is None else {COUNSEL_SERVER: counsel_server(request.counsel)},
            include_partial_messages=True,
            output_format=_output_format(request),
            max_turns=request.max_turns,
            max_budget_usd=request.max_budget_usd,
            max_buffer_size=_LARGEST_LINE_BYTES,
            stderr=stderr.append,
            session_store=mirror,
            # At the end of each turn alone, what a killed program had not seen end would be lost.
            session_store_flush="eager",
            # Not `resume`: for that the SDK makes a config folder of its own, which a killed program leaves behind.
            extra_args=_conversation(request),
        )
        return options, secret_values(environment)


class ClaudeSession:
    """A live session; made by `ClaudeRuntime.session`."""

    def __init__(
        self,
        client: ClaudeSDKClient,
        request: SessionRequest,
        stderr: deque[str],
        secrets: tuple[str, ...],
        turnstile: Turnstile,
        mirror: TranscriptMirror | None,
        hide: Callable[[str], str],
        config: Path,
    ) -> None:
        self._client = client
        self._agent_id = request.agent_id
        self._stderr = stderr
        self._secrets = secrets
        self._turnstile = turnstile
        self._mirror = mirror
        self._hide = hide
        self._config = config
        self._typed = TypingMask(hide)
        self._feed = Feed()
        self._log = TurnLog(cli_session_id=request.resume)
        self._is_killed = False
        self._in_turn = False
        self._over = asyncio.Event()
        self._failure: str | None = None
        self._reader = asyncio.create_task(self._read(), name=f"agent {request.agent_id} messages")

    @property
    def usage(self) -> Usage:
        return self._log.used

    @property
    def cli_session_id(self) -> str | None:
        """What `SessionRequest.resume` takes to go on with this conversation; None before the CLI has told it."""
        return self._log.cli_session_id

    async def turn(self, prompt: str) -> AsyncIterator[AgentOutput]:
        """Say `prompt` and yield what the agent does; the last value is a `TurnEnded`, always exactly one."""
        self._feed.clear()
        self._log.begin()
        self._over.clear()
        self._in_turn = True
        try:
            await self._client.query(prompt)
        except ClaudeSDKError as error:
            self._failure = self._failure or _why(error)
            self._in_turn = False
            yield await self._settled(self._lost())
            return
        while (output := await self._feed.take()) is not None:
            if isinstance(output, TurnEnded):
                self._in_turn = False
                yield await self._settled(self._masked(output))
                return
            yield output
        self._in_turn = False
        yield await self._settled(self._lost())

    async def settle(self) -> None:
        """Let no further tool call begin, and wait until none is under way."""
        await self._turnstile.close()

    async def interrupt(self) -> None:
        """Stop the current step; the turn ends with `error_kind="interrupted"`."""
        if not self._in_turn:
            return
        self._log.interrupted = True
        try:
            async with asyncio.timeout(_INTERRUPT_SECONDS):
                await self._client.interrupt()
        except Exception as error:
            # A CLI that does not even take an interrupt is of no use any more.
            self._failure = f"the CLI did not take the interrupt: {_why(error)}"
            self._feed.close()

    async def kill(self) -> None:
        """End the CLI and everything it has started, in the middle of whatever it does."""
        self._is_killed = True
        await asyncio.to_thread(end_leftovers, AGENT_ID, self._agent_id)

    async def close(self) -> None:
        """End the CLI and everything it left running."""
        if self._in_turn and not self._is_killed:
            heard = False
            self._log.interrupted = True
            try:
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await self._client.interrupt()
                    heard = True
                    # What it keeps of the conversation comes before the end of the turn.
                    await self._over.wait()
            except Exception:
                # The SDK has no base class for what can go wrong here, and the session is over either way.
                if not heard:
                    # It does not listen any more: nobody waits for it.
                    await asyncio.to_thread(end_leftovers, AGENT_ID, self._agent_id)
        # What gave up its environment is only known to be the session's while the CLI is there.
        await asyncio.to_thread(end_strays, AGENT_ID, self._agent_id)
        try:
            await self._client.disconnect()
        finally:
            self._reader.cancel()
            await asyncio.wait([self._reader])
            await asyncio.to_thread(end_leftovers, AGENT_ID, self._agent_id)
            if self._mirror is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_MIRROR_SECONDS):
                        await self._mirror.written()
                await self._mirror.close()
                if self.cli_session_id is not None:
                    await asyncio.to_thread(remove_conversation, self._config, self.cli_session_id)

    async def _read(self) -> None:
        try:
            async for message in self._client.receive_messages():
                self._log.cli_session_id = session_id_of(message) or self._log.cli_session_id
                for output in outputs_of(message, self._log):
                    for shown in self._shown(self._past_turnstile(output)):
                        self._feed.put(shown)
        except Exception as error:
            # Whatever it is, nothing more is heard of the CLI: the turn ends with it.
            self._failure = _why(error)
        finally:
            self._turnstile.leave_all()
            self._over.set()
            self._feed.close()

    def _shown(self, output: AgentOutput) -> Iterator[AgentOutput]:
        """What the agent did, without credentials; what it types is held back as long as it may become one."""
        match output:
            case TextDelta(text=text):
                ready = self._typed.add(text)
                yield TextDelta(text=ready) if ready else Working()
                return
            case Said() | CalledTool() | TurnEnded():
                if rest := self._typed.rest():
                    yield TextDelta(text=rest)
            case ApiRetried():
                self._typed.forget()
        yield _hidden(output, self._hide)

    def _past_turnstile(self, output: AgentOutput) -> AgentOutput:
        if isinstance(output, ToolReturned):
            self._turnstile.leave(output.call_id)
            return replace(output, refused=self._turnstile.was_refused(output.call_id))
        if isinstance(output, TurnEnded):
            self._turnstile.leave_all()
            self._over.set()
        return output

    def _lost(self) -> TurnEnded:
        reason = " ".join([self._failure or "the CLI ended", *self._stderr])
        return self._masked(self._log.lost(f"The Claude process was lost: {reason}"))

    async def _settled(self, ended: TurnEnded) -> TurnEnded:
        """`ended` when its conversation is kept; a turn that nobody could go on from did not end well."""
        if self._mirror is None:
            return ended
        await self._mirror.written()
        if self._mirror.failure is None or ended.error_kind is not None:
            return ended
        error = f"The conversation cannot be kept: {self._mirror.failure}"
        return self._masked(replace(ended, structured=None, error_kind="store", error=error))

    def _masked(self, ended: TurnEnded) -> TurnEnded:
        if ended.error is None:
            return ended
        return replace(ended, error=mask(ended.error, self._secrets))


def _hidden(output: AgentOutput, hide: Callable[[str], str]) -> AgentOutput:
    """What an agent did, without credentials: nothing behind this place sees one."""
    match output:
        case Said():
            return replace(output, text=hide(output.text))
        case CalledTool():
            return replace(output, arguments=mask_data(output.arguments, hide))
        case ToolReturned():
            return replace(output, output=hide(output.output))
        case TurnEnded():
            return replace(output, text=hide(output.text), structured=mask_data(output.structured, hide))
        case _:
            return output


def _conversation(request: SessionRequest) -> dict[str, str | None]:
    """Which conversation it is: the one to go on with, or a new one with its agent's id, so that its id is known
    before anything can go wrong."""
    if request.resume is not None:
        return {"resume": request.resume}
    return {"session-id": request.agent_id} if is_uuid(request.agent_id) else {}


async def _refuse_tool(tool: str, arguments: dict[str, Any], context: ToolPermissionContext) -> PermissionResultDeny:
    """The second layer: what the hook did not allow is not allowed."""
    return PermissionResultDeny(message=f"{tool} is not allowed here.")


def _why(error: Exception) -> str:
    if isinstance(error, ProcessError):
        return f"it exited with code {error.exit_code}"
    return str(error) or type(error).__name__


def _output_format(request: SessionRequest) -> dict[str, Any] | None:
    return None if request.output_schema is None else {"type": "json_schema", "schema": dict(request.output_schema)}
