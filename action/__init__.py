"""What the GitHub Action does: a review on its runner, one asked of a server, or one that the App makes, told as workflows tell things."""
