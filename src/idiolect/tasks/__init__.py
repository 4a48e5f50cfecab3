"""What is written: tasks as small files, and the facts that any request states."""

from idiolect.tasks.claims import invented_facts, usual_facts
from idiolect.tasks.facts import FORMULAS, asked_facts, missing_facts, request_facts
from idiolect.tasks.faults import cut_short, ending, meta_comments, placeholders, repeated, usually_repeated
from idiolect.tasks.form import FormChecker
from idiolect.tasks.spelling import Spelling
from idiolect.tasks.task import Checks, Task, load_task, packaged_tasks, read_task
from idiolect.tasks.variants import known_facts, rows_with_made_up_facts, with_made_up_facts, with_other_facts

__all__ = [
    "FORMULAS",
    "Checks",
    "FormChecker",
    "Spelling",
    "Task",
    "asked_facts",
    "cut_short",
    "ending",
    "invented_facts",
    "known_facts",
    "load_task",
    "meta_comments",
    "missing_facts",
    "packaged_tasks",
    "placeholders",
    "read_task",
    "repeated",
    "request_facts",
    "rows_with_made_up_facts",
    "usual_facts",
    "usually_repeated",
    "with_made_up_facts",
    "with_other_facts",
]
