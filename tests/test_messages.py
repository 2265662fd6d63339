"""Messages are found by the name of their type: of two with one name, the one declared last."""

from edalab import Event
from edalab.model import message_types


def test_of_two_classes_with_one_name_the_last_is_meant_whatever_they_derive_from():
    class Base(Event):
        a: int

    class DeclaredTwice(Base):
        pass

    class DeclaredTwice(Event):
        b: int

    assert message_types()["DeclaredTwice"] is DeclaredTwice

    class DeclaredTwice(Base):
        pass

    assert message_types()["DeclaredTwice"] is DeclaredTwice
