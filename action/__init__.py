"""What the GitHub Action does: a review on the workflow's own runner, or asked of a server, told as a workflow tells things."""
