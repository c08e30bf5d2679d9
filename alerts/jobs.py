"""The jobs of this room: plain functions that may run twice. `api/timetable.py` alone knows times."""

from alerts.delivery import DeliveryReport, deliver_due

__all__ = ["DeliveryReport", "deliver_due"]
