"""The client matrix: who is served, in which version, and what each of them can be asked to do.

docs/reference/compatibility.md shows the same, and a test compares. Versions are those of the lock
files, so neither this file nor the environments need a hand when the locks are renewed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

FEATURES: Mapping[str, str] = {
    "info": "asks which model it is talking to: `/info`, or the list of models",
    "complete": "gets a whole reply with text, a finish reason and usage that adds up",
    "stream": "reads a stream to its end, with finish reason and usage",
    "tools": "makes the model call a function and sends call and result back",
    "json_mode": "gets a JSON object",
    "json_schema": "gets JSON that fits a schema",
    "choices": "gets two choices for `n` = 2",
    "logprobs": "reads log-probabilities and their alternatives",
    "extras": "hands a parameter of the model through: the safety prompt",
    "wrong_key": "sees 401 and why, with a wrong key",
    "invalid": "sees 400 or 422 with the field's name, for a wrong value",
    "not_found": "sees 404 with the endpoint's name, for an unknown endpoint",
    "embeddings": "sees 404, because the model makes no embeddings",
}
"""Each is a function of that name in the client's script."""


@dataclass(frozen=True)
class Client:
    """One client in one version, and how to run it."""

    package: str
    environment: str
    """The lock list it is in: `dev`, one of requirements/clients-*.txt, or `node`."""
    script: str
    kind: str = "only"
    """Which of the script's classes, where it has several."""
    shown: str = ""
    """What tells two of the same package apart."""
    fixed_version: str = ""
    """For what is in no lock file."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Features that the client itself does not offer, and why."""
    broken: Mapping[str, str] = field(default_factory=dict)
    """Features that should work and do not: a fault of ours, with its nature."""

    @property
    def version(self) -> str:
        return self.fixed_version or locked(self.environment, self.package)

    @property
    def label(self) -> str:
        return f"{self.package}{self.shown and f' ({self.shown})'} {self.version}"

    @property
    def features(self) -> list[str]:
        return [feature for feature in FEATURES if feature not in self.lacks]


@cache
def locked(environment: str, package: str) -> str:
    """The version of `package` that the environment's lock file holds."""
    if environment == "node":
        lock = json.loads((ROOT / "tests/clients/js/package-lock.json").read_text())
        version: str = lock["packages"][f"node_modules/{package}"]["version"]
        return version
    name = "dev.txt" if environment == "dev" else f"clients-{environment}.txt"
    text = (ROOT / "requirements" / name).read_text()
    found = re.search(rf"^{re.escape(package)}==([^ ;\\]+)", text, re.MULTILINE)
    assert found, f"{package} is not in {name}"
    return found[1]


_NO_SCHEMA = {"json_schema": "it has no class for a schema"}
_NO_LIST = {"info": "this class has no list of models", "embeddings": "nor one for embeddings"}
_NO_MODELS = {"info": "it does not ask what an endpoint serves"}
_KEEPS_NO_SCORES = {"logprobs": "it keeps no log-probabilities of a reply"}
_NO_SCORES = {"logprobs": "it has no such argument"}
CLIENTS = [
    Client(
        "azure-ai-inference",
        "2024-07",
        "azure_python.py",
        kind="first",
        lacks=_NO_SCHEMA,
    ),
    Client("azure-ai-inference", "2024-10", "azure_python.py", lacks=_NO_SCHEMA),
    Client("azure-ai-inference", "2025-02", "azure_python.py", lacks=_NO_SCHEMA),
    Client("azure-ai-inference", "dev", "azure_python.py"),
    Client("@azure-rest/ai-inference", "node", "matrix_azure.mjs"),
    Client(
        "Azure.AI.Inference",
        "dev",
        "csharp_replay.py",
        kind="beta.1",
        shown="C#, replayed",
        fixed_version="1.0.0-beta.1",
        lacks=_NO_SCHEMA,
    ),
    Client(
        "Azure.AI.Inference",
        "dev",
        "csharp_replay.py",
        kind="beta.5",
        shown="C#, replayed",
        fixed_version="1.0.0-beta.5",
        lacks={"choices": "its result shows the first choice only"},
    ),
    Client(
        "mistralai",
        "2024-07",
        "mistral_first.py",
        lacks={
            **_NO_SCHEMA,
            **_NO_SCORES,
            "choices": "it has no such argument",
        },
    ),
    Client("mistralai", "2025-02", "mistral_later.py", kind="native-1", lacks=_NO_SCORES),
    Client(
        "mistralai",
        "2025-02",
        "mistral_later.py",
        kind="azure-1",
        shown="MistralAzure",
        lacks={**_NO_LIST, **_NO_SCHEMA, **_NO_SCORES},
    ),
    Client("mistralai", "dev", "mistral_later.py", kind="native-3"),
    Client(
        "mistralai",
        "dev",
        "mistral_later.py",
        kind="azure-3",
        shown="MistralAzure",
        lacks=_NO_LIST,
    ),
    Client("openai", "dev", "openai_python.py", shown="Python"),
    Client("openai", "node", "matrix_openai.mjs", shown="JavaScript"),
    Client(
        "langchain-azure-ai",
        "frameworks",
        "with_langchain.py",
        kind="azure",
        lacks={**_NO_MODELS, **_KEEPS_NO_SCORES},
    ),
    Client(
        "langchain-mistralai",
        "frameworks",
        "with_langchain.py",
        kind="mistral",
        lacks={
            **_NO_MODELS,
            **_KEEPS_NO_SCORES,
            "embeddings": "its class first fetches a tokenizer from elsewhere",
        },
    ),
    Client("langchain-openai", "frameworks", "with_langchain.py", kind="openai", lacks=_NO_MODELS),
    *(
        Client(
            "litellm",
            "frameworks",
            "with_litellm.py",
            kind=prefix,
            shown=f"`{prefix}/`",
            lacks=_NO_MODELS,
        )
        for prefix in ("azure_ai", "mistral", "openai")
    ),
    Client(
        "llama-index-llms-azure-inference",
        "frameworks",
        "with_llama_index.py",
        lacks={**_NO_SCHEMA, "embeddings": "they are another package's"},
    ),
    Client("curl", "dev", "curl_lines.py", fixed_version="any"),
]
