"""What is counted for an operator's Prometheus. Labels are words of ours, never a value from a request."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

DONE = "done"
FAILED = "failed"

REQUESTS = Counter(
    "tingjian_requests_total", "Requests answered.", ("method", "route", "status"), registry=REGISTRY
)
REQUEST_SECONDS = Histogram(
    "tingjian_request_seconds",
    "Time to answer a request. Unit: seconds.",
    ("method", "route"),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
JOB_RUNS = Counter("tingjian_job_runs_total", "Rounds of a job.", ("job", "outcome"), registry=REGISTRY)
JOB_SECONDS = Histogram(
    "tingjian_job_seconds",
    "Time one round of a job takes. Unit: seconds.",
    ("job",),
    buckets=(0.01, 0.05, 0.25, 1, 5, 15, 60, 300),
    registry=REGISTRY,
)
JOB_LAST_SUCCESS = Gauge(
    "tingjian_job_last_success_timestamp_seconds",
    "When a round of the job last ended well. Unit: seconds since 1970.",
    ("job",),
    registry=REGISTRY,
)


def count_round(*, job: str, outcome: str, seconds: float) -> None:
    """Count one round of a job, of this process or of the worker beside it."""
    JOB_RUNS.labels(job, outcome).inc()
    JOB_SECONDS.labels(job).observe(seconds)
    if outcome == DONE:
        JOB_LAST_SUCCESS.labels(job).set_to_current_time()
