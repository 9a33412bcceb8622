"""The base of every configuration block, and `key`, which declares one of its keys."""

# No `from __future__ import annotations` here: pydantic would evaluate the annotations once per subclass.

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

from tradectl.config.scalars import said

__all__ = ["Block", "key", "names_of", "written_name"]


def key(default: Any, doc: str, *, unit: str = "", example: Any = None, name: str | None = None) -> Any:
    """Declare a key: its default (`...` for none), meaning, unit and an example in YAML values.

    A block class as default means an empty block of it. A required key needs an example.
    """
    extra: dict[str, Any] = {}
    if unit:
        extra["unit"] = unit
    if example is not None:
        extra["examples"] = [example]
    given: dict[str, Any] = {"default": default}
    if isinstance(
        default, type
    ):  # validated inside the root, which spares building a validator for each block
        given = {"default_factory": dict, "validate_default": issubclass(default, Block)}
    if name is not None:
        given |= {"alias": name}
    return Field(**given, description=doc, json_schema_extra=extra or None)


class Block(BaseModel):
    """A mapping with fixed keys; frozen, unknown keys refused, empty means all defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)
    short_key: ClassVar[str] = ""  # the key that a bare text stands for, where that is allowed
    short_kind: ClassVar[str] = "text"  # what stands for it

    @classmethod
    def from_short(cls, text: str) -> dict[str, Any]:
        """Return the mapping that a bare text stands for."""
        return {cls.short_key: text}

    @classmethod
    def as_mapping(cls, value: Any) -> Any:
        """Return the mapping that `value` stands for, or raise ValueError that lists the keys."""
        if value is None:
            return {}
        if isinstance(value, (dict, cls)):
            return value
        if cls.short_key and isinstance(value, str):
            return cls.from_short(value)
        raise ValueError(f"expected a mapping with the keys {', '.join(names_of(cls))}; got {said(value)}")

    @model_validator(mode="before")
    @classmethod
    def _accept(cls, value: Any) -> Any:
        return cls.as_mapping(value)


def written_name(name: str, field: FieldInfo) -> str:
    """Return the key as it is written in YAML (`from`, not `from_`)."""
    return field.alias or name


def names_of(block: type[Block]) -> list[str]:
    """Return the keys of a block as they are written in YAML."""
    return [written_name(name, field) for name, field in block.model_fields.items()]
