"""Sections that choose a kind."""

from typing import Any

from smar.params.section import Section


class KindSection(Section):
    """A section with a key `kind` and a sub-section for each of its kinds."""

    kind: str

    @property
    def own(self) -> Any:
        """Parameters of the chosen kind."""
        return getattr(self, self.kind)

    def settings(self) -> dict[str, Any]:
        """Return what decides a result: everything but the parameters of kinds not chosen."""
        common = {name for name in type(self).model_fields if not self._is_kind(name)}
        return self.model_dump(include={*common, self.kind})

    def _is_kind(self, name: str) -> bool:
        annotation = type(self).model_fields[name].annotation
        return isinstance(annotation, type) and issubclass(annotation, Section)
