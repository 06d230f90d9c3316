"""Which hosts a box may talk to."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, IPvAnyNetwork, model_validator

from sandbox.gateway.addresses import Network
from sandbox.gateway.names import Address, address_of, most_specific, parse_pattern


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a policy says.

    Attributes:
        allowed: False is final. True for a name still leaves its addresses to be checked.
        rule: short, for log and answer.
        listed: the host itself is allowed; False if only an address in `allowed_cidrs` can make it so.
    """

    allowed: bool
    rule: str
    listed: bool = False


def _network(given: object) -> Network:
    if isinstance(given, ipaddress.IPv4Network | ipaddress.IPv6Network):
        return given
    text = given if isinstance(given, str) and "%" not in given else ""  # ip_network takes integers and zones as well
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{str(given)[:80]!a} is not a CIDR such as 198.51.100.0/24 (no bits set after the prefix)") from error


def _none_is_empty(value: object) -> object:
    return () if value is None else value


Pattern = Annotated[str, AfterValidator(parse_pattern)]
Cidr = Annotated[IPvAnyNetwork, BeforeValidator(_network)]
_Domains = Annotated[tuple[Pattern, ...], BeforeValidator(_none_is_empty)]
_Cidrs = Annotated[tuple[Cidr, ...], BeforeValidator(_none_is_empty)]


class NetworkPolicy(BaseModel):
    """A box's network policy, as on the wire.

    Attributes:
        mode: `allow-all` means all of the public internet, `deny-all` nothing, `custom` what is listed.
        allowed_domains: names, exact or `*.suffix`.
        allowed_cidrs: addresses. A name that is not listed is looked up and passes if its address is in here.
        denied_cidrs: addresses that stay closed; beat both lists above.

    Private addresses stay closed in every mode, see `addresses`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["allow-all", "deny-all", "custom"] = "allow-all"
    allowed_domains: _Domains = ()
    allowed_cidrs: _Cidrs = ()
    denied_cidrs: _Cidrs = ()

    @model_validator(mode="after")
    def _lists_need_custom(self) -> Self:
        if self.mode != "custom" and (self.allowed_domains or self.allowed_cidrs or self.denied_cidrs):
            raise ValueError(f"lists belong to the mode custom, not {self.mode}")
        return self

    def decide(self, host: str) -> Verdict:
        """What can be said of a canonical host before it is looked up."""
        if self.mode != "custom":
            return Verdict(self.mode == "allow-all", self.mode, listed=True)
        pattern = None if address_of(host) else most_specific(list(self.allowed_domains), host)
        if pattern is not None:
            return Verdict(True, f"allowed_domains {pattern}", listed=True)
        return Verdict(bool(self.allowed_cidrs), "allowed_cidrs" if self.allowed_cidrs else "not in allowed_domains")

    def decide_address(self, address: Address, before: Verdict) -> Verdict:
        """What is said of one address of a host of which `decide` said `before`."""
        denied = _first(self.denied_cidrs, address)
        if denied is not None:
            return Verdict(False, f"denied_cidrs {denied}")
        if before.listed or not before.allowed:
            return before
        allowed = _first(self.allowed_cidrs, address)
        return Verdict(False, "not in allowed_cidrs") if allowed is None else Verdict(True, f"allowed_cidrs {allowed}")


def _first(networks: tuple[Network, ...], address: Address) -> Network | None:
    return next((network for network in networks if address in network), None)
