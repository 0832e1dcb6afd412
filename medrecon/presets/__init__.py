"""Data, not code: tissues, labels with SNOMED CT codes and colours, known models."""
