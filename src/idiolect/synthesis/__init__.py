"""Data that nobody wrote: requests and texts from a teacher, requests for real texts, and the filters that guard both."""

from idiolect.synthesis.backgenerate import backgenerate, complete_demonstrations
from idiolect.synthesis.filters import Outcome, similarity, text_fault
from idiolect.synthesis.generate import SynthesisConfig, synthesize

__all__ = ["Outcome", "SynthesisConfig", "backgenerate", "complete_demonstrations", "similarity", "synthesize", "text_fault"]
