"""The jobs there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .job import Job
from .series_job import SeriesJob
from .task_job import AddingJob, PeriodicJob

JOBS: Mapping[str, type[Job[Any, Any]]] = {
    job.KIND: job for job in (SeriesJob, AddingJob, PeriodicJob)
}
"""By what ``config.json`` calls them."""
