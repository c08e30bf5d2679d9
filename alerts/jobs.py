"""The jobs of this room: plain functions that may run twice. `api/timetable.py` alone knows times."""

from alerts.alarms import escalate_due
from alerts.delivery import DeliveryReport, deliver_due
from alerts.digests import digest_due
from alerts.forgetting import forget_due

__all__ = ["DeliveryReport", "deliver_due", "digest_due", "escalate_due", "forget_due"]
