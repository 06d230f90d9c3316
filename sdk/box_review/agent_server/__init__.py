"""Agents that remember: one box a tenant, observed traffic digested into a memory, asked when it is needed."""

from box_review.agent_server.observing import Counts
from box_review.agent_server.recall import Remembered
from box_review.agent_server.server import AgentServer, Answer
from box_review.agent_server.servers import AgentServers
from box_review.agent_server.tenant_box import MemoryBroken, MemoryFull

__all__ = ["AgentServer", "AgentServers", "Answer", "Counts", "MemoryBroken", "MemoryFull", "Remembered"]
