"""What the exercises ask, one file a lesson: content, which `edalab.practice` judges."""
