"""What `cupola up` shows once the first endpoint answers: lines made to be copied.

No line is wrapped or framed, so that a selection in the terminal pastes as it stands.
"""

import json
import shlex
import sys
from pathlib import Path

from cupola import __version__
from cupola.app.greeting import Ready
from cupola.deployments.schemas import EndpointDetail
from cupola.settings import default_home

_QUESTION = "How many languages are in the world?"


def compose_welcome(home: Path, ready: Ready) -> str:
    """All of it, with samples for the first endpoint."""
    parts = [f"\nCupola {__version__} is ready. Ctrl-C stops it."]
    parts += [_facts(endpoint, home) for endpoint in ready.endpoints]
    if ready.endpoints:
        first = ready.endpoints[0]
        parts += [_chat(first, home), _curl(first), _python(first)]
    else:
        parts.append(f"There is no endpoint yet. Deploy a model:\n\n{_deploy(home)}")
    if ready.first_link:
        parts.append(f"For others to sign in, make the first administrator:\n\n{ready.first_link}")
    return "\n\n".join(parts)


def _deploy(home: Path) -> str:
    return spell_command(home, "deploy", "Cupola-Pilot", "--name", "pilot")


def _facts(endpoint: EndpointDetail, home: Path) -> str:
    return "\n".join(
        [
            f"Endpoint    {endpoint.name} ({endpoint.kind}, model {endpoint.model})",
            f"Target URI  {endpoint.target_uri}",
            f"Key         {endpoint.primary_key}",
            f"API page    {endpoint.target_uri}/docs",
            f"Data        {home}",
        ]
    )


def _chat(endpoint: EndpointDetail, home: Path) -> str:
    return f"Chat, in another terminal:\n\n{spell_command(home, 'chat', endpoint.name)}"


def spell_command(home: Path, *words: str) -> str:
    """The command line that reaches this installation from the present folder."""
    program = sys.argv[0] if Path(sys.argv[0]).name == "cupola" else "cupola"
    chosen = [] if home == default_home() else ["--home", str(home)]
    return shlex.join([program, *words, *chosen])


def _curl(endpoint: EndpointDetail) -> str:
    body = json.dumps({"messages": [{"role": "user", "content": _QUESTION}]})
    words = [
        f"curl {endpoint.target_uri}/chat/completions",
        f"-H 'Authorization: Bearer {endpoint.primary_key}'",
        "-H 'Content-Type: application/json'",
        f"-d '{body}'",
    ]
    return f"With curl:\n\n{' '.join(words)}"


def _python(endpoint: EndpointDetail) -> str:
    return f"""With Python (pip install azure-ai-inference):

from azure.ai.inference import ChatCompletionsClient
from azure.ai.inference.models import UserMessage
from azure.core.credentials import AzureKeyCredential

client = ChatCompletionsClient(
    endpoint="{endpoint.target_uri}",
    credential=AzureKeyCredential("{endpoint.primary_key}"),
)
reply = client.complete(messages=[UserMessage("{_QUESTION}")])
print(reply.choices[0].message.content)"""
