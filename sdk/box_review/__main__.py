"""`python -m box_review` is `box-review`."""

from box_review.cli import main

if __name__ == "__main__":
    main(prog_name="box-review")
