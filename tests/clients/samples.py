"""What Microsoft's how-to pages for these models send, word for word.

The pages are "How to use Mistral premium chat models" and its sisters. Every client here says the
same things in its own way, so a difference between two clients is a difference of the wire.
"""

from typing import Any

SYSTEM = "You are a helpful assistant."
LANGUAGES = "How many languages are in the world?"
CHAT = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": LANGUAGES}]

JSON_SYSTEM = (
    "You are a helpful assistant that always generate responses in JSON format, using."
    " the following format: { answer: response }."
)
"""The page's Python writes `""answer""` inside a string, so the quotes never reach the wire."""
IN_JSON = [{"role": "system", "content": JSON_SYSTEM}, {"role": "user", "content": LANGUAGES}]

TRAVEL_SYSTEM = (
    "You are a helpful assistant that help users to find information about traveling, how to get"
    " to places and the different transportations options. You care about the environment and you"
    " always have that in mind when answering inqueries."
)
FLIGHT = "When is the next flight from Miami to Seattle?"
TRAVEL = [{"role": "system", "content": TRAVEL_SYSTEM}, {"role": "user", "content": FLIGHT}]

FLIGHT_FUNCTION: dict[str, Any] = {
    "name": "get_flight_info",
    "description": (
        "Returns information about the next flight between two cities. This includes the name of"
        " the airline, flight number and the date and time of the next flight"
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "origin_city": {
                "type": "string",
                "description": "The name of the city where the flight originates",
            },
            "destination_city": {
                "type": "string",
                "description": "The flight destination city",
            },
        },
        "required": ["origin_city", "destination_city"],
    },
}
FLIGHT_TOOL = {"type": "function", "function": FLIGHT_FUNCTION}

_SHORT = {"type": "string", "maxLength": 20}
SHORT_FLIGHT_FUNCTION: dict[str, Any] = {
    **FLIGHT_FUNCTION,
    "parameters": {
        "type": "object",
        "properties": {"origin_city": _SHORT, "destination_city": _SHORT},
        "required": ["origin_city", "destination_city"],
        "additionalProperties": False,
    },
}
"""The same with an end to every text, so that any weights whatever come to the end of a call."""
SHORT_FLIGHT_TOOL = {"type": "function", "function": SHORT_FLIGHT_FUNCTION}

WEATHER_FUNCTION: dict[str, Any] = {
    "name": "get_weather",
    "description": "Returns the weather in a city",
    "parameters": {
        "type": "object",
        "properties": {"city": _SHORT},
        "required": ["city"],
        "additionalProperties": False,
    },
}
WEATHER_TOOL = {"type": "function", "function": WEATHER_FUNCTION}

ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "answer": {"type": "string", "maxLength": 60},
        "certain": {"type": "boolean"},
        "languages": {"type": "integer", "minimum": 0, "maximum": 9999},
    },
    "required": ["answer", "certain", "languages"],
    "additionalProperties": False,
}
"""Bounded on every side, so that any weights whatever come to its end."""

TOOL_CALL_ID = r"[A-Za-z0-9]{9}"
"""Mistral's rule; models and their templates refuse any other id."""


def get_flight_info(origin_city: str, destination_city: str) -> dict[str, str]:
    """The function behind the tool: there is never a flight."""
    return {
        "info": (
            f"There are no flights available from {origin_city} to {destination_city}. You should"
            " take a train, specially if it helps to reduce CO2 emissions."
        )
    }
