"""What GitHub's objects look like as JSON, in answers and in webhooks alike."""
