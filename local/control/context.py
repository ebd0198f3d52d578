"""Gives each handler of the control API the running world it belongs to."""

from typing import Annotated

from fastapi import Depends, Request

from local.run import LocalWorld


def local_world(request: Request) -> LocalWorld:
    """Answer the world that this API controls."""
    local = request.app.state.local
    assert isinstance(local, LocalWorld)
    return local


Local = Annotated[LocalWorld, Depends(local_world)]
