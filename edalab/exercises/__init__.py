"""The content of the exercises, one file a lesson, which `edalab.practice` judges."""
