"""The description of the API, and the page to read it."""

from __future__ import annotations

import httpx

from tests.server import Server


async def test_description_has_reviews_and_boxes_and_one_shape_of_refusal(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        document = (await client.get("/openapi.json")).json()
    assert {"/v1/reviews", "/v1/keys", "/v2/box", "/v2/box/{box_id}/exec"} <= document["paths"].keys()
    assert not [path for path in document["paths"] if path.startswith("/where")]
    told = document["paths"]["/v2/box"]["post"]
    assert told["responses"]["400"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Error"}
    assert "x-box-tenant" not in str(document)


async def test_page_names_every_route_and_loads_nothing_from_elsewhere(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
        document, page = (await client.get("/openapi.json")).json(), await client.get("/docs")
    assert page.status_code == 200
    assert [path for path in document["paths"] if f"<code>{path}</code>" not in page.text] == []
    assert "init_command" in page.text
    assert "http://" not in page.text and "https://" not in page.text and "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
