"""How stored documents are written and read.

They are canonical JSON that names its schema version.
"""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticSerializationError

from functions.shared.domain.errors import NewerSchemaError, UnreadableDocumentError


class Value(BaseModel):
    """A frozen part of a document.

    Unknown fields are ignored, so an older reader accepts a newer minor writer. Its validator is built when it is first used: an
    import then costs nothing for the documents that a function never meets.
    """

    model_config = ConfigDict(defer_build=True, frozen=True, extra="ignore", protected_namespaces=(), ser_json_inf_nan="constants")


class Written(BaseModel):
    """A frozen part of a document that a person writes.

    An unknown field is a mistake and is refused; so is what JSON cannot hold.
    """

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid", protected_namespaces=(), allow_inf_nan=False)


class Document(Value):
    """A stored JSON document.

    Raises:
        NewerSchemaError: on reading, if `schema_version` is later than this code knows.
    """

    SCHEMA_VERSION: ClassVar[int] = 1
    schema_version: int = 1

    @field_validator("schema_version")
    @classmethod
    def _known_schema(cls, version: int, _info: ValidationInfo) -> int:
        if version > cls.SCHEMA_VERSION:
            message = f"{cls.__name__} has schema {version}, this Everscore reads up to {cls.SCHEMA_VERSION}: update Everscore"
            raise NewerSchemaError(message)
        return version

    def to_json(self) -> bytes:
        """UTF-8 JSON, fields in declared order, newline at the end.

        It is read back before anybody may store it.

        Raises:
            UnreadableDocumentError: if nobody could read it.
        """
        try:
            text = self.model_dump_json(indent=1).encode() + b"\n"
            self.from_json(text)
        except (ValidationError, PydanticSerializationError) as error:
            message = f"a {type(self).__name__} was not stored, since nobody could read it: {error}"
            raise UnreadableDocumentError(message) from error
        return text

    @classmethod
    def from_json(cls, text: bytes | str) -> Self:
        """Read what `to_json` of this or an earlier version wrote.

        Fields that a later version added are ignored at any depth.
        """
        return cls.model_validate_json(text, extra="ignore")

    def summary(self) -> dict[str, Any]:
        """Plain JSON types, as `--json` prints them."""
        return self.model_dump(mode="json")
