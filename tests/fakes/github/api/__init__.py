"""What each operation of GitHub's API does; one module a subject."""
