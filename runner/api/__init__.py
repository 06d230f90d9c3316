"""The box REST API of a host: what the front forwards here, for the boxes this host holds."""
