"""The projects."""

from __future__ import annotations

from dataclasses import dataclass, field

from registry.names import InvalidName, check_name


@dataclass
class Projects:
    """Projects by name."""

    owners: dict[str, str] = field(default_factory=dict)

    def create(self, name: str, owner: str) -> str:
        """Create a project; the name must be free."""
        name = check_name(name)
        if name in self.owners:
            raise InvalidName(f"{name} is taken")
        self.owners[name] = owner
        return name

    def of(self, owner: str) -> list[str]:
        """Return the projects of an owner."""
        return sorted(name for name, who in self.owners.items() if who == owner)
