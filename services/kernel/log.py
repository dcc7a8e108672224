"""What the process says of itself: log lines by allow-list, and metrics that cannot tell of a case."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from enum import StrEnum
from typing import TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

# Everything else is dropped, whoever passes it. None of these can hold text that a caller wrote.
ALLOWED = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "request_id",
        "service",
        "method",
        "lane",
        "code",
        "reason",
        "cause",
        "place",
    }
    | {"duration_ms", "task", "attempts", "count", "address", "state", "setting", "dependency"}
)
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

request_id: ContextVar[str] = ContextVar("request_id", default="")


class Event(StrEnum):
    """What the kernel logs; a service has its own enumeration, values `noun.verb_past`."""

    CALL_ANSWERED = "call.answered"
    CALL_FAILED = "call.failed"
    FLOOR_OVERRUN = "floor.overrun"
    JOB_FAILED = "job.failed"
    JOB_RESCUED = "job.rescued"
    SWEEP_FAILED = "sweep.failed"
    LOOP_FAILED = "loop.failed"
    PROCESS_STARTED = "process.started"
    PROCESS_STOPPED = "process.stopped"
    DEPENDENCY_LOST = "dependency.lost"
    DEPENDENCY_FOUND = "dependency.found"
    JOURNAL_ABSENT = "journal.absent"


def _keep_allowed(
    _logger: object, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    return {key: value for key, value in event.items() if key in ALLOWED}


def _add_request(
    _logger: object, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    if current := request_id.get():
        event["request_id"] = current
    return event


def configure(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Sends JSON lines to standard error, or to `stream`; other libraries say nothing."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _add_request,
            _keep_allowed,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level.lower()]),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Messages of libraries may hold statements, arguments or addresses: none is printed.
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)


def emit(event: StrEnum, level: str = "info", **fields: str | float | bool) -> None:
    """Logs one event; a field that is not allowed is dropped."""
    structlog.get_logger().log(LEVELS[level], event.value, **fields)


def emit_failure(event: StrEnum, failure: BaseException, **fields: str | float | bool) -> None:
    """Logs a failure by its type and place; never its text, which may quote content."""
    frames = []
    trace = failure.__traceback__
    while trace:
        frames.append(f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}")
        trace = trace.tb_next
    emit(event, "error", cause=type(failure).__qualname__, place=" < ".join(reversed(frames[-4:])), **fields)


class Metrics:
    """The process's metrics; labels are method, code, lane, task and nothing else."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter("meldbrug_calls", "Answered calls.", ["method", "code"], registry=self.registry)
        self.seconds = Histogram(
            "meldbrug_call_seconds", "Time to the answer.", ["lane"], registry=self.registry
        )
        self.overruns = Counter(
            "meldbrug_floor_overruns", "Closed doors that answered late.", registry=self.registry
        )
        self.in_flight = Gauge(
            "meldbrug_in_flight", "Calls being worked on.", ["lane"], registry=self.registry
        )
        self.turned_away = Counter(
            "meldbrug_turned_away", "Calls not admitted.", ["lane"], registry=self.registry
        )
        self.jobs = Counter("meldbrug_jobs", "Jobs that ran.", ["task", "code"], registry=self.registry)

    def serve(self, host: str, port: int) -> None:
        """Serves the metrics page until the process ends."""
        start_http_server(port, host, self.registry)
