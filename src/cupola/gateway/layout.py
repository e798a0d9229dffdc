"""A model's chat template, compiled once: conversation -> prompt text.

Templates come with model files, so they run in Jinja's sandbox, with what the transformers library
offers them: `raise_exception`, `strftime_now`, `tojson` that leaves characters as they are, loop
controls, and lines trimmed as it trims them. The catalog's own templates have two filters more:
`json_or_text` and `by_id`.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NoReturn

import msgspec
from jinja2 import TemplateError
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from cupola.engines.port import Profile
from cupola.gateway.inert import ControlText
from cupola.kit.clock import Clock
from cupola.kit.errors import Invalid, Unavailable

Turn = Mapping[str, Any]
"""A message as templates see it."""

_PROBE = "\u2042 probe \u2042"
_FAULTS = (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError)
"""What a template that was not written for a conversation raises on it."""


class Layout:
    """How one model wants to be prompted."""

    def __init__(self, profile: Profile, clock: Clock) -> None:
        self.control = ControlText(profile.control_tokens)
        self._constants = {"bos_token": profile.bos_token, "eos_token": profile.eos_token}
        try:
            self._template = _environment(clock).from_string(profile.chat_template)
        except TemplateError as error:
            raise Unavailable(
                f"This model cannot be prompted: its chat template has a fault: {error}"
            ) from None
        # Copied for each rendering: 2 microseconds for a dict, 10 for Jinja's ChainMap.
        self._template.globals = dict(self._template.globals)
        self.folds_system = not self._takes_system()
        self.takes_tools = self._takes_tools()
        self.names_known = profile.calls_by_heart and self.takes_tools and self._names_known()
        """Whether it names functions that the model knows by heart instead of showing them."""

    def render(
        self,
        turns: Sequence[Turn],
        tools: Sequence[Mapping[str, Any]] | None,
        *,
        opening: bool,
        known: Sequence[str] = (),
    ) -> str:
        """The prompt of a conversation.

        Args:
            opening: Whether the assistant's turn is opened; False if its text is to be continued.
            known: Names of functions, not among `tools`, that the model knows by heart.
        """
        asked: dict[str, Any] = {
            "messages": turns,
            "tools": tools,
            "add_generation_prompt": opening,
        }
        if known:  # templates ask whether it is defined
            asked["builtin_tools"] = known
        context = self._template.new_context({**self._constants, **asked})
        try:
            return "".join(self._template.root_render_func(context))
        except _FAULTS as error:
            raise Invalid(
                f"The model's chat template does not take this conversation: {error}",
                path=("messages",),
            ) from None
        except RecursionError:
            raise Invalid(
                "The model's chat template does not end on this conversation.", path=("messages",)
            ) from None
        finally:
            # A template's macros hold the context that holds them: left so, every prompt is rubbish
            # for the collector, which then takes a tenth of the time, in pauses of 70 ms.
            context.vars.clear()

    def _takes_system(self) -> bool:
        """Whether a system message reaches the prompt; older templates refuse or lose it."""
        turns = [{"role": "system", "content": _PROBE}, {"role": "user", "content": "Hi"}]
        try:
            return _PROBE in self.render(turns, None, opening=True)
        except Invalid:
            return False

    def _takes_tools(self) -> bool:
        """Whether a tool reaches the prompt; models without a form for calls lack it."""
        tool = {"name": _PROBE, "description": "", "parameters": {"type": "object"}}
        tools = [{"type": "function", "function": tool}]
        try:
            return _PROBE in self.render([{"role": "user", "content": "Hi"}], tools, opening=True)
        except Invalid:
            return False

    def _names_known(self) -> bool:
        """Whether names of functions known by heart reach the prompt."""
        turns = [{"role": "user", "content": "Hi"}]
        try:
            return _PROBE in self.render(turns, None, opening=True, known=[_PROBE])
        except Invalid:
            return False


_inside = object.__getattribute__
"""Past a namespace's own look-up, which is Python and takes three times as long."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, quicker for the objects that templates themselves make.

    The sandbox asks a dozen abstract classes about each attribute that is read, which made it half
    the cost of a prompt. Namespaces and loops have no attribute, and macros no effect, to guard.
    """

    def getattr(self, obj: Any, attribute: str) -> Any:
        kind = type(obj)
        if kind is Namespace:
            try:
                return _inside(obj, "_Namespace__attrs")[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        if kind is LoopContext and not attribute.startswith("_"):
            try:
                return getattr(obj, attribute)
            except AttributeError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        if type(obj) is Macro or obj is Namespace:
            kwargs.pop("_loop_vars", None)
            kwargs.pop("_block_vars", None)
            return obj(*args, **kwargs)
        return super().call(context, obj, *args, **kwargs)


def _environment(clock: Clock) -> _Sandbox:
    sandbox = _Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    sandbox.filters["tojson"] = _to_json
    sandbox.filters["json_or_text"] = _json_or_text
    sandbox.filters["by_id"] = _by_id
    sandbox.globals["raise_exception"] = _raise_exception
    sandbox.globals["strftime_now"] = lambda form: datetime.fromtimestamp(
        clock.now(), UTC
    ).strftime(form)
    return sandbox


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Jinja's own filter writes `<` as `\\u003c` for HTML; models never saw that."""
    if type(indent) is int and indent > 0 and separators is None:
        # The same text in a fifth of the time: `json` indents in Python, in functions that hold one
        # another, and so are left for the collector.
        text = json.dumps(value, ensure_ascii=ensure_ascii, sort_keys=sort_keys)
        with suppress(ValueError):  # NaN, or half a character
            return msgspec.json.format(text, indent=indent)
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _json_or_text(text: str) -> str:
    """`text` as a JSON value: itself if it is one, otherwise a string.

    It stays as it was written, because its escapes, once decoded, could be a control token's text
    that nobody searched for.
    """
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return _to_json(text)
    return text.strip()


def _by_id(calls: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Calls by their ids; a template that searched them would take quadratic time."""
    return {call["id"]: call for call in calls}


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)
