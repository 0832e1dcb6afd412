"""Many studies: a journal, one process for each study, and who runs them."""
