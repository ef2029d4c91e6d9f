"""Stand for Ray: actors are virtual processes, calls are messages, machines have room for so many of them.

Only what the product calls is here, with Ray's promises: a call to an actor that dies fails, calls of one caller may
arrive in another order, a placement group stays until it is removed, children of an actor end some time after it.
"""

import inspect
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from ray.exceptions import RayActorError

from tests.simulation.kernel import Process, Task, active
from tests.simulation.primitives import Event

RESTART_S = (0.5, 3.0)


class Ref:
    """Hold a result that may not be there yet."""

    def __init__(self) -> None:
        self.is_done, self.value = False, None
        self.error: BaseException | None = None
        self._waiting: list[Task] = []

    def settle(self, value: Any = None, error: BaseException | None = None) -> None:
        if not self.is_done:
            self.is_done, self.value, self.error = True, value, error
            for task in self._waiting:
                active().wake(task)

    def get(self) -> Any:
        kernel = active()
        while not self.is_done:
            assert kernel.current is not None
            self._waiting.append(kernel.current)
            kernel.block()
        if self.error is not None:
            raise self.error
        return self.value


class Actor:
    """Hold one actor; ``cpus`` are the places that it needs, ``restarts`` says that Ray replaces it when it dies."""

    def __init__(self, ray: "VirtualRay", name: str, make: Callable[[], Any], *, cpus: int, restarts: bool) -> None:
        self._ray, self.name, self._make, self.cpus, self._restarts = ray, name, make, cpus, restarts
        self.process: Process | None = None
        self.instance: Any = None
        self.is_gone = False
        self.ready = Ref()
        self._calls: list[tuple[Process | None, Callable[[], None]]] = []  # until it is there
        self._open: list[Ref] = []
        ray.cluster.ask(self, cpus, self._start)

    def _start(self) -> None:
        kernel = active()
        self.process = kernel.process(self.name)
        self.process.own["actor"] = self
        self.process.at_death.append(self._died)
        kernel.spawn(self.process, self._begin, delay=kernel.chance.choice((0.0, 0.3, 2.0)))

    def _begin(self) -> None:
        self.instance = self._make()
        self.ready.settle()
        self._flush()

    def _flush(self) -> None:
        """Send on what has waited; a caller that has died meanwhile had kept it."""
        calls, self._calls = self._calls, []
        for caller, call in calls:
            if caller is None or caller.alive:
                call()

    def call(self, caller: Process | None, method: str, arguments: tuple[Any, ...], ref: Ref) -> None:
        """Carry out a call that has arrived."""
        if self.is_gone:
            ref.settle(error=RayActorError())
        elif self.instance is None:
            self._calls.append((caller, lambda: self.call(caller, method, arguments, ref)))
        else:
            if active().teller is not None:
                active().note(f"{self.name}.{method}{brief(arguments)}")
            self._open.append(ref)
            assert self.process is not None
            active().spawn(self.process, lambda: self._carry_out(method, arguments, ref))

    def _carry_out(self, method: str, arguments: tuple[Any, ...], ref: Ref) -> None:
        kernel = active()
        delay = kernel.chance.choice((0.0, 0.0, 0.01, 0.2))
        try:
            found = getattr(self.instance, method)(*arguments)
            if inspect.iscoroutine(found):
                found = finished(found)
        except Exception as error:  # noqa: BLE001  the caller gets it
            kernel.at(delay, lambda error=error: ref.settle(error=error))  # type: ignore[misc]
        else:
            kernel.at(delay, lambda: ref.settle(found))
        self._open.remove(ref)

    def _died(self) -> None:
        kernel = active()
        self.instance, opened, self._open = None, self._open, []
        for ref in opened:
            kernel.at(kernel.chance.choice((0.0, 0.5)), lambda ref=ref: ref.settle(error=RayActorError()))  # type: ignore[misc]
        self._ray.cluster.give_back(self)
        if self._restarts and not self.is_gone:
            kernel.at(kernel.chance.uniform(*RESTART_S), lambda: None if self.is_gone else self._start())
        else:
            self.is_gone = True
            self._flush()

    def end(self) -> None:
        """End it for good."""
        self.is_gone = True
        self._ray.cluster.give_back(self)
        self._flush()
        if self.process is not None:
            active().kill(self.process)


def brief(arguments: tuple[Any, ...]) -> str:
    """Return a call's arguments for a replay."""
    return str(arguments)[:160]


def finished(coroutine: Any) -> Any:
    """Run a coroutine that waits by blocking its task."""
    try:
        coroutine.send(None)
    except StopIteration as end_:
        return end_.value
    raise AssertionError("it waits for an event loop")


class Handle:
    """Stand for the handle of an actor."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    def __getattr__(self, method: str) -> Any:
        if method.startswith("__") and method != "__ray_ready__":
            raise AttributeError(method)
        return SimpleNamespace(remote=lambda *arguments: self._send(method, arguments))

    def _send(self, method: str, arguments: tuple[Any, ...]) -> Ref:
        if method == "__ray_ready__":
            return self.actor.ready
        kernel, ref, caller = active(), Ref(), None
        if kernel.current is not None:
            kernel.seam(f"call {method}")
            caller = kernel.me
        delay = kernel.chance.choice((0.0, 0.0, 0.01, 0.2))
        kernel.at(delay, lambda: self.actor.call(caller, method, arguments, ref))
        return ref


class Cluster:
    """Hold the places of all machines together, and who waits for one."""

    def __init__(self, places: int) -> None:
        self.places = places
        self._held: dict[Any, int] = {}
        self._waiting: list[tuple[Any, int, Callable[[], None]]] = []

    @property
    def free(self) -> int:
        return self.places - sum(self._held.values())

    def ask(self, who: Any, count: int, given: Callable[[], None]) -> None:
        """Call ``given`` once there are so many places for somebody."""
        self._waiting.append((who, count, given))
        self._serve()

    def give_back(self, who: Any) -> None:
        self._held.pop(who, None)
        self._waiting = [entry for entry in self._waiting if entry[0] is not who]
        self._serve()

    def _serve(self) -> None:
        for entry in list(self._waiting):
            who, count, given = entry
            if count <= self.free and entry in self._waiting:
                self._waiting.remove(entry)
                if count:
                    self._held[who] = count
                given()


class Group:
    """Hold a placement group, by name."""

    def __init__(self, ray: "VirtualRay", name: str, places: int) -> None:
        self.name, self.state, self._ray = name, "PENDING", ray
        self.created, self.processes = Event(), list[Process]()
        ray.groups[name] = self
        ray.cluster.ask(self, places, self._there)

    def _there(self) -> None:
        self.state = "CREATED"
        self.created.set()

    def remove(self) -> None:
        if self.state != "REMOVED":
            self.state = "REMOVED"
            self._ray.cluster.give_back(self)
            for process in self.processes:
                active().kill(process)


class VirtualRay:
    """Hold the actors and placement groups of one schedule."""

    def __init__(self, places: int) -> None:
        self.cluster, self.groups = Cluster(places), dict[str, Group]()
        self.named: dict[str, Handle] = {}

    def start(self, kind: Any, options: dict[str, Any], arguments: tuple[Any, ...]) -> Handle:
        name = options.get("name") or f"{kind.__name__.lower()}-{active().token(4)}"
        make = lambda: kind(*arguments)  # noqa: E731
        restarts = options.get("max_restarts", 0) != 0
        handle = Handle(Actor(self, name, make, cpus=int(options.get("num_cpus", 0)), restarts=restarts))
        self.named[name] = handle
        return handle


def present() -> VirtualRay:
    """Return the Ray of the present schedule."""
    found: VirtualRay = active().board.ray
    return found


class ActorKind:
    """Stand for a class that ``ray.remote`` decorates."""

    def __init__(self, kind: Any, options: dict[str, Any] | None = None) -> None:
        self._kind, self._options = kind, options or {}

    def options(self, **options: Any) -> "ActorKind":
        return ActorKind(self._kind, options)

    def remote(self, *arguments: Any) -> Handle:
        return present().start(self._kind, self._options, arguments)


def get(ref: Any, timeout: float | None = None) -> Any:
    """Stand for ``ray.get``."""
    active().seam("get")
    return ref.get()


def wait(refs: Sequence[Ref], timeout: float = 0) -> tuple[list[Ref], list[Ref]]:
    """Stand for ``ray.wait`` without a wait."""
    done = [ref for ref in refs if ref.is_done]
    return done, [ref for ref in refs if not ref.is_done]


def get_actor(name: str) -> Handle:
    """Stand for ``ray.get_actor``."""
    found = present().named.get(name)
    if found is None or found.actor.is_gone:
        raise ValueError(f"no actor {name}")
    return found


RAY: Any = SimpleNamespace(
    remote=ActorKind, get=get, wait=wait, kill=lambda handle: handle.actor.end(), get_actor=get_actor,
    cluster_resources=dict, available_resources=dict, ObjectRef=Ref,
)  # fmt: skip


class _Blocking:
    def __init__(self, event: Event, timeout: float) -> None:
        self._event, self._timeout = event, timeout

    def __await__(self) -> Any:
        if not self._event.wait(self._timeout):
            raise TimeoutError
        return None
        yield


class _Waitable(Event):
    def wait(self, timeout: float | None = None) -> Any:  # what ``wait_for`` gets
        return self if timeout is None else super().wait(timeout)


ASYNCIO: Any = SimpleNamespace(Event=_Waitable, wait_for=_Blocking)
