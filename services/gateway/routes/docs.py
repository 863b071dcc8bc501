"""The contract as a page. Its script and its looks come from here: no browser asks anybody else for them."""

from importlib.resources import files
from typing import Final

import fastapi_offline
from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)
ASSETS_PATH: Final = "/docs/assets"
# The page starts by a line of its own script; images are drawn in the style sheet.
_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'"
)


def assets() -> StaticFiles:
    """Return what the page is made of: Swagger UI, as the package carries it."""
    return StaticFiles(directory=str(files(fastapi_offline) / "static"))


@router.get("/")
async def home() -> RedirectResponse:
    """Lead whoever comes to the front door to the contract."""
    return RedirectResponse("docs")


@router.get("/docs")
async def page() -> HTMLResponse:
    """Show the contract; addresses are relative, so that a prefix before them does no harm."""
    shown = get_swagger_ui_html(
        openapi_url="openapi.json",
        title="Recourse",
        swagger_js_url=f".{ASSETS_PATH}/swagger-ui-bundle.js",
        swagger_css_url=f".{ASSETS_PATH}/swagger-ui.css",
        swagger_favicon_url=f".{ASSETS_PATH}/favicon.png",
        # Else it would be asked to judge the contract, far away.
        swagger_ui_parameters={"validatorUrl": None},
    )
    shown.headers["Content-Security-Policy"] = _POLICY
    return shown
