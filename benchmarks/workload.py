"""What the children do, as one shell line with {} for the child's name."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Workload:
    generator: list[str]
    mode: str
    children: int
    folder: Path
    options: dict[str, int] = field(default_factory=dict)

    @property
    def pid_file(self) -> Path:
        return self.folder / "pids"

    @property
    def cpu_file(self) -> Path:
        return self.folder / "cpu"

    @property
    def names(self) -> list[str]:
        return [f"c{i:05d}" for i in range(self.children)]

    @property
    def lines(self) -> int:
        return self.options.get("lines", 0)

    @property
    def bytes(self) -> int:
        return self.lines * self.children * self.options.get("length", 100)

    def template(self, *extra: str) -> str:
        words = [f"{key}={value}" for key, value in self.options.items()]
        words += [f"pids={self.pid_file}", f"cpu={self.cpu_file}", *extra]
        return f"{shlex.join([*self.generator, self.mode])} {{}} {shlex.join(words)}"

    def commands(self, *extra: str) -> list[str]:
        return [self.template(*extra).replace("{}", name) for name in self.names]

    def children_cpu(self) -> float:
        """CPU seconds that the children say they used themselves."""
        try:
            rows = self.cpu_file.read_text().split("\n")[:-1]
        except OSError:
            return 0.0
        return sum(int(row.split()[1]) for row in rows) / 1e9
