"""The pocket model: a small Qwen3-architecture model trained from scratch on the simulated world, and the demo on it."""
