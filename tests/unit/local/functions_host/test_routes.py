"""The routing table: templates, constraints, precedence, and the templates it refuses."""

from typing import Any

import pytest

from local.functions_host.errors import AppRefused
from local.functions_host.functions import Binding, Function
from local.functions_host.routes import RouteTable


def _function(name: str, **settings: Any) -> Function:
    return Function(name=name, function_id=name, trigger=Binding("req", "httpTrigger", settings))


def _find(table: RouteTable, path: str, method: str = "GET") -> tuple[str, dict[str, str]] | None:
    found = table.find(method, path)
    return (found[0].name, found[1]) if found else None


@pytest.mark.parametrize(
    ("route", "path", "values"),
    [
        ("{*path}", "/api", {}),
        ("{*path}", "/api/", {}),
        ("{*path}", "/api/customers/contoso/keys", {"path": "customers/contoso/keys"}),
        ("{*path}", "/API/Customers", {"path": "Customers"}),
        ("{*path}", "/api/a%20b/%C3%BC", {"path": "a b/ü"}),
        ("{*path}", "/api/a%2Fb%2fc", {"path": "a%2Fb%2Fc"}),
        ("items/{id}", "/api/ITEMS/Seven", {"id": "Seven"}),
        ("items/{id}/", "/api/items/7/", {"id": "7"}),
        ("items/{id?}", "/api/items", {}),
        ("items/{id=all}", "/api/items", {"id": "all"}),
        ("items/{id:int}", "/api/items/-7", {"id": "-7"}),
        ("items/{id:int:min(3)}", "/api/items/3", {"id": "3"}),
        ("items/{id:guid}", "/api/items/10000000-0000-4000-8000-000000000001", None),
        ("items/{name:regex(^[a-z]{{2}}$)}", "/api/items/ab", {"name": "ab"}),
        ("items/{name:length(2,4)}", "/api/items/abc", {"name": "abc"}),
        ("items/{on:bool}", "/api/items/True", {"on": "True"}),
        ("items/{day:datetime}", "/api/items/2026-11-22", {"day": "2026-11-22"}),
    ],
)
def test_a_template_matches(route: str, path: str, values: dict[str, str] | None) -> None:
    found = _find(RouteTable([_function("f", route=route)], "api"), path)
    assert found == ("f", {"id": path.rsplit("/", 1)[1]} if values is None else values)


@pytest.mark.parametrize(
    ("route", "path"),
    [
        ("{*path}", "/"),
        ("{*path}", "/apis"),
        ("items/{id}", "/api/items"),
        ("items/{id}", "/api/items/"),
        ("items/{id}", "/api/items/7/more"),
        ("items/{id}", "/api//items/7"),
        ("items/{id:int}", "/api/items/2147483648"),
        ("items/{id:int}", "/api/items/7a"),
        ("items/{id:long:max(9)}", "/api/items/10"),
        ("items/{id:range(1,5)}", "/api/items/6"),
        ("items/{id:guid}", "/api/items/7"),
        ("items/{id:alpha}", "/api/items/a1"),
        ("items/{id:maxlength(2)}", "/api/items/abc"),
        ("items/{id:minlength(2)}", "/api/items/a"),
        ("items/{id:length(2)}", "/api/items/abc"),
        ("items/{id:double}", "/api/items/x"),
    ],
)
def test_a_template_does_not_match(route: str, path: str) -> None:
    assert _find(RouteTable([_function("f", route=route)], "api"), path) is None


def test_no_route_means_the_functions_name() -> None:
    assert _find(RouteTable([_function("Sweep")], "api"), "/api/sweep") == ("Sweep", {})


def test_the_prefix_can_be_empty_or_long() -> None:
    assert _find(RouteTable([_function("f", route="{*path}")], ""), "/a") == ("f", {"path": "a"})
    assert _find(RouteTable([_function("f", route="{*path}")], ""), "/") == ("f", {})
    assert _find(RouteTable([_function("f", route="a")], "v1/api"), "/v1/API/a") == ("f", {})


def test_the_most_specific_template_wins_whatever_the_order() -> None:
    routes = {
        "rest": "{*path}",
        "any": "items/{id}",
        "number": "items/{id:int}",
        "literal": "items/first",
    }
    table = RouteTable([_function(name, route=route) for name, route in routes.items()], "api")
    found = {
        path: (_find(table, path) or ("", {}))[0]
        for path in ("/api/items/first", "/api/items/7", "/api/items/x", "/api/x")
    }
    assert list(found.values()) == ["literal", "number", "any", "rest"]


def test_methods_choose_between_functions_of_one_route() -> None:
    table = RouteTable(
        [_function("read", route="a", methods=["GET"]), _function("write", route="a", methods=["post", "PUT"])], "api"
    )
    assert _find(table, "/api/a") == ("read", {})
    assert _find(table, "/api/a", "PUT") == ("write", {})
    assert _find(table, "/api/a", "DELETE") is None


@pytest.mark.parametrize(
    "route", ["a-{b}", "{a}/{b}.json", "{*rest}/more", "{a?}/b", "{a:unknown}", "{a:length(x)}", "{a"]
)
def test_a_template_it_cannot_serve_is_refused(route: str) -> None:
    with pytest.raises(AppRefused, match="function f"):
        RouteTable([_function("f", route=route)], "api")


@pytest.mark.parametrize("route", ["admin/x", "runtime"])
def test_the_hosts_own_paths_are_refused(route: str) -> None:
    with pytest.raises(AppRefused, match="for itself"):
        RouteTable([_function("f", route=route)], "")
