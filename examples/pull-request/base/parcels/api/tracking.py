"""HTTP: where is my parcel?"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from parcels.service import shipments
from parcels.service.format import tracking_number

WORDS = {"created": "announced", "moving": "on its way", "delivered": "delivered", "lost": "being looked for"}


async def track(request: Request) -> JSONResponse:
    """State of one parcel in words a customer understands."""
    number = tracking_number(request.path_params["number"])
    parcel = shipments.find(number)
    if parcel is None:
        return JSONResponse({"error": "no such parcel"}, status_code=404)
    return JSONResponse({"number": number, "state": WORDS[parcel["state"]]})


app = Starlette(routes=[Route("/parcels/{number}", track)])
