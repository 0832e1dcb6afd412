"""To and from an archive: DICOMweb over HTTP, and C-STORE, C-GET and C-MOVE."""
