"""What is written: tasks as small files, and the facts that any request states."""

from idiolect.tasks.facts import missing_facts, placeholders, request_facts
from idiolect.tasks.task import Checks, Task, load_task

__all__ = ["Checks", "Task", "load_task", "missing_facts", "placeholders", "request_facts"]
