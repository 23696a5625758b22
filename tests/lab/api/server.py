# Copyright: (c) 2026, the disconnected.openshift maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API server: HTTPS in, the store behind; one handler, a method a verb."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import logging
import secrets
import ssl
from collections.abc import MutableMapping

from aiohttp import web

from . import (
    access,
    admission,
    bodies,
    discovery,
    housekeeping,
    openapi_protobuf,
    patch,
    projects,
    routes,
    schema,
    selectors,
    shapes,
    streams,
    table,
    writes,
)
from .access import Action, User
from .errors import (
    Cause,
    Refusal,
    bad_request,
    invalid_options,
    no_such_path,
    not_allowed,
    not_found,
    unsupported_media_type,
)
from .resources import Resource, kubernetes_version
from .routes import TRUE, Call
from .store import Item, Store
from .traffic import Fault, Request, Stats
from .watch import Options, Shape, Watch, revision

log = logging.getLogger(__name__)

GZIP_FROM = 128 * 1024  # bytes: smaller answers are not worth the time, as the real server has it
_SHUTDOWN = 1.0  # seconds that open connections get at the end
_PROPAGATION = ("Foreground", "Background", "Orphan")
# The feature WatchList, by Kubernetes' minor: on in 1.32, off again in 1.33, on since 1.34.
_WATCH_LIST = (32, 34)


def encode(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


class Server:
    """One API server. `stats` and `faults` may be read and changed at any time, on the event loop's thread."""

    def __init__(self, store: Store, tokens: MutableMapping[str, User], runtime: streams.Runtime) -> None:
        self.store = store
        self.tokens = tokens
        self.runtime = runtime
        self.stats = Stats()
        self.faults: list[Fault] = []
        self.url = ""
        self._watches: set[Watch] = set()
        self._runner: web.AppRunner | None = None

    # Life

    async def start(self, tls: ssl.SSLContext, port: int = 0, host: str = "127.0.0.1") -> None:
        app = web.Application(client_max_size=0)  # bodies.read has the limit, and the answer to it
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=tls)
        await site.start()
        self.url = f"https://{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        self.close_watches()
        if self._runner:
            await self._runner.cleanup()

    def close_watches(self, resource: str | None = None) -> None:
        """End running watches, all or one resource's, as a restarting server does; clients begin anew."""
        for running in list(self._watches):
            if resource in (None, running.resource.key):
                running.close()

    # One request

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except Refusal as refusal:
            retry = {"Retry-After": str(refusal.retry_after)} if refusal.retry_after else None
            return self._json(request, refusal.status(), refusal.code, retry)
        except ConnectionResetError:
            return web.Response()  # to nobody: the connection is gone
        except Exception:
            log.exception("%s %s", request.method, request.path)
            message = "Internal error occurred: the lab's log has the cause"
            return self._json(request, Refusal(500, "InternalError", message).status(), 500)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        agent = request.headers.get("User-Agent", "")
        call = routes.parse(self.store.table, request.method, request.path, request.query)
        seen = self._seen(request, call, agent)
        self.stats.count(seen)
        faults = [fault for fault in self.faults if fault.takes(seen)]
        await self._misbehave(request, [fault for fault in faults if not fault.after])
        answer = await self._carry_out(request, call)
        await self._misbehave(request, [fault for fault in faults if fault.after])
        return answer

    async def _carry_out(self, request: web.Request, call: Call | None) -> web.StreamResponse:
        user = access.authenticate(self.tokens, request.headers.get("Authorization"))
        action = call.action if call else Action(request.method.lower(), path=request.path)
        if not access.allowed(self.store, user, action):
            raise access.forbidden(user, action)
        if call is None:
            return self._about(request)
        if not call.served(self.store.table):
            return self._not_served(call)
        handler = getattr(self, f"_{call.subresource}_of", None) if call.subresource else None
        if handler is None:
            handler = getattr(self, f"_{call.verb}", None)
        if handler is None or (call.verb not in call.resource.verbs and not call.subresource):
            raise not_allowed()
        return await handler(request, call, user)

    def _seen(self, request: web.Request, call: Call | None, agent: str) -> Request:
        if call is None:
            return Request(request.method.lower(), request.path, agent)
        return Request(call.verb, call.key, agent, call.namespace, call.name, "dryRun" in request.query)

    async def _misbehave(self, request: web.Request, faults: list[Fault]) -> None:
        for fault in faults:
            await asyncio.sleep(fault.delay)
            if fault.drop:
                if request.transport:
                    request.transport.abort()
                raise ConnectionResetError("the lab was told to drop this connection")
            if fault.status:
                too_many = fault.status == 429  # as fairness between clients answers
                raise Refusal(fault.status, fault.reason, fault.message, retry_after=1 if too_many else 0)

    def _json(self, request: web.Request, body: object, status: int = 200, headers: dict | None = None) -> web.Response:
        return self._bytes(request, encode(body), status, headers)

    def _bytes(self, request: web.Request, body: bytes, status: int = 200, headers: dict | None = None) -> web.Response:
        headers = {"Cache-Control": "no-cache, private", **(headers or {})}
        if len(body) > GZIP_FROM and "gzip" in request.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, status=status, headers=headers, content_type="application/json")

    # What is no resource

    def _not_served(self, call: Call) -> web.Response:
        """Groups of custom resources have no server that would answer in an object for what they have not."""
        asked, table = call.resource, self.store.table
        known = table.at(asked.group, asked.version, asked.plural)
        if known and known.custom and known.namespaced == bool(call.namespace):
            raise not_found(known, call.name)
        if all(each.custom for each in table if (each.group, each.version) == (asked.group, asked.version)):
            return _no_page()
        raise no_such_path()

    def _about(self, request: web.Request) -> web.Response:
        known, path, steps = self.store.table, request.path.rstrip("/"), request.path.strip("/").split("/")
        if path in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        accept = request.headers.get("Accept", "")
        form = discovery.aggregated_wanted(known, accept) if path in ("/api", "/apis") else ""
        if form:
            body = encode(discovery.aggregated(known, form, core=path == "/api"))
            kind = f"application/json;g=apidiscovery.k8s.io;v={form};as=APIGroupDiscoveryList"
            return web.Response(body=body, headers={"Content-Type": kind})
        if path == "/openapi/v2" and openapi_protobuf.ASKED_FOR in accept:
            body = openapi_protobuf.encode(discovery.openapi_v2(known))
            return web.Response(body=body, headers={"Content-Type": openapi_protobuf.MEDIA_TYPE})
        answer = {
            "/version": lambda: discovery.version(known),
            "/api": lambda: discovery.core_versions(request.host),
            "/apis": lambda: discovery.groups(known),
            "/openapi/v2": lambda: discovery.openapi_v2(known),
            "/openapi/v3": lambda: discovery.openapi_index(known),
            "/api/v1": lambda: discovery.resource_list(known, "", "v1"),
        }.get(path)
        if answer:
            return self._json(request, answer())
        body = None
        if steps[:2] == ["openapi", "v3"]:
            body = discovery.openapi_v3(known, "/".join(steps[2:]))
        elif steps[0] == "apis" and len(steps) == 2:
            body = discovery.group(known, steps[1])
        elif steps[0] == "apis" and len(steps) == 3:
            body = discovery.resource_list(known, steps[1], steps[2])
        return _no_page() if body is None else self._json(request, body)

    # Reading

    async def _get(self, request: web.Request, call: Call, user: User) -> web.Response:
        if call.resource.kind == "User":
            return self._json(request, self._oneself(call, user))
        item = self._item(call)
        if include := _table_wanted(request):
            metadata = {"resourceVersion": item.object["metadata"]["resourceVersion"]}
            return self._json(request, table.table(call.resource, [item.object], metadata, include))
        return self._bytes(request, item.encoded)

    def _item(self, call: Call) -> Item:
        if call.resource.key == projects.PROJECTS:
            if found := self.store.item("namespaces", call.name):
                return projects.seen(found)
            raise not_found(call.resource, call.name)
        item = self.store.item(call.resource.key, call.name, call.namespace if call.resource.namespaced else "")
        if item is None:
            raise not_found(call.resource, call.name)
        return item

    def _oneself(self, call: Call, user: User) -> dict:
        """The user who asks: the lab keeps no other users."""
        if call.name != "~":
            raise not_found(call.resource, call.name)
        about = {"identities": None, "groups": list(user.groups)}
        return {"kind": "User", "apiVersion": call.resource.api_version, "metadata": {"name": user.name}, **about}

    async def _list(self, request: web.Request, call: Call, user: User) -> web.Response:
        resource, query = call.resource, request.query
        if resource.key == projects.REQUESTS:
            return self._json(request, projects.may_request(self.store, user))
        if "sendInitialEvents" in query:
            message = "Forbidden: sendInitialEvents is forbidden for list"
            raise invalid_options("ListOptions", [Cause("sendInitialEvents", message, "FieldValueForbidden")])
        _number(query, "timeoutSeconds")
        found, metadata = self._page(resource, self._chosen(call, query), query)
        if include := _table_wanted(request):
            return self._json(request, table.table(resource, [item.object for item in found], metadata, include))
        if resource.custom:
            metadata = {"continue": "", **metadata}
        head = encode({"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": metadata})
        entries = b",".join(item.encoded if resource.custom else item.encoded_entry for item in found)
        return self._bytes(request, head[:-1] + b',"items":[' + entries + b"]}")

    def _chosen(self, call: Call, query) -> list[Item]:
        wanted = _selected(call, query)
        if call.resource.key == projects.PROJECTS:
            return [projects.seen(item) for item in self.store.items("namespaces") if wanted(item.object)]
        return [item for item in self.store.items(call.resource.key, call.namespace) if wanted(item.object)]

    def _page(self, resource: Resource, found: list[Item], query) -> tuple[list[Item], dict]:
        """One page of a list, and the list's metadata. A page's token names the place after which the next begins."""
        at = self.store.revision
        limit = max(_number(query, "limit"), 0)
        if token := query.get("continue"):
            at, after = _read_continue(token)
            self.store.since(resource.key, at)  # refuses what history no longer reaches
            found = [item for item in found if _place(item) > after]
        metadata: dict = {"resourceVersion": str(at)}
        if limit and len(found) > limit:
            metadata["continue"] = _write_continue(at, _place(found[limit - 1]))
            if not query.get("labelSelector") and not query.get("fieldSelector"):
                metadata["remainingItemCount"] = len(found) - limit
            found = found[:limit]
        return found, metadata

    async def _watch(self, request: web.Request, call: Call, user: User) -> web.StreamResponse:
        query = request.query
        initial = query.get("sendInitialEvents") in TRUE
        if "sendInitialEvents" in query:
            self._check_watch_list(query)
        timeout = float(_number(query, "timeoutSeconds") or 1800 + secrets.randbelow(1800))
        options = Options(
            wanted=_selected(call, query),
            namespace=call.namespace if call.resource.namespaced else "",
            revision=revision(query.get("resourceVersion")),
            bookmarks=query.get("allowWatchBookmarks") in TRUE and call.resource.key != projects.PROJECTS,
            initial_events=initial,
            timeout=timeout,
        )
        running = self._watch_of(call.resource, options, self._watch_shape(request, call.resource))
        response = web.StreamResponse(
            headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
        )
        await response.prepare(request)
        self._watches.add(running)
        try:
            async for line in running:
                await response.write(line)
            await response.write_eof()
        except ConnectionResetError:
            log.debug("%s: a watcher left", call.key)
        finally:
            self._watches.discard(running)
        return response

    def _watch_of(self, resource: Resource, options: Options, shape: Shape) -> Watch:
        if resource.key == projects.PROJECTS:
            namespaces = self.store.table["namespaces"]
            return Watch(self.store, namespaces, options, lambda item: shape(projects.seen(item)))
        return Watch(self.store, resource, options, shape)

    def _check_watch_list(self, query) -> None:
        minor = int(kubernetes_version(self.store.table.version).split(".")[1])
        on = minor == _WATCH_LIST[0] or minor >= _WATCH_LIST[1]
        if not on:
            field, why = "sendInitialEvents", "is forbidden for watch unless the WatchList feature gate is enabled"
        elif query.get("resourceVersionMatch") != "NotOlderThan":
            field, why = "resourceVersionMatch", "requires setting resourceVersionMatch to NotOlderThan"
        else:
            return
        raise invalid_options(
            "ListOptions", [Cause(field, f"Forbidden: sendInitialEvents {why}", "FieldValueForbidden")]
        )

    def _watch_shape(self, request: web.Request, resource: Resource):
        include = _table_wanted(request)
        if not include:
            return lambda item: item.encoded
        first = [True]

        def as_table(item: Item) -> bytes:
            headings, first[0] = first[0], False
            metadata = {"resourceVersion": item.object["metadata"]["resourceVersion"]}
            return encode(table.table(resource, [item.object], metadata, include, headings=headings))

        return as_table

    # Writing

    async def _body(self, request: web.Request, call: Call) -> object:
        kind = request.content_type if request.headers.get("Content-Type") else ""
        return bodies.read(await request.read(), kind, call.resource.kind)

    def _written(self, request: web.Request, obj: dict, intent: writes.Intent, status: int = 200) -> web.Response:
        response = self._json(request, obj, status)
        for warning in dict.fromkeys(intent.warnings):
            escaped = warning.replace("\\", "\\\\").replace('"', '\\"')
            response.headers.add("Warning", f'299 - "{escaped}"')
        return response

    def _intent(self, request: web.Request) -> writes.Intent:
        return writes.Intent.of(request.query, request.headers.get("User-Agent", ""))

    async def _create(self, request: web.Request, call: Call, user: User) -> web.Response:
        body, intent = await self._body(request, call), self._intent(request)
        if call.resource.key == projects.REQUESTS:
            return self._written(request, projects.request(self.store, call.resource, body, intent, user), intent, 201)
        if call.resource.verbs == ("create",):
            return self._json(request, self._review(call, body, user), 201)
        return self._written(request, writes.create(self.store, call, body, intent), intent, 201)

    def _review(self, call: Call, body: object, user: User) -> dict:
        obj = bodies.fit(body, call.resource, "")
        schema.prune(shapes.of(call.resource), obj, keep_nulls=False)
        admission.decode_native(call.resource, obj)
        return access.review(self.store, self.tokens, user, call.resource.kind, obj)

    async def _update(self, request: web.Request, call: Call, user: User) -> web.Response:
        body, intent = await self._body(request, call), self._intent(request)
        return self._written(request, writes.update(self.store, call, body, intent), intent)

    async def _patch(self, request: web.Request, call: Call, user: User) -> web.Response:
        body, intent = await self._body(request, call), self._intent(request)
        kind = request.content_type
        applies, manager = kind == "application/apply-patch+yaml", request.query.get("fieldManager", "")
        wrong = []
        if applies and not manager:
            wrong.append(Cause("fieldManager", "Required value: is required for apply patch", "FieldValueRequired"))
        if not applies and "force" in request.query:
            message = "Forbidden: may not be specified for non-apply patch"
            wrong.append(Cause("force", message, "FieldValueForbidden"))
        if len(manager.encode()) > 128:
            message = "Too long: may not be more than 128 bytes"
            wrong.append(Cause("fieldManager", message, "FieldValueTooLong"))
        if wrong:
            raise invalid_options("PatchOptions", wrong)
        obj, created = writes.patched(self.store, call, body, kind, intent)
        return self._written(request, obj, intent, 201 if created else 200)

    async def _delete(self, request: web.Request, call: Call, user: User) -> web.Response:
        options, intent = await self._delete_options(request)
        if call.resource.key == projects.PROJECTS:
            return self._json(request, projects.delete(self.store, call, options, intent))
        return self._json(request, writes.delete(self.store, call, options, intent))

    async def _deletecollection(self, request: web.Request, call: Call, user: User) -> web.Response:
        options, intent = await self._delete_options(request)
        chosen = [item.object for item in self._chosen(call, request.query)]
        objects = writes.delete_collection(self.store, call, chosen, options, intent)
        if not call.resource.custom:
            objects = [{key: obj[key] for key in obj if key not in ("kind", "apiVersion")} for obj in objects]
        metadata = {"resourceVersion": str(self.store.revision)}
        kind, version = f"{call.resource.kind}List", call.resource.api_version
        return self._json(request, {"kind": kind, "apiVersion": version, "metadata": metadata, "items": objects})

    async def _delete_options(self, request: web.Request) -> tuple[dict, writes.Intent]:
        """DeleteOptions from the body and the query, which say the same things."""
        text, intent = await request.read(), self._intent(request)
        options = bodies.read(text, request.content_type) if text.strip() else {}
        if not isinstance(options, dict):
            raise bad_request("the body of a delete must be DeleteOptions")
        if "gracePeriodSeconds" in request.query:
            options["gracePeriodSeconds"] = _number(request.query, "gracePeriodSeconds")
        if "propagationPolicy" in request.query:
            options["propagationPolicy"] = request.query["propagationPolicy"]
        if (policy := options.get("propagationPolicy")) not in (None, "", *_PROPAGATION):
            supported = ", ".join(f'"{choice}"' for choice in (*_PROPAGATION, "nil"))
            message = f'Unsupported value: "{policy}": supported values: {supported}'
            cause = Cause("propagationPolicy", message, "FieldValueNotSupported")
            raise invalid_options("DeleteOptions", [cause])
        intent.dry_run = intent.dry_run or bool(options.get("dryRun"))
        return options, intent

    # Subresources

    def _reachable(self, call: Call) -> dict:
        """A pod whose node can be asked; the message about one whose node is gone names the node, as the real one."""
        pod = self._item(call).object
        node = pod["spec"].get("nodeName")
        if node and not self.store.item("nodes", node):
            raise not_found(call.resource, node)
        return pod

    async def _log_of(self, request: web.Request, call: Call, user: User) -> web.StreamResponse:
        return await streams.send_logs(request, self.runtime, self._reachable(call))

    async def _exec_of(self, request: web.Request, call: Call, user: User) -> web.StreamResponse:
        return await streams.run_command(request, self.runtime, self._reachable(call))

    async def _eviction_of(self, request: web.Request, call: Call, user: User) -> web.Response:
        body, intent = await self._body(request, call), self._intent(request)
        return self._json(request, writes.evict(self.store, call, body, intent), 201)

    async def _scale_of(self, request: web.Request, call: Call, user: User) -> web.Response:
        intent = self._intent(request)
        change = None if call.verb == "get" else await self._body(request, call)
        if change is not None and (not isinstance(change, dict) or request.content_type == patch.JSON):
            raise unsupported_media_type("the lab changes a Scale by a merge patch or as a whole")
        return self._json(request, writes.scale(self.store, call, change, intent))

    async def _proxy_of(self, request: web.Request, call: Call, user: User) -> web.Response:
        self._item(call)
        query = {key: request.query.getall(key) for key in request.query}
        try:
            text = self.runtime.node_logs(call.name, call.rest, query)
        except ValueError as problem:
            return web.Response(status=400, text=f"{problem}\n")
        if text is None:
            return _no_page()
        response = web.Response(text=text)
        if request.headers.get("Accept-Encoding") == "gzip":
            response.enable_compression(web.ContentCoding.gzip)
        return response

    async def _token_of(self, request: web.Request, call: Call, user: User) -> web.Response:
        body = await self._body(request, call)
        self._item(call)
        token = f"sha256~{secrets.token_urlsafe(32)}"
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{call.namespace}", access.AUTHENTICATED)
        self.tokens[token] = User(f"system:serviceaccount:{call.namespace}:{call.name}", groups)
        status = {"token": token, "expirationTimestamp": "2099-01-01T00:00:00Z"}
        return self._json(request, {**(body if isinstance(body, dict) else {}), "status": status}, 201)


def _no_page() -> web.Response:
    """What is said of a path that nobody answers for."""
    return web.Response(status=404, text="404 page not found\n")


def _selected(call: Call, query) -> selectors.Test:
    by_label = selectors.labels(query.get("labelSelector"))
    by_field = selectors.fields(call.resource.key, query.get("fieldSelector"))
    name = call.name
    return lambda obj: (not name or obj["metadata"]["name"] == name) and by_label(obj) and by_field(obj)


def _table_wanted(request: web.Request) -> str:
    """What should go with each row of the table that a client asks for, or "" where it wants the objects."""
    if "as=Table" in request.headers.get("Accept", "").replace(" ", ""):
        return request.query.get("includeObject") or "Metadata"
    return ""


def _place(item: Item) -> list[str]:
    metadata = item.object["metadata"]
    return [metadata.get("namespace") or "", metadata["name"]]


def _write_continue(at: int, after: list[str]) -> str:
    return base64.urlsafe_b64encode(encode([at, after])).decode().rstrip("=")


def _read_continue(token: str) -> tuple[int, list[str]]:
    try:
        at, after = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(at), list(after)
    except (ValueError, TypeError):
        raise bad_request("invalid continue token: continue key is not valid") from None


def _number(query, name: str) -> int:
    """A query parameter that is a whole number; 0 without it."""
    text = query.get(name) or "0"
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


async def serve(
    store: Store,
    tls: ssl.SSLContext,
    tokens: MutableMapping[str, User],
    runtime: streams.Runtime,
    port: int = 0,
    ca: str = "",
    namespace_grace: float = 0.0,
) -> Server:
    """Start serving a store; `tokens` maps bearer tokens to users (it grows when clients ask for more).

    `ca` is the PEM that vouches for the server, which every namespace then holds in a ConfigMap; a namespace that is
    deleted keeps its objects for `namespace_grace` seconds.
    """
    housekeeping.Housekeeping(store, ca, namespace_grace)
    server = Server(store, tokens, runtime)
    await server.start(tls, port)
    return server
