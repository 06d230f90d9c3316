"""What the server's processes stand on: the queue's machinery, logs, redaction. Names and payloads of jobs stand in `box_review.jobs`."""
