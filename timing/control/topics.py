"""Every topic below `velodrome/<meet>/` with its message, and their JSON Schemas."""

from typing import Any

import msgspec

from timing.control.messages import TOPIC_MESSAGES
from timing.control.office_messages import OFFICE_MESSAGES

TOPICS: dict[str, type[msgspec.Struct]] = {**TOPIC_MESSAGES, **OFFICE_MESSAGES}


def json_schemas() -> dict[str, Any]:
    """JSON Schema of every topic's message, by topic below `velodrome/<meet>/`."""
    schemas, components = msgspec.json.schema_components(TOPICS.values(), ref_template="#/components/schemas/{name}")
    return {
        "topics": dict(zip(TOPICS, schemas, strict=True)),
        "components": {"schemas": components},
    }
