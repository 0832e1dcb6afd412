"""A network's skull is never for print; the Hounsfield engine's bone may be."""

from medrecon.quality.intended import print_concerns


def test_only_the_head_models_skull_is_of_concern():
    assert "intact skulls" in print_concerns("head 1", "skull")[0]
    assert print_concerns("head 1", "brain") == ()
    assert print_concerns("tissue", "bone") == ()
    assert print_concerns("head_and_neck 2", "skull") == ()
