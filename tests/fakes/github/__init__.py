"""A GitHub on loopback for tests: real git, real webhooks, and GitHub's own description of its API in front.

    with GitHub(folder) as github:
        github.app.webhook_url = "http://127.0.0.1:8380/api/github/webhooks"
        shop = github.repository("acme/shop")
        shop.member("ada", "write")
        shop.commit("topic", {"cart.py": "total = 1\\n"})
        pull = shop.pull(user="ada", head="topic", title="Totals")     # pull_request.opened is on its way
        github.settle()                                                # and answered
        assert pull.check_runs[0].conclusion == "success"
        assert not github.problems

`problems` are requests that GitHub would refuse or pass over in silence, and mistakes of this GitHub itself. Without an address for its
webhooks an App's deliveries are kept and not sent. There is no GraphQL, no archive of a commit, no Checks or Actions beyond check runs,
and no issue that is not a pull request.

It is stricter than GitHub where that finds mistakes: nothing is answered without a token, and a token of an App reads only the
repositories it was made for, public ones too.
"""

from tests.fakes.github.accounts import Account, App, Installation
from tests.fakes.github.bare import executable, submodule, symlink
from tests.fakes.github.faults import Fault
from tests.fakes.github.github import GitHub
from tests.fakes.github.pull import Pull
from tests.fakes.github.records import CheckRun, Comment, Review, ReviewComment
from tests.fakes.github.repository import Repository
from tests.fakes.github.webhooks import Delivery

__all__ = [
    "Account", "App", "CheckRun", "Comment", "Delivery", "Fault", "GitHub", "Installation", "Pull", "Repository", "Review",
    "ReviewComment", "executable", "submodule", "symlink",
]  # fmt: skip
