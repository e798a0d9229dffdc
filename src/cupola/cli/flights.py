"""The function that `/tools` lends to the model: a timetable too small to be of use."""

import json
from typing import Any

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_flight_info",
        "description": "Returns information about the next flight between two cities. This "
        "includes the name of the airline, flight number and the date and time of the next flight",
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
    },
}

_TIMETABLE = {
    ("paris", "rome"): "The next flight from Paris to Rome leaves at 10:40.",
    ("seattle", "tokyo"): "The next flight from Seattle to Tokyo leaves at 13:15.",
}


def get_flight_info(arguments: str) -> str:
    """The answer to a call with this JSON text, as JSON text."""
    cities = json.loads(arguments)
    origin, destination = cities["origin_city"], cities["destination_city"]
    none = (
        f"There are no flights available from {origin} to {destination}. You should take a train, "
        "specially if it helps to reduce CO2 emissions."
    )
    return json.dumps({"info": _TIMETABLE.get((origin.lower(), destination.lower()), none)})
