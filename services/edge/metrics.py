"""What the edge counts; as everywhere, nothing that tells of a case or of who calls."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server


class EdgeMetrics:
    """The edge's metrics; labels are method and code."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter(
            "meldbrug_edge_calls", "Answered calls.", ["method", "code"], registry=self.registry
        )
        self.in_flight = Gauge("meldbrug_edge_in_flight", "Calls under way.", registry=self.registry)
        self.connections = Gauge("meldbrug_edge_connections", "Open connections.", registry=self.registry)
        self.asked = Counter("meldbrug_edge_puzzles_asked", "Puzzles asked.", registry=self.registry)
        self.solved = Counter("meldbrug_edge_puzzles_solved", "Puzzles solved.", registry=self.registry)

    def serve(self, host: str, port: int) -> None:
        """Serves the metrics page until the process ends."""
        start_http_server(port, host, self.registry)
