"""A writer as files that other programs run: peft's adapter, a merged model for transformers, GGUF for llama.cpp and Ollama.

Knows the formats of model files, and asks the service for adapters. Knows nothing of engines or servers.
"""

from idiolect.export.export import FORMATS, Exported, Format, export_writer

__all__ = ["FORMATS", "Exported", "Format", "export_writer"]
