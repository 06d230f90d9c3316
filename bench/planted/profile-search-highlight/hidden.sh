#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from directory.render import results
from directory.search import Profile

people = [Profile("Ann", "likes <b>tea</b> & walks"), Profile("Kim", "see <img src=x onerror=alert(1)>")]
page = results(people, "walks")
assert "1 results" in page and "&lt;b&gt;" in page and "&amp;" in page
page = results(people, "<img src=x onerror=alert(1)>")
assert "1 results" in page
assert "<img" not in page, "the term is in the page as HTML"
EOF
