"""A package, so that its tests may be called as those beside it: test_lesson_05.py is here and there."""
