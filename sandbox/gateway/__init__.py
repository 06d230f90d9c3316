"""The gateway: the only way out of a box. See `docs/gateway.md`."""
