"""A practice ESXi host as a service: bytes of a request in, bytes of the answer out."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nestkit.practice.esx import (  # noqa: F401  (importing them registers methods)
    browsing,
    distributed,
    guests,
    properties,
    soap,
    vcenter,
    views,
)
from nestkit.practice.esx import inventory as inventories
from nestkit.practice.esx.api import VmomiSupport, vim, vmodl
from nestkit.practice.esx.managed import Managed
from nestkit.practice.esx.methods import METHODS, Context, not_modelled
from nestkit.practice.esx.sessions import COOKIE, Session, Sessions, cookie_token
from nestkit.practice.esx.tasks import Tasks
from nestkit.practice.esx.world import World
from nestkit.practice.faults import Switchboard
from nestkit.practice.options import Options
from nestkit.practice.service import DropConnection, Request, Response

WRONG_LOGIN_S: Final = 0.5  # a wrong password is answered late
_PRIORS: Final = ("8.0.1.0", "8.0.0.2", "8.0.0.1", "8.0.0.0", "7.0.3.2", "7.0.3.1", "7.0.3.0",
                  "7.0.2.1", "7.0.2.0", "7.0.1.1", "7.0.1.0", "7.0.0.2", "7.0.0.0", "6.9.1",
                  "6.8.7", "6.7.3", "6.7.2", "6.7.1", "6.7", "6.5", "6.0", "5.5", "5.1", "5.0",
                  "4.1", "4.0", "2.5u2", "2.5")  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    status: int = 200
    cookie: str | None = None


class EsxService:
    """Answers ``/sdk``. Thread-safe."""

    kind = "esx"
    administrator = "root"
    plain_http = False
    inventories: Any = inventories  # the module that reads the inventory

    def __init__(self, options: Options, password: str, faults: Switchboard) -> None:
        given = options.inventory
        path = Path(given) if given else self.inventories.default_path()

        def build() -> inventories.Inventory:
            made: inventories.Inventory = self.inventories.load(
                path, profile=options.profile, vms=options.vms, seed=options.seed
            )
            return made

        self.faults = faults
        self.world = World(build)
        self.sessions = Sessions(idle_s=options.session_s)
        self.tasks = Tasks(self.world, faults)
        self._password = password.encode()
        self.user = "trainee" if self.world.inventory.read_only else self.administrator

    def reset(self) -> None:
        """The inventory's first state; sessions end."""
        self.world.reset()
        with self.world.changed:
            self.sessions.close_all()

    def close(self) -> None:
        """Nothing outlives the process."""

    # -- what methods use -----------------------------------------------------------------------

    def accepts(self, user: str, password: str) -> bool:
        """Whether this is the host's one user and its password."""
        return self.knows(password) and user == self.user

    def knows(self, password: str) -> bool:
        """Whether this is the password, of the host and of the ESXi in its VMs alike."""
        return hmac.compare_digest(password.encode("utf-8", "replace"), self._password)

    def pause_after_wrong_login(self) -> None:
        """Wait a while, and let others work meanwhile."""
        deadline = time.monotonic() + WRONG_LOGIN_S
        while (left := deadline - time.monotonic()) > 0:
            self.world.changed.wait(left)

    def finder(self, session: Session | None) -> Callable[[str, str], Managed]:
        """Find objects of the session and of the world."""
        if session is None:
            return self.world.find
        mine, world = session.objects, self.world

        def find(kind: str, moid: str) -> Managed:
            return mine.get(moid) or world.find(kind, moid)

        return find

    def not_authenticated(self, target: Managed) -> Any:
        """``NotAuthenticated`` for an object."""
        return vim.fault.NotAuthenticated(
            object=target.ref,
            privilegeId="System.View",
            msg="The session is not authenticated.",
        )

    # -- requests -------------------------------------------------------------------------------

    def answer(self, request: Request) -> Response:
        """Answer an HTTP request."""
        if request.path == "/sdk/vimServiceVersions.xml" and request.method == "GET":
            return Response(200, self._versions(), "text/xml; charset=utf-8")
        if request.path.rstrip("/") != "/sdk":
            return Response(404, b"not found\n", "text/plain")
        if request.method != "POST":
            return Response(405, b"the API is spoken with POST\n", "text/plain")
        if self.faults.now.slow_answer:
            time.sleep(self.faults.now.slow_answer)
        if self.faults.due("drop_after") or self.faults.gone("lost_after"):
            raise DropConnection
        done = self._soap(request)
        if self.faults.due("drop_answer"):
            raise DropConnection
        headers = []
        if done.cookie is not None:
            value = f'{COOKIE}="{done.cookie}"; Path=/; HttpOnly; Secure; SameSite=strict'
            headers.append(("Set-Cookie", value))
        return Response(done.status, done.body, "text/xml; charset=utf-8", tuple(headers))

    def _versions(self) -> bytes:
        newest = self.world.inventory.api_version
        priors = _PRIORS[_PRIORS.index(newest) + 1 :] if newest in _PRIORS else _PRIORS
        rows = "".join(f"<version>{version}</version>" for version in priors)
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<namespaces version="1.0"><namespace>'
            f"<name>urn:vim25</name><version>{newest}</version>"
            f"<priorVersions>{rows}</priorVersions></namespace></namespaces>"
        ).encode()

    def _version(self, action: str) -> str | None:
        """The API version a SOAPAction asks for; None when it is not one of ours."""
        wanted = action.strip().strip('"').removeprefix("urn:")
        newest = self.world.inventory.api_version
        if wanted in ("", "vim25"):
            wanted = "vim25/2.5u2"
        name = wanted.removeprefix("vim25/")
        if name == "7.0":  # what clients called 7.0.0.0 before versions had four parts
            name = "7.0.0.0"
        if name != newest and name not in _PRIORS:
            return None
        version = VmomiSupport.versionMap.get(f"vim25/{name}")
        newest_version = VmomiSupport.versionMap[f"vim25/{newest}"]
        if version is None or not VmomiSupport.IsChildVersion(newest_version, version):
            return None
        return str(version)

    def _soap(self, request: Request) -> _Answer:
        newest = str(VmomiSupport.versionMap[f"vim25/{self.world.inventory.api_version}"])
        version = self._version(request.header("SOAPAction"))
        if version is None:
            error = soap.invalid_request(
                f"Unsupported version URI {request.header('SOAPAction')[:100]!r}"
            )
            return _Answer(soap.fault(error, newest, "soapenv:Client"), 500)
        try:
            call = soap.decode(request.body, version)
        except soap.BadRequest as error:
            fault = soap.fault(soap.invalid_request(str(error)), version, "soapenv:Client")
            return _Answer(fault, 500)
        with self.world.changed:
            session = self.sessions.get(cookie_token(request.header("Cookie")))
            if session is not None and self.faults.due("expire_after"):
                self.sessions.close(session)
                session = None
            context = Context(self, session, version, request.header("User-Agent"))
            try:
                body = self._invoke(context, call)
            except vmodl.MethodFault as error:
                return _Answer(soap.fault(error, version), 500)
        opened = context.session is not None and context.session is not session
        return _Answer(body, 200, context.session.token if opened and context.session else None)

    def _invoke(self, ctx: Context, call: soap.Call) -> bytes:
        find = self.finder(ctx.session)
        entry = METHODS.get(call.method)
        anonymous = entry.anonymous if entry else call.method == "Fetch"
        if ctx.session is None and not anonymous:
            raise self.not_authenticated(Managed(vim.ServiceInstance, "ServiceInstance", {}))
        target = find(call.target_type, call.moid)
        if call.method == "Fetch":
            readable = target.kind in (vim.ServiceInstance, vim.SessionManager)
            if ctx.session is None and not readable:
                raise self.not_authenticated(target)
            content = properties.fetch(ctx, target, call.args["prop"])
            return soap.result("Fetch", content)
        if call.info is None or not issubclass(target.kind, call.info.type):
            raise vmodl.fault.MethodNotFound(
                receiver=target.ref,
                method=call.method[:200],
                msg=f"The method {call.method[:200]} is not there on this object.",
            )
        if entry is None:
            raise not_modelled(call.method)
        if entry.privilege:
            self._check_privilege(target, entry.privilege)
        value = entry.run(ctx, target, call.args)
        if isinstance(value, properties.Xml):
            return soap.result(call.method, value)
        return soap.returned(call, value, ctx.version)

    def _check_privilege(self, target: Managed, privilege: str) -> None:
        if self.world.inventory.read_only or self.faults.now.no_permission:
            raise vim.fault.NoPermission(
                object=target.ref,
                privilegeId=privilege,
                msg="Permission to perform this operation was denied.",
            )


class VpxService(EsxService):
    """A practice vCenter: the same API over a cluster and its distributed switches."""

    kind = "vpx"
    administrator = "administrator@vsphere.local"
    inventories = vcenter
