"""What a view returns, shown in a notebook, saved, and compared."""

from scenes import everything

from edalab.view import Picture, svg


def test_a_notebook_gets_a_png_and_one_line_of_text():
    data, metadata = Picture(everything())._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}
    assert data["image/png"].startswith(b"\x89PNG") and data["text/plain"] == repr(
        Picture(everything())
    )
    assert "\n" not in data["text/plain"]
    size = {"width": 900, "height": 900, "unconfined": True}
    assert metadata["image/png"] == {**size, "alt": "everything, words"}


def test_the_png_is_sharp_on_fine_screens_and_small():
    png = Picture(everything()).png()
    assert int.from_bytes(png[16:20]) == 1350 and int.from_bytes(png[20:24]) == 1350
    assert len(png) < 60_000


def test_it_saves_itself_as_its_name_says(tmp_path):
    picture = Picture(everything())
    for name in ("p.svg", "p.png", "p.pdf"):
        picture.save(tmp_path / name)
    assert (
        (tmp_path / "p.svg").read_text(encoding="utf-8")
        == svg.paint(picture.scene)
        == picture.svg()
    )
    assert (tmp_path / "p.png").read_bytes() == picture.png()
    assert (tmp_path / "p.pdf").read_bytes().startswith(b"%PDF")
