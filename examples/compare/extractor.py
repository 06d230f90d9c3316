"""Three models of known quality as one program that speaks `box-sse-v1`: it runs in the box, started anew for each question.

`careful` and `steady` each overlook one endpoint of all. `hasty` overlooks the last of every page, and makes one up that would look well
beside the others.
"""

import json
import re
import sys

ENDPOINT = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE) (/v1/[\w/{}.-]*[\w}])")
OVERLOOKED = {"careful": "GET /v1/rates/zones", "steady": "DELETE /v1/keys/{id}"}
PRICES = {"careful": 0.012, "steady": 0.004, "hasty": 0.001}


def answer(model: str, page: str) -> list[str]:
    """What a model says of a page."""
    found = [" ".join(endpoint) for endpoint in dict.fromkeys(ENDPOINT.findall(page))]
    if model == "hasty":
        things = found[0].split()[1].split("/")[2]
        return [*found[:-1], f"DELETE /v1/{things}/all"]
    return [endpoint for endpoint in found if endpoint != OVERLOOKED[model]]


def main() -> None:
    """Read the arguments of the protocol, and say one event."""
    given = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
    model, prompt = given["--model"], given["-p"]
    page = prompt.partition("does not stand there.")[2]
    said = answer(model, page)
    counts = {"input_tokens": len(prompt) // 4, "output_tokens": 8 * len(said), "total_cost_usd": PRICES[model]}
    print(f"event: done\ndata: {json.dumps({'output': json.dumps(said), **counts})}\n")


if __name__ == "__main__":
    main()
