"""Contract suites that any sketch, matrix, method, problem or engine must pass, and problems whose answer is known.

Whoever adds an implementation inherits the suite and says what to test (needs pytest and hypothesis)::

    from dsketch.testing.sketches import SketchTests

    class TestMine(SketchTests):
        @pytest.fixture
        def family(self):
            return Mine

``toy`` is a method in forty lines, to start from.  ``known`` has the problems, ``judge`` recomputes errors from the data in extended
precision, ``recut`` gives rows another grid of blocks, ``flows`` runs a method by hand; these five need NumPy and SciPy only.
"""
