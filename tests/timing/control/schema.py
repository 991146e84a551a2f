"""JSON Schema (draft 2020-12), the part of it that our schemas use; a keyword that is not here is an error.

Written from the specification and not from msgspec, so that it judges what msgspec generates.
"""

import re
from typing import Any

JSON_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}
ANNOTATIONS = {"title", "description", "default", "discriminator"}


def faults(value: Any, schema: Any, components: dict[str, Any], where: str = "$") -> list[str]:
    """Everything that makes `value` invalid under `schema`; empty when it is valid. Raises on unknown keywords."""
    if schema is True or schema == {}:
        return []
    found: list[str] = []
    for keyword, operand in schema.items():
        if keyword in ANNOTATIONS:
            continue
        found += _check(keyword, operand, value, schema, components, where)
    return found


def _check(keyword: str, operand: Any, value: Any, schema: Any, components: dict[str, Any], where: str) -> list[str]:
    if keyword == "$ref":
        return faults(value, components[operand.rpartition("/")[2]], components, where)
    if keyword == "anyOf":
        options = [faults(value, option, components, where) for option in operand]
        return [] if any(not option for option in options) else [f"{where}: fits none of {len(operand)}: {options}"]
    if keyword == "type":
        fits = isinstance(value, JSON_TYPES[operand]) and (operand == "boolean" or not isinstance(value, bool))
        return [] if fits else [f"{where}: {value!r} is no {operand}"]
    if keyword == "enum":
        return [] if value in operand else [f"{where}: {value!r} is none of {operand}"]
    if keyword in ("pattern", "minLength", "maxLength"):
        return _check_string(keyword, operand, value, where)
    if keyword == "items":
        return _each(value, operand, components, where) if isinstance(value, list) else []
    if keyword in ("required", "properties", "additionalProperties"):
        return _check_object(keyword, operand, value, schema, components, where) if isinstance(value, dict) else []
    raise AssertionError(f"{where}: the tests do not know the keyword {keyword!r}")


def _check_string(keyword: str, operand: Any, value: Any, where: str) -> list[str]:
    if not isinstance(value, str):
        return []
    if keyword == "pattern":
        fits = re.search(operand, value) is not None
    elif keyword == "minLength":
        fits = len(value) >= operand
    else:
        fits = len(value) <= operand
    return [] if fits else [f"{where}: {value!r} against {keyword} {operand}"]


def _each(values: list[Any], schema: Any, components: dict[str, Any], where: str) -> list[str]:
    return [fault for index, one in enumerate(values) for fault in faults(one, schema, components, f"{where}[{index}]")]


def _check_object(
    keyword: str, operand: Any, value: dict[str, Any], schema: Any, components: dict[str, Any], where: str
) -> list[str]:
    known = schema.get("properties", {})
    if keyword == "required":
        return [f"{where}: {name!r} is missing" for name in operand if name not in value]
    if keyword == "properties":
        pairs = [(name, one) for name, one in operand.items() if name in value]
        return [fault for name, one in pairs for fault in faults(value[name], one, components, f"{where}.{name}")]
    others = [name for name in value if name not in known]
    if operand is False:
        return [f"{where}: {name!r} is not allowed" for name in others]
    return [fault for name in others for fault in faults(value[name], operand, components, f"{where}.{name}")]
