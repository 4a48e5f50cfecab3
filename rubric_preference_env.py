"""The class handout's name for the RL environment. The code is ``idiolect.methods.preference_env``."""

from idiolect.methods.preference_env import (
    Ground,
    RubricPreferenceDataset,
    RubricPreferenceDatasetBuilder,
    RubricPreferenceGroupBuilder,
)

__all__ = ["Ground", "RubricPreferenceDataset", "RubricPreferenceDatasetBuilder", "RubricPreferenceGroupBuilder"]
