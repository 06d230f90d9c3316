"""Directed graphs of modules: cycles, reachability, and what a change does to layers. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

Edges = Mapping[str, Iterable[str]]


def adjacency(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Successors by node, sorted, each once."""
    found: dict[str, set[str]] = {}
    for source, target in pairs:
        if source != target:
            found.setdefault(source, set()).add(target)
    return {node: sorted(targets) for node, targets in sorted(found.items())}


def components(edges: Edges) -> dict[str, int]:
    """The strongly connected component of each node, as a number (Tarjan, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    result: dict[str, int] = {}
    stack: list[str] = []
    for root in edges:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        stack.append(root)
        work = [(root, iter(edges.get(root, ())))]
        while work:
            node, targets = work[-1]
            target = next(targets, None)
            if target is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    _pop(stack, node, result)
            elif target not in index:
                index[target] = low[target] = len(index)
                stack.append(target)
                work.append((target, iter(edges.get(target, ()))))
            elif target not in result:
                low[node] = min(low[node], index[target])
    return result


def _pop(stack: list[str], node: str, result: dict[str, int]) -> None:
    number = len(result)
    while True:
        member = stack.pop()
        result[member] = number
        if member == node:
            return


def path(edges: Edges, start: str, goal: str) -> list[str]:
    """A shortest path from `start` to `goal`, both included; empty where there is none."""
    came: dict[str, str] = {start: ""}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        if node == goal:
            found = [node]
            while came[found[-1]]:
                found.append(came[found[-1]])
            return found[::-1]
        for target in edges.get(node, ()):
            if target not in came:
                came[target] = node
                queue.append(target)
    return []


def new_cycles(base: Edges, head: Edges) -> list[list[tuple[str, str]]]:
    """For each new cycle the new edges in it: those whose ends are in one component now and were not before."""
    before, now = components(base), components(head)
    found: dict[int, list[tuple[str, str]]] = {}
    for source, targets in head.items():
        for target in targets:
            together = now.get(source) is not None and now.get(source) == now.get(target)
            were = before.get(source) is not None and before.get(source) == before.get(target)
            if together and not were and target not in base.get(source, ()):
                found.setdefault(now[source], []).append((source, target))
    return list(found.values())


def unit(module: str, other: str) -> str:
    """The part of a project that `module` stands for beside `other`: its package below what both share, one deep."""
    parts = module.split(".")
    return parts[0] if parts[0] != other.split(".", 1)[0] else ".".join(parts[:2])


def units(edges: Edges) -> dict[str, list[str]]:
    """The same graph between the parts of the project."""
    pairs = ((unit(a, b), unit(b, a)) for a, targets in edges.items() for b in targets)
    return adjacency(pairs)
