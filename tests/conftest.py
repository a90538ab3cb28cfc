"""How hard Hypothesis looks: few examples, so that the tests are run often; `--hypothesis-profile=thorough` looks longer."""

from hypothesis import settings

settings.register_profile("quick", max_examples=30, deadline=None)
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile("quick")
