"""The `gvisor` driver: boxes behind a kernel of their own in user space, whose memory can be frozen to disk."""
