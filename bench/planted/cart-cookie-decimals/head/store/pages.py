"""The page that shows the cart."""

from __future__ import annotations

from http.cookies import SimpleCookie

from store.cart import Cart, dump, load


def cart_of(header: str) -> Cart:
    """Return the cart that belongs to a Cookie header."""
    morsel = SimpleCookie(header).get("cart")
    return load(morsel.value) if morsel else Cart()


def add_article(header: str, article: str, price: str) -> str:
    """Put one article into the cart and return the new cookie."""
    cart = cart_of(header)
    cart.add(article, 1, price)
    return f"cart={dump(cart)}; HttpOnly; Secure; SameSite=Lax"
