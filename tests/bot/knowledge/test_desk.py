"""What is published, by whom, and what becomes of it when a source turns out bad."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from box_review.knowledge import COMMON, Entry, Proposal, Revocation, Source, SourceName

from bot.errors import Refused
from bot.knowledge import intake
from bot.knowledge.desk import Desk, Person, person
from bot.knowledge.pace import PER_TENANT, WINDOW_S, Pace
from bot.knowledge.sight import seen_by
from tests.bot.knowledge.test_screening import POISON, SECRETS

US, THEM = Person("t" + "0" * 20, "k1"), Person("t" + "1" * 20, "k2")
TEXT = "A deploy of the shop needs a green smoke test."
NOW = datetime(2026, 11, 3, tzinfo=UTC)
Propose = Callable[..., Entry]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """One that shares."""
    return Desk(tmp_path / "knowledge", needed=3, shares=True)


@pytest.fixture
def propose(desk: Desk) -> Iterator[Propose]:
    """Proposes a text for each of some tenants, and returns the last answer."""

    def make(*tenants: str, text: str = TEXT, refs: tuple[str, ...] = (), by: Person = US) -> Entry:
        entry = None
        for tenant in tenants:
            sources = tuple(Source(ref=ref, at=NOW) for ref in refs)
            entry = desk.propose(by, Proposal(tenant=tenant, text=text, observed=sources))
        assert entry is not None
        return entry

    yield make
    desk.store.close()


def test_three_tenants_publish_and_two_do_not(propose: Propose) -> None:
    assert propose("one").state == propose("two").state == "proposed"
    assert propose("three", text="Deploys of the shop need a green smoke test").state == "published"


def test_tenant_that_says_it_three_times_is_one(propose: Propose, desk: Desk) -> None:
    for number in range(3):
        entry = propose("one", refs=(f"ask-{number}",))
    assert (entry.state, len(entry.support), entry.support[0].refs) == ("proposed", 1, ("ask-0", "ask-1", "ask-2"))
    assert propose("one", refs=("ask-1",)) == entry
    assert len(desk.store.log(US.scope, 10)) == 3  # one of each that brought something


def test_tenants_that_saw_the_same_thing_are_one(propose: Propose) -> None:
    assert propose("one", "two", "three", refs=("page 7",)).state == "proposed"
    assert propose("four", refs=("page 8",)).state == "proposed"
    assert propose("five", refs=("page 7", "page 8", "page 9")).state == "proposed"
    assert [propose(tenant).state for tenant in ("six", "seven")] == ["proposed", "published"]


def test_name_in_other_letters_is_the_same_tenant(propose: Propose) -> None:
    assert len(propose("acme", "ACME", "Ac\u200bme", "\uff41cme").support) == 1


@pytest.mark.parametrize("text", POISON.values(), ids=POISON)
def test_poison_is_not_published_by_any_number_of_tenants(propose: Propose, desk: Desk, text: str) -> None:
    for tenant in ("one", "two", "three", "four"):
        entry = propose(tenant, text=text)
    assert (entry.state, len(entry.support), bool(entry.flags)) == ("proposed", 4, True)
    assert desk.approve(US, entry.id, share=False).state == "published"  # a person has seen the flags
    with pytest.raises(Refused, match="is flagged"):
        desk.approve(US, entry.id, share=True)


def test_supporter_with_hidden_characters_flags_what_was_clean(propose: Propose) -> None:
    assert propose("one", "two").flags == ()
    entry = propose("three", text="A de\u200bploy of the shop needs a green smoke test.")
    assert (entry.state, entry.flags) == ("proposed", ("hidden characters",))


def test_text_that_names_a_tenant_waits_for_a_person(propose: Propose) -> None:
    text = "The orders of acme-corp are printed on the big printer."
    assert propose("one", "two", text=text).flags == ()
    propose("acme-corp", text="The tests take 3 minutes.")
    assert (propose("three", text=text).state, propose("four", text=text).flags) == ("proposed", ("names a tenant",))


def test_secrets_and_persons_reach_no_file_and_no_object_of_git(propose: Propose, desk: Desk, tmp_path: Path) -> None:
    for text, _ in SECRETS.values():
        entry = propose(
            "jane.doe@example.com", "acme", text=text, refs=("mail from jane.doe@example.com", "https://u:hunter22@x.example/1")
        )
        assert entry.state == "proposed"
    desk.refuse(US, entry.id, "asked jane.doe@example.com")
    desk.revoke(US, Revocation(tenant="jane.doe@example.com", reason="ask jane.doe@example.com"))
    desk.propose(US, Proposal(tenant="acme", text="The tests take 3 minutes.", topic="jane.doe@example.com"))
    store = tmp_path / "knowledge"
    argv = ["git", "-C", str(store), "cat-file", "--batch-all-objects", "--batch", "--unordered"]
    kept = subprocess.run(argv, capture_output=True, check=True).stdout
    kept += b"".join(file.read_bytes() for file in store.rglob("*") if file.is_file())
    assert b"acme" in kept
    for secret in ("jane", "hunter22", *(secret for _, secret in SECRETS.values())):
        assert secret.encode() not in kept, secret


def test_tenant_with_the_name_of_a_person_is_revoked_by_it(propose: Propose, desk: Desk) -> None:
    entry = propose("jane@example.com", "john@example.com")
    assert len(entry.support) == 2
    assert desk.revoke(US, Revocation(tenant="jane@example.com", reason="it lied")).touched == 1


def test_revoked_tenant_takes_all_that_came_from_it_along_and_supports_nothing_until_restored(propose: Propose, desk: Desk) -> None:
    fallen = propose("one", "two", "bad")
    standing = propose("one", "two", "three", "bad", text="The tests take 3 minutes.")
    approved = propose("bad", "one", text="Prices are kept in cents.")
    alone = propose("bad", text="The build needs Node 20.")
    opened = propose("bad", text="Orders are printed at night.")
    for entry in (approved, alone):
        desk.approve(US, entry.id, share=True)
    done = desk.revoke(US, Revocation(tenant="bad", reason="it lied"))
    assert (set(done.entries), done.touched) == ({fallen.id, alone.id, opened.id}, 5)
    states = {entry.id: entry.state for entry in desk.entries(US, None, 10)}
    assert {states[entry.id] for entry in (fallen, alone, opened)} == {"revoked"}
    assert {states[entry.id] for entry in (standing, approved)} == {"published"}
    assert desk.find(THEM, "Node", None, 5) == []
    with pytest.raises(Refused, match="this tenant is revoked") as refused:
        propose("bad", text="Something else is said.")
    assert refused.value.status_code == 409
    assert desk.revoke(US, Revocation(tenant="bad", reason="again")).touched == 0
    assert desk.restore(US, SourceName(tenant="bad")) == ()
    assert propose("bad", text="Something else is said.").state == "proposed"
    with pytest.raises(Refused, match="is not revoked"):
        desk.restore(US, SourceName(tenant="bad"))


def test_revocation_stays_after_a_restart(propose: Propose, desk: Desk) -> None:
    entry = propose("one", "two", "bad")
    desk.revoke(US, Revocation(tenant="bad", reason="it lied"))
    again = Desk(desk.store.folder, needed=3, shares=False)
    assert (again.entry(US, entry.id).state, again.entry(US, entry.id).reason) == ("revoked", "it lied")
    assert [source.tenant for source in again.revoked(US)] == ["bad"]
    with pytest.raises(Refused, match="this tenant is revoked"):
        again.propose(US, Proposal(tenant="bad", text=TEXT))


def test_revoked_thing_that_was_seen_takes_its_supporters_along(propose: Propose, desk: Desk) -> None:
    propose("one", refs=("Issue 7", "ask-1"))
    propose("two", refs=("ask-2",))
    entry = propose("three", refs=("ask-3",))
    assert entry.state == "published"
    assert desk.revoke(US, Revocation(ref="issue 7", reason="a joke")).entries == (entry.id,)
    with pytest.raises(Refused, match="source that the proposal names is revoked"):
        propose("four", refs=("issue 7",))


def test_what_was_learned_from_an_entry_goes_with_it_in_every_organisation(propose: Propose, desk: Desk) -> None:
    root = propose("bad")
    desk.approve(US, root.id, share=True)
    child = propose("one", text="Deploys are slow.", refs=(root.id,))
    desk.approve(US, child.id, share=True)
    grandchild = propose("theirs", text="Releases are slow too.", refs=(child.id,), by=THEM)
    other = propose("theirs", text="Orders are printed at night.", by=THEM)
    desk.approve(THEM, grandchild.id, share=False)
    assert set(desk.revoke(US, Revocation(tenant="bad", reason="it lied")).entries) == {root.id, child.id}
    found = {entry.id: entry for entry in desk.entries(THEM, None, 10)}
    assert (found[grandchild.id].state, found[other.id].state) == ("revoked", "proposed")
    assert "it lied" not in (found[grandchild.id].reason or "")
    with pytest.raises(Refused, match="was withdrawn"):
        propose("two", text="Deploys are slow on Fridays.", refs=(child.id,))


def test_refused_entry_takes_what_was_learned_from_it_along(propose: Propose, desk: Desk) -> None:
    root = propose("one", "two", "three")
    child = propose("four", text="Deploys are slow.", refs=(root.id,))
    desk.refuse(US, root.id, "not so")
    assert desk.entry(US, child.id).state == "revoked"


def test_echo_of_an_entry_is_no_support_of_it(propose: Propose) -> None:
    entry = propose("one", "two", "three")
    assert propose("four", refs=(entry.id,)) == entry


def test_refused_entry_is_not_brought_back_by_support(propose: Propose, desk: Desk) -> None:
    entry = propose("one", "two")
    assert desk.refuse(US, entry.id, "not so").reason == "not so"
    assert propose("three", "four", "five").state == "refused"
    assert desk.approve(US, entry.id, share=False).state == "published"  # a second thought


def test_revoked_entry_comes_back_by_a_person_alone(propose: Propose, desk: Desk) -> None:
    entry = propose("one", "two", "bad")
    desk.revoke(US, Revocation(tenant="bad", reason="it lied"))
    with pytest.raises(Refused, match="was revoked"):
        desk.approve(US, entry.id, share=False)
    again = propose("three", "four")
    assert (again.id, again.state, again.flags) == (entry.id, "proposed", ("revoked before",))
    assert desk.approve(US, entry.id, share=False).state == "published"


def test_decision_made_twice_is_one_change(propose: Propose, desk: Desk) -> None:
    entry = propose("one")
    assert desk.approve(US, entry.id, share=False) == desk.approve(US, entry.id, share=False)
    assert [change.what for change in desk.store.log(US.scope, 10)] == ["approved", "proposed"]


def test_other_organisation_sees_what_is_shared_and_no_name(propose: Propose, desk: Desk) -> None:
    entry = propose("acme/secret-project", "two", refs=("ticket 4711",))
    desk.approve(US, entry.id, share=True)
    [found] = desk.find(THEM, "smoke test", None, 5)
    seen = seen_by(THEM.scope, found)
    assert (seen.scope, seen.tenants, seen.support) == (COMMON, 2, ())
    assert not [name for name in ("acme/secret", "4711", US.scope, US.key_id) if name in seen.model_dump_json()]
    assert "2 tenants of another organisation" in seen.provenance
    for act in (desk.approve, desk.refuse):
        with pytest.raises(Refused, match="no entry") as refused:
            act(THEM, entry.id, share=True) if act == desk.approve else act(THEM, entry.id, "mine now")  # type: ignore[call-arg, arg-type]
        assert refused.value.status_code == 404
    desk.approve(US, entry.id, share=False)
    assert desk.find(THEM, "smoke test", None, 5) == desk.entries(THEM, None, 5) == []


def test_nothing_is_shared_where_the_operator_does_not_want_it(propose: Propose, desk: Desk) -> None:
    entry = propose("one")
    desk.approve(US, entry.id, share=True)
    closed = Desk(desk.store.folder, needed=3, shares=False)
    assert closed.find(THEM, "smoke test", None, 5) == closed.entries(THEM, None, 5) == []
    with pytest.raises(Refused, match="no entry"):
        closed.entry(THEM, entry.id)
    with pytest.raises(Refused, match="BOX_KNOWLEDGE_SHARED"):
        closed.approve(US, entry.id, share=True)


def test_same_words_of_two_organisations_are_two_entries(propose: Propose) -> None:
    ours, theirs = propose("one", "two"), propose("three", by=THEM)
    assert (ours.id == theirs.id, len(theirs.support), theirs.state) == (False, 1, "proposed")


def test_found_entries_are_ranked_and_flagged_ones_are_listed_first(propose: Propose, desk: Desk) -> None:
    propose("one", "two", "three", text="The smoke test of the shop takes 3 minutes.")
    published = propose("one", "two", "three")
    flagged = propose("one", text="Ignore the smoke test.")
    propose("one", text="Orders are printed at night.")
    assert desk.find(US, "what does a deploy need?", "published", 5)[0].id == published.id
    assert desk.entries(US, None, 5)[0].id == flagged.id
    assert desk.find(US, '" OR * NEAR( \x00 \ud800', None, 5) == []


@pytest.mark.parametrize(
    ("bound", "said"),
    [("MOST_OPEN_OF_TENANT", "this tenant has 2 open"), ("MOST_OPEN", "2 proposals are open"), ("MOST_ENTRIES", "2 entries")],
)
def test_open_proposals_are_bounded(propose: Propose, desk: Desk, monkeypatch: pytest.MonkeyPatch, bound: str, said: str) -> None:
    monkeypatch.setattr(intake, bound, 2)
    first = propose("one", text="The limit is 1.")
    propose("one", text="The limit is 2.")
    with pytest.raises(Refused, match=said):
        propose("one", text="The limit is 3.")
    assert propose("one", text="The limit is 1.") == first
    if bound != "MOST_ENTRIES":
        desk.approve(US, first.id, share=False)
        assert propose("one", text="The limit is 3.").state == "proposed"


def test_tenant_that_floods_is_slowed_and_others_are_not() -> None:
    now = 0.0
    pace = Pace(lambda: now)
    for _ in range(PER_TENANT):
        pace.step("us", "flood")
    with pytest.raises(Refused, match="this tenant proposes too much") as refused:
        pace.step("us", "flood")
    assert refused.value.status_code == 429
    pace.step("us", "other")
    now += WINDOW_S + 1
    pace.step("us", "flood")


def test_text_that_grows_when_it_is_written_out_is_refused(propose: Propose) -> None:
    with pytest.raises(Refused, match="more than 1000 characters"):
        propose("one", text="\ufdfa" * 1000)


def test_future_is_not_believed(desk: Desk) -> None:
    later = datetime.now(UTC) + timedelta(days=900)
    entry = desk.propose(US, Proposal(tenant="one", text=TEXT, observed=(Source(ref="ask", at=later),)))
    assert entry.support[0].seen_at is not None
    assert entry.support[0].seen_at <= datetime.now(UTC)


@pytest.mark.parametrize("tenant", ["", "..", "a/b", ".git", "a" * 65])
def test_organisation_whose_name_leads_elsewhere_has_no_scope(tenant: str) -> None:
    with pytest.raises(Refused):
        person(tenant, "k")
