"""GitHub: deliveries in, one review out. `docs/github.md` says what it does; nothing here runs what a pull request holds.

The front takes deliveries (`webhook`, `events`, `decide`) and imports no client of GitHub's API. A process of its
own (`python -m bot.github`) holds the App's key and tends pull requests: each has a `state` in Redis, an inbox of
intents, and one worker at a time that brings GitHub in line with it (`tend`), gets the commits (`prepare`), and
posts what the jury found (`publish`).
"""
