"""The queue's machinery, which both who asks for work and who does it need; names and payloads stand in `box_review.jobs`."""
